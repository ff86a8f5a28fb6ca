/** `mindts/storage`: files and folders of any store, by the calls that moxing has for them; docs/storage.md compares the two. */
export { StorageError } from '../base/errors.js';
export {
  append,
  type Content,
  exists,
  isDirectory,
  makeDirs,
  read,
  readStream,
  remove,
  size,
  stat,
  write,
} from './calls.js';
export { type CopyOptions, type CopyParallelOptions, type CopyProgress, copy, copyParallel } from './copy.js';
export { glob } from './glob.js';
export { escapeGlob } from './glob-pattern.js';
export { list } from './list.js';
export { type RenameOptions, rename } from './rename.js';
export type { ByteRange, Entry, Listed } from './store.js';
export { joinUrl, nameOf } from './url.js';
export { type Walked, walk } from './walk.js';

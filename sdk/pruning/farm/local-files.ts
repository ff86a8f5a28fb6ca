/**
 * The small files of a work folder on this machine, read and written at once. Through Node's thread pool a message takes fifty times as long to
 * read and twice as long to write, and where evaluators have all processors several times that: six hand-overs, each of which waits for its turn.
 */
import {
  closeSync,
  constants,
  type Dirent,
  fstatSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { systemCode } from '../../base/errors.js';
import { isPartial, makeFolder, partialName, requireRegular } from '../../base/files.js';

/** More than this is left to the store, so that signs of life need not wait for a slow disk: 256 KiB. */
export const SMALL_BYTES = 1 << 18;

/**
 * A file's content; undefined where there is nothing, `'large'` for more than {@link SMALL_BYTES}.
 *
 * @throws Node's system errors, also for what is no file
 */
export function readSmall(path: string): Buffer | 'large' | undefined {
  let file: number;
  try {
    // A pipe would else be waited for.
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    const found = fstatSync(file);
    requireRegular(path, found);
    return found.size <= SMALL_BYTES ? readFileSync(file) : 'large';
  } finally {
    closeSync(file);
  }
}

/**
 * Writes a file, whole or not at all. Missing folders are made.
 *
 * @param beside where it is until it is whole, in the same file system. Should be no folder that somebody listens to (bell.ts): each step
 * there would wake all of them, and that takes ten times as long as the step
 * @throws Node's system errors
 */
export async function writeSmall(path: string, bytes: Uint8Array, beside: string): Promise<void> {
  const partial = partialName(join(beside, basename(path)));
  try {
    try {
      writeFileSync(partial, bytes, { flag: 'wx' });
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      await makeFolder(beside);
      writeFileSync(partial, bytes, { flag: 'wx' });
    }
    try {
      renameSync(partial, path);
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      await makeFolder(dirname(path));
      renameSync(partial, path);
    }
  } catch (error) {
    rmSync(partial, { force: true });
    throw error;
  }
}

/**
 * The names in a folder, sorted; none where there is no folder. Links count as what they lead to; leftovers of killed writers do not count.
 *
 * @throws Node's system errors
 */
export function namesIn(path: string, { folders }: { readonly folders: boolean }): readonly string[] {
  let found: readonly Dirent[];
  try {
    found = readdirSync(path, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return [];
    throw error;
  }
  const counts = (one: Pick<Dirent, 'isFile' | 'isDirectory'> | undefined): boolean =>
    one !== undefined && (one.isFile() || (folders && one.isDirectory()));
  const isNamed = (one: Dirent): boolean =>
    counts(one) ||
    (!one.isFile() && !one.isDirectory() && counts(statSync(join(path, one.name), { throwIfNoEntry: false })));
  return found
    .filter((one) => !isPartial(one.name) && isNamed(one))
    .map(({ name }) => name)
    .sort();
}

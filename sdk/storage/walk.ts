/** Folder after folder, as Python's `os.walk` and moxing's `walk` go. */
import { list } from './list.js';
import { joinUrl } from './url.js';

/** A folder and what is directly in it. */
export interface Walked {
  readonly url: string;
  /** The names of the folders in it; a walk goes into each. */
  readonly folders: readonly string[];
  /** The names of the files in it. */
  readonly files: readonly string[];
}

/**
 * Walks through a folder and all folders below it, each before those in it, in the order of their names. One folder's names are held at a
 * time: `list` holds none.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FOLDER`, `E_DENIED`, …
 * @example
 * await write('out/a.txt', 'seven');
 * await write('out/d/f', '');
 * const walked = [];
 * for await (const step of walk('out')) walked.push(step);
 * walked; // [{ url: 'out', folders: ['d'], files: ['a.txt'] }, { url: 'out/d', folders: [], files: ['f'] }]
 */
export async function* walk(url: string): AsyncGenerator<Walked> {
  const [folders, files]: [string[], string[]] = [[], []];
  for await (const { name, kind } of list(url)) (kind === 'folder' ? folders : files).push(name);
  yield { url, folders, files };
  // With the `/`, since an object store may have a file of that name too.
  for (const name of folders) yield* walk(`${joinUrl(url, name)}/`);
}

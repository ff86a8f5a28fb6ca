/** Folder after folder, as Python's `os.walk` and moxing's `walk` go. */
import { StorageError } from '../base/errors.js';
import { asFolder } from './calls.js';
import { list } from './list.js';
import { storeFor } from './stores.js';
import { joinUrl, shownUrl } from './url.js';

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
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FOLDER`, `E_LINK` for links in a circle, `E_DENIED`, …
 * @example
 * await write('out/a.txt', 'seven');
 * await write('out/d/f', '');
 * const walked = [];
 * for await (const step of walk('out')) walked.push(step);
 * walked; // [{ url: 'out', folders: ['d'], files: ['a.txt'] }, { url: 'out/d/', folders: [], files: ['f'] }]
 */
export async function* walk(url: string): AsyncGenerator<Walked> {
  yield* from(url, []);
}

/** @param above the places of the folders on the way here: to come to one again is a circle of links */
async function* from(url: string, above: readonly string[]): AsyncGenerator<Walked> {
  const place = await (await storeFor(url)).locate(url);
  if (above.includes(place)) {
    throw new StorageError(
      'E_LINK',
      `${shownUrl(url)} is a link to a folder that it lies in, ${place}: remove the link`,
    );
  }
  const [folders, files]: [string[], string[]] = [[], []];
  for await (const { name, kind } of list(url)) (kind === 'folder' ? folders : files).push(name);
  yield { url, folders, files };
  // With the `/`, since an object store may have a file of that name too.
  for (const name of folders) yield* from(asFolder(joinUrl(url, name)), [...above, place]);
}

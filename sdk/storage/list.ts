/** What is in a folder, as moxing lists it: names relative to it, and folders among them at every depth. */
import { StorageError } from '../base/errors.js';
import type { Listed } from './store.js';
import { storeFor } from './stores.js';
import { shownUrl } from './url.js';

/**
 * Lists a folder, one entry at a time, in the order of the names' UTF-8 bytes, a folder counted as if its name ended in `/`. With `recursive`
 * also what is in the folders below it, each after its folder: `d`, `d/f`. A folder's name has no `/` at its end: `kind` tells.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FOLDER` for a file, `E_DENIED`, …
 * @example
 * await write('out/a.txt', 'seven');
 * await write('out/d/f', '');
 * const names = [];
 * for await (const { name } of list('out', { recursive: true })) names.push(name);
 * names; // ['a.txt', 'd', 'd/f']
 */
export async function* list(
  url: string,
  { recursive = false }: { readonly recursive?: boolean | undefined } = {},
): AsyncGenerator<Listed> {
  const store = await storeFor(url);
  try {
    const found = store.list(url, { recursive, folders: true });
    yield* recursive ? withFolders(found) : found;
  } catch (error) {
    const isFile = error instanceof StorageError && error.code === 'E_NOT_FOLDER';
    if (!isFile || (await store.stat(url.replace(/\/+$/, '')))?.kind !== 'file') throw error;
    throw new StorageError('E_NOT_FOLDER', `${shownUrl(url)} is a file: name its folder to list it`, { cause: error });
  }
}

/** Folders that the store does not list by themselves are known by what is in them; names come sorted, so that only the last one's folders are held. */
async function* withFolders(found: AsyncIterable<Listed>): AsyncGenerator<Listed> {
  let last: readonly string[] = [];
  for await (const item of found) {
    const parts = item.name.split('/');
    const above = parts.slice(0, -1);
    const shared = above.findIndex((part, i) => part !== last[i]);
    for (let i = shared < 0 ? above.length : shared; i < above.length; i++) {
      yield { kind: 'folder', size: 0, modified: 0, name: above.slice(0, i + 1).join('/') };
    }
    last = item.kind === 'folder' ? parts : above;
    yield item;
  }
}

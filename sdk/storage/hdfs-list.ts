/** What is below a folder of HDFS, in the order that stores keep. */
import { StorageError } from '../base/errors.js';
import { isPartial } from '../base/files.js';
import type { HdfsClient, HdfsStatus, Spot } from './hdfs-client.js';
import { compareNames } from './names.js';
import { retrying } from './retry.js';
import type { Entry, Listed } from './store.js';
import { shownUrl } from './url.js';

export function entryOf({ type, length, modificationTime, fileId }: HdfsStatus): Entry {
  if (type === 'DIRECTORY') return { kind: 'folder', size: 0, modified: modificationTime };
  return { kind: 'file', size: length, modified: modificationTime, version: `${fileId}-${modificationTime}-${length}` };
}

/** Folder by folder, a page at a time; leftovers of killed writers are left out. */
export async function* listBelow(
  client: HdfsClient,
  folder: Spot,
  options: { readonly recursive: boolean; readonly folders: boolean },
  prefix = '',
): AsyncGenerator<Listed> {
  for await (const status of inOrder(pages(client, folder))) {
    const name = prefix + status.pathSuffix;
    const isFolder = status.type === 'DIRECTORY';
    if (!isFolder || options.folders) yield { ...entryOf(status), name };
    if (isFolder && options.recursive) yield* listBelow(client, below(folder, status.pathSuffix), options, `${name}/`);
  }
}

function below({ path, url }: Spot, name: string): Spot {
  return { path: `${path === '/' ? '' : path}/${name}`, url: `${url.replace(/\/+$/, '')}/${name}` };
}

async function* pages(client: HdfsClient, folder: Spot): AsyncGenerator<HdfsStatus> {
  let last: string | undefined;
  for (let remaining = true; remaining; ) {
    const after = last;
    const page = await retrying(() => client.page(folder, after));
    // HttpFS gives all at once, whatever was asked for.
    const items = page.items.filter(({ pathSuffix }) => after === undefined || compareNames(pathSuffix, after) > 0);
    items.sort((a, b) => compareNames(a.pathSuffix, b.pathSuffix));
    if (items.some(({ pathSuffix }) => pathSuffix === '')) {
      throw new StorageError('E_NOT_FOLDER', `${shownUrl(folder.url)} is a file: name its folder`);
    }
    for (const item of items) if (!isPartial(item.pathSuffix)) yield item;
    last = items.at(-1)?.pathSuffix;
    remaining = page.remaining && last !== undefined;
  }
}

/**
 * HDFS puts the folder `a` before the file `a.txt`; as `a/` it comes after. Folders wait until nothing can come before them. What
 * comes meanwhile and is a folder comes before all that wait, so that these are a stack.
 */
async function* inOrder(statuses: AsyncIterable<HdfsStatus>): AsyncGenerator<HdfsStatus> {
  const waiting: HdfsStatus[] = [];
  for await (const status of statuses) {
    for (
      let top = waiting.at(-1);
      top !== undefined && compareNames(keyOf(top), keyOf(status)) < 0;
      top = waiting.at(-1)
    ) {
      waiting.pop();
      yield top;
    }
    if (status.type === 'DIRECTORY') waiting.push(status);
    else yield status;
  }
  yield* waiting.toReversed();
}

function keyOf({ pathSuffix, type }: HdfsStatus): string {
  return type === 'DIRECTORY' ? `${pathSuffix}/` : pathSuffix;
}

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
  for await (const status of inOrder(byUnsignedBytes(pages(client, folder)))) {
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
    if (page.items.some(({ pathSuffix }) => pathSuffix === '')) {
      throw new StorageError('E_NOT_FOLDER', `${shownUrl(folder.url)} is a file: name its folder`);
    }
    last = page.items.at(-1)?.pathSuffix;
    remaining = page.remaining && last !== after;
    for (const item of page.items) if (!isPartial(item.pathSuffix)) yield item;
  }
}

/**
 * HDFS compares bytes with their sign, so that what is not ASCII comes first: `aé` before `ab`. Such a name waits until no other can
 * come that begins as it does before its first such character: at most all names of one folder that are not ASCII.
 */
async function* byUnsignedBytes(statuses: AsyncIterable<HdfsStatus>): AsyncGenerator<HdfsStatus> {
  const waiting: { readonly beginning: string; readonly items: HdfsStatus[] }[] = [];
  for await (const status of statuses) {
    const name = status.pathSuffix;
    for (let top = waiting.at(-1); top !== undefined && !name.startsWith(top.beginning); top = waiting.at(-1)) {
      waiting.pop();
      yield* ordered(top.items);
    }
    const beginning = name.replace(/[^\0-\x7f][^]*$/, '');
    const group = waiting.find((other) => other.beginning === beginning);
    if (beginning === name) yield status;
    else if (group !== undefined) group.items.push(status);
    else {
      waiting.push({ beginning, items: [status] });
      waiting.sort((one, other) => one.beginning.length - other.beginning.length);
    }
  }
  for (const { items } of waiting.toReversed()) yield* ordered(items);
}

function ordered(items: readonly HdfsStatus[]): HdfsStatus[] {
  return items.toSorted((a, b) => compareNames(a.pathSuffix, b.pathSuffix));
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

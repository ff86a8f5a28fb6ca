/** A Store over an object store's client: folders out of keys, and requests tried again. */
import { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import { md5 } from './digest.js';
import { forEach } from './for-each.js';
import { compareNames } from './names.js';
import { MOST_COPIED, type ObjectClient, type ObjectInfo, type Page } from './object-client.js';
import { chunksOf } from './object-read.js';
import { begun, finished, resumable } from './object-upload.js';
import { retrying } from './retry.js';
import type { ByteRange, Entry, Listed, ListOptions, Store } from './store.js';
import { schemeOf, shownUrl } from './url.js';

/** Where an object lies, or would lie. An empty key is the bucket itself. */
interface Place {
  readonly client: ObjectClient;
  readonly bucket: string;
  readonly key: string;
}

interface ObjectStoreOptions {
  /** Bytes of a part but the last, at least; default S3's 5 MiB. */
  readonly leastPart?: number;
  /** Where the buckets are, for a store that another scheme may reach as well. */
  readonly endpoint?: () => Promise<string | undefined>;
}

/**
 * Makes a Store of a client.
 *
 * @param connect gives the client of a bucket, the same for the same bucket
 */
export function objectStore(
  connect: (bucket: string) => Promise<ObjectClient>,
  { leastPart = 5 * 2 ** 20, endpoint }: ObjectStoreOptions = {},
): Store {
  async function at(url: string): Promise<Place> {
    const { bucket, key } = objectAt(url);
    return { client: await retrying(() => connect(bucket)), bucket, key };
  }

  async function stat(url: string): Promise<Entry | undefined> {
    const { client, key } = await at(url);
    if (key !== '' && !key.endsWith('/')) {
      const info = await retrying(() => client.head(key));
      if (info !== undefined) return entryOf(info);
    }
    const prefix = folderPrefix(key);
    const page = await retrying(() => client.page({ prefix, delimited: false, limit: 1 }));
    return key === '' || page.objects.length > 0 ? FOLDER : undefined;
  }

  async function write(url: string, data: Readable | Uint8Array, { modified = Date.now() } = {}): Promise<void> {
    const { client, key } = await fileAt(url);
    const parts = data instanceof Uint8Array ? [data] : partsOf(data, STREAM_PART);
    let [upload, waiting, size]: [string | undefined, Uint8Array | undefined, number] = [undefined, undefined, 0];
    const etags: string[] = [];
    async function putPart(part: Uint8Array): Promise<string> {
      const id = (upload ??= await begun(client, key, { modified, partSize: STREAM_PART }));
      const sum = md5(part);
      etags.push(await retrying(() => client.putPart(key, id, etags.length + 1, part, sum)));
      size += part.length;
      return id;
    }
    try {
      // One that fits into a part is put at one stroke: only when another part has come is it an upload.
      for await (const part of parts) {
        if (waiting !== undefined) await putPart(waiting);
        waiting = part;
      }
      const last = waiting ?? new Uint8Array();
      if (upload === undefined) {
        const sum = md5(last);
        await retrying(() => client.put(key, last, { md5: sum, modified }));
      } else {
        const id = await putPart(last);
        await finished(client, key, { upload: id, etags, size, modified });
      }
    } catch (error) {
      const id = upload;
      // What went wrong first is what to tell, even when the store does not answer at all.
      if (id !== undefined) {
        await retrying(() => client.abort(key, id)).catch((second: unknown) => {
          if (!(second instanceof StorageError)) throw second;
        });
      }
      throw error;
    }
  }

  async function* chunks(url: string, range?: ByteRange): AsyncGenerator<Buffer> {
    const { client, key } = await at(url);
    yield* chunksOf({ client, key, url }, range);
  }

  /** @throws StorageError `E_NOT_FILE` for a bucket or a folder's URL */
  async function fileAt(url: string): Promise<Place> {
    const place = await at(url);
    requirePath(url, place.key);
    if (place.key !== '' && !place.key.endsWith('/')) return place;
    throw new StorageError(
      'E_NOT_FILE',
      `${shownUrl(url)} is a ${place.key === '' ? 'bucket' : 'folder'}: name a file in it`,
    );
  }

  return {
    keepsTimes: false,
    leastPart,
    stat,
    list: (url, options = {}) => list(url, at, options),
    read: (url, range) => Readable.from(chunks(url, range), { objectMode: false }),
    chunks,
    write,
    async upload(url, plan) {
      const { client, key } = await fileAt(url);
      return resumable(client, key, plan);
    },
    async remove(url) {
      const { client, bucket, key } = await at(url);
      if (key === '')
        throw new StorageError(
          'E_BUCKET',
          `${shownUrl(url)} is a whole bucket, ${bucket}: remove it with the store's own tools`,
        );
      const isFile = !key.endsWith('/') && (await retrying(() => client.head(key))) !== undefined;
      if (isFile) await retrying(() => client.remove(key));
      else {
        const below = keysBelow(client, folderPrefix(key));
        await forEach(below, { concurrency: REMOVED_AT_ONCE }, ({ name }) => retrying(() => client.remove(name)));
      }
    },
    async makeFolder(url) {
      const { client, key } = await at(url);
      if (key === '') return;
      requirePath(url, key);
      await retrying(() =>
        client.put(folderPrefix(key), new Uint8Array(), { md5: md5(new Uint8Array()), modified: Date.now() }),
      );
    },
    async locate(url) {
      const { bucket, key } = objectAt(url);
      const root = (await endpoint?.()) ?? `${schemeOf(url)}:/`;
      return `${root}/${bucket}/${key}`.replace(/\/+$/, '');
    },
    async copyWithin(from, to, { size }) {
      const [source, target] = [await at(from), await fileAt(to)];
      if (schemeOf(from) !== schemeOf(to) || size > (target.client.mostCopied ?? MOST_COPIED)) return false;
      await retrying(() => target.client.copy(source.bucket, source.key, target.key));
      return true;
    },
  };
}

const FOLDER: Entry = { kind: 'folder', size: 0, modified: 0 };
/** What a stream of unknown length is cut into: 10 000 parts are 160 GB. */
const STREAM_PART = 16 * 2 ** 20;
const REMOVED_AT_ONCE = 16;

/**
 * The bucket and key that a URL names. `s3:///bucket/key`, with three slashes, is what OpenI's custom images send.
 *
 * @throws StorageError `E_URL` for a URL without a bucket
 * @example
 * objectAt('s3://bucket/a/b'); // { bucket: 'bucket', key: 'a/b' }
 */
export function objectAt(url: string): { readonly bucket: string; readonly key: string } {
  const [, bucket, key = ''] = /^[a-z0-9]+:\/\/\/?([^/]+)(?:\/(.*))?$/is.exec(url) ?? [];
  if (bucket === undefined)
    throw new StorageError('E_URL', `${shownUrl(url)} names no bucket: write ${schemeOf(url)}://bucket/name`);
  return { bucket, key };
}

/** No key is made that no path could have: a folder that holds one could not be copied. Such keys of others can be removed. */
function requirePath(url: string, key: string): void {
  if (!/(^|\/)(\.{0,2})\//.test(`${key.replace(/\/$/, '')}/`) || key === '') return;
  throw new StorageError(
    'E_NAME',
    `${shownUrl(url)}: a name has no empty part, and none that is . or ..; leave them out`,
  );
}

function folderPrefix(key: string): string {
  return key === '' || key.endsWith('/') ? key : `${key}/`;
}

function entryOf({ size, modified, digest, version }: ObjectInfo): Entry {
  return { kind: 'file', size, modified, digest, version };
}

async function* list(
  url: string,
  at: (url: string) => Promise<Place>,
  { recursive = true, folders = !recursive, prefix: begin = '' }: ListOptions,
): AsyncGenerator<Listed> {
  const { client, key } = await at(url);
  const prefix = folderPrefix(key);
  let found = begin !== '';
  for await (const { name, info } of keysBelow(client, prefix + begin, !recursive)) {
    found = true;
    // The folder's own empty object.
    if (name === prefix) continue;
    const below = name.slice(prefix.length);
    const isFolder = info === undefined || (name.endsWith('/') && info.size === 0);
    if (!isFolder) yield { ...entryOf(info), name: below };
    else if (folders) yield { ...FOLDER, name: below.slice(0, -1) };
  }
  if (found || key === '') return;
  const isFile = !key.endsWith('/') && (await retrying(() => client.head(key))) !== undefined;
  throw isFile
    ? new StorageError('E_NOT_FOLDER', `${shownUrl(url)} is a file: name its folder`)
    : new StorageError('E_NOT_FOUND', `${shownUrl(url)} does not exist: check its spelling`);
}

/** Objects and folders in the order of their names; page after page, the next one fetched while one is used. */
async function* keysBelow(
  client: ObjectClient,
  prefix: string,
  delimited = false,
): AsyncGenerator<{ readonly name: string; readonly info?: ObjectInfo }> {
  const fetch = (from?: string): Promise<Page> => {
    const page: Promise<Page> = retrying(() => client.page({ prefix, delimited, from }));
    // Whoever stops listing never asks for it.
    page.catch(() => {});
    return page;
  };
  for (let coming: Promise<Page> | undefined = fetch(); coming !== undefined; ) {
    const { objects, folders, next }: Page = await coming;
    coming = next === undefined ? undefined : fetch(next);
    const items = [...objects.map((info) => ({ name: info.key, info })), ...folders.map((name) => ({ name }))];
    if (folders.length > 0) items.sort((a, b) => compareNames(a.name, b.name));
    yield* items;
  }
}

/** Cuts a stream into parts of a size, the last one shorter. */
export async function* partsOf(data: AsyncIterable<Uint8Array>, partSize: number): AsyncGenerator<Uint8Array> {
  let [held, size]: [Uint8Array[], number] = [[], 0];
  for await (const chunk of data) {
    for (let at = 0; at < chunk.length; ) {
      const taken = chunk.subarray(at, at + partSize - size);
      held.push(taken);
      at += taken.length;
      size += taken.length;
      if (size === partSize) {
        yield Buffer.concat(held);
        [held, size] = [[], 0];
      }
    }
  }
  if (size > 0) yield Buffer.concat(held);
}

/**
 * The calls on one file or folder of any store. A `/` at a URL's end means a folder: where an object store has a file `a` and a folder
 * `a/`, `a` is the file.
 */
import { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import type { ByteRange, Entry } from './store.js';
import { storeFor, writableStoreFor } from './stores.js';
import { shownUrl } from './url.js';

/** What is written: a text (as UTF-8), bytes, or a stream of either. */
export type Content = string | Uint8Array | AsyncIterable<string | Uint8Array>;

/**
 * Whether a file or folder is there.
 *
 * @throws StorageError `E_DENIED`, `E_CREDENTIALS`, `E_NETWORK`, … when that cannot be told
 * @example
 * await exists('no/such/file'); // false
 */
export async function exists(url: string): Promise<boolean> {
  return (await kindOf(url)) !== undefined;
}

/**
 * Whether a folder is there. Where a file and a folder share a name, true for the name with `/` at its end.
 *
 * @throws as {@link exists}
 * @example
 * await makeDirs('out/empty');
 * await isDirectory('out/empty'); // true
 */
export async function isDirectory(url: string): Promise<boolean> {
  return (await kindOf(url)) === 'folder';
}

/**
 * What stands at a URL: its kind, size, time of change and, where the store gives one, a checksum.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_DENIED`, …
 * @example
 * await write('out/a.txt', 'seven');
 * (await stat('out/a.txt')).size; // 5
 */
export async function stat(url: string): Promise<Entry> {
  const entry = await (await storeFor(url)).stat(url);
  if (entry === undefined) throw new StorageError('E_NOT_FOUND', `${shownUrl(url)} does not exist: check its spelling`);
  return entry;
}

/**
 * How many bytes a file has, or all files below a folder together.
 *
 * @throws as {@link stat}
 * @example
 * await write('out/d/a.txt', 'seven');
 * await size('out'); // 5
 */
export async function size(url: string): Promise<number> {
  const entry = await stat(url);
  if (entry.kind === 'file') return entry.size;
  let bytes = 0;
  for await (const file of (await storeFor(url)).list(url)) bytes += file.size;
  return bytes;
}

/**
 * The content of a file, or the bytes of it from `start` up to but not including `end`; as text with `encoding`. It is held in
 * memory: `copy` takes what is larger.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FILE` for a folder, `E_RANGE`, `E_ENCODING` for bytes that are not UTF-8, …
 * @example
 * await write('out/a.txt', '七');
 * await read('out/a.txt', { encoding: 'utf8' }); // '七'
 * (await read('out/a.txt')).length; // 3
 */
export async function read(url: string, options: ByteRange & { readonly encoding: 'utf8' }): Promise<string>;
export async function read(url: string, options?: ByteRange & { readonly encoding?: undefined }): Promise<Buffer>;
export async function read(
  url: string,
  { encoding, ...range }: ByteRange & { readonly encoding?: 'utf8' | undefined } = {},
): Promise<Buffer | string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readStream(url, range)) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  if (encoding === undefined) return bytes;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (error) {
    throw new StorageError('E_ENCODING', `${shownUrl(url)} is not text in UTF-8: read it as bytes`, { cause: error });
  }
}

/**
 * The content of a file as it comes, for what is too large to hold.
 *
 * @throws as {@link read}
 * @example
 * await write('out/a.txt', 'seven');
 * for await (const chunk of readStream('out/a.txt')) chunk.length; // 5
 */
export async function* readStream(url: string, range?: ByteRange): AsyncGenerator<Uint8Array> {
  requireFile(url);
  for (const place of [range?.start, range?.end]) {
    if (place === undefined || (Number.isSafeInteger(place) && place >= 0)) continue;
    throw new StorageError('E_RANGE', `${shownUrl(url)} is read from and to whole numbers of bytes, not ${place}`);
  }
  const store = await storeFor(url);
  try {
    yield* store.read(url, range);
  } catch (error) {
    const isMissing = error instanceof StorageError && error.code === 'E_NOT_FOUND';
    if (isMissing && (await store.stat(url))?.kind === 'folder') throw isFolder(url);
    throw error;
  }
}

/**
 * Writes a file, whole or not at all, over an older one if there is one. Folders above it are made.
 *
 * @throws StorageError `E_NOT_FILE` for a folder's URL, `E_NO_SPACE`, `E_DENIED`, …, or the error of a stream
 * @example
 * await write('out/a.txt', 'seven');
 */
export async function write(url: string, content: Content): Promise<void> {
  requireFile(url);
  await (await writableStoreFor(url)).write(url, bytesOf(content));
}

/**
 * Adds to the end of a file, all of it or nothing; a file that is not there is made. Only local files and HDFS add in place. Elsewhere the
 * whole file is read and written anew: what another process adds meanwhile is lost.
 *
 * @throws as {@link write}
 * @example
 * await write('out/log.txt', 'one\n');
 * await append('out/log.txt', 'two\n');
 * await read('out/log.txt', { encoding: 'utf8' }); // 'one\ntwo\n'
 */
export async function append(url: string, content: Content): Promise<void> {
  requireFile(url);
  const store = await writableStoreFor(url);
  const entry = await store.stat(url);
  if (entry?.kind === 'folder') throw isFolder(url);
  if (entry === undefined) await store.write(url, bytesOf(content));
  else if (store.append !== undefined) await store.append(url, bytesOf(content));
  else
    await store.write(url, Readable.from(both(store.read(url, { version: entry.version }), bytesOf(content)), BYTES));
}

/**
 * Removes a file, or with `recursive` a folder and all that is in it. A link is removed, not what it leads to.
 *
 * @throws StorageError `E_NOT_FOUND`; `E_NOT_FILE` for a folder without `recursive`; `E_AMBIGUOUS` for a name that, with `recursive`, may
 * mean a file or a folder; `E_BUCKET` for a whole bucket; `E_DENIED`, …
 * @example
 * await write('out/d/a.txt', 'seven');
 * await remove('out/d', { recursive: true });
 * await exists('out/d'); // false
 */
export async function remove(
  url: string,
  { recursive = false }: { readonly recursive?: boolean | undefined } = {},
): Promise<void> {
  const store = await writableStoreFor(url);
  const { kind } = await stat(url);
  if (kind === 'folder' && !recursive) {
    throw new StorageError(
      'E_NOT_FILE',
      `${shownUrl(url)} is a folder: remove it with recursive (--recursive), or name a file in it`,
    );
  }
  if (kind === 'file' && recursive && (await kindOf(asFolder(url))) !== undefined) {
    throw new StorageError(
      'E_AMBIGUOUS',
      `${shownUrl(url)} is a file and a folder: write ${shownUrl(asFolder(url))} to remove the folder, or leave recursive out to remove the file`,
    );
  }
  await store.remove(kind === 'folder' ? asFolder(url) : url);
}

/**
 * Makes a folder and those above it; one that is there is fine. In an object store that is an empty object whose key ends in `/`.
 *
 * @throws StorageError `E_NOT_FOLDER` where a file has that name, `E_DENIED`, …
 * @example
 * await makeDirs('out/a/b');
 */
export async function makeDirs(url: string): Promise<void> {
  const store = await writableStoreFor(url);
  const entry = await store.stat(url);
  if (entry?.kind === 'file') throw new StorageError('E_NOT_FOLDER', `${shownUrl(url)} is a file: choose another name`);
  if (entry === undefined) await store.makeFolder(url);
}

/** A folder's URL with the `/` that says so. */
export function asFolder(url: string): string {
  return url.endsWith('/') ? url : `${url}/`;
}

/**
 * The error for a folder where a file is wanted.
 *
 * @param name of the file in it that may be meant
 */
export function isFolder(url: string, name = '…'): StorageError {
  return new StorageError(
    'E_NOT_FILE',
    `${shownUrl(url)} is a folder: name the file in it, ${shownUrl(asFolder(url))}${name}`,
  );
}

/** What stands at a URL; a name below a file, or in a bucket that does not exist, is nothing too. */
async function kindOf(url: string): Promise<Entry['kind'] | 'device' | undefined> {
  try {
    return (await (await storeFor(url)).stat(url))?.kind;
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    if (error.code === 'E_NOT_FILE') return 'device';
    if (error.code === 'E_NOT_FOLDER' || error.code === 'E_BUCKET') return undefined;
    throw error;
  }
}

function requireFile(url: string): void {
  if (url.endsWith('/')) throw isFolder(url);
}

const BYTES = { objectMode: false };

function bytesOf(content: Content): Uint8Array | Readable {
  if (typeof content === 'string') return Buffer.from(content);
  return content instanceof Uint8Array ? content : Readable.from(both(content), BYTES);
}

async function* both(
  ...contents: readonly (Uint8Array | AsyncIterable<string | Uint8Array>)[]
): AsyncGenerator<Uint8Array> {
  for (const content of contents) {
    if (content instanceof Uint8Array) yield content;
    else for await (const chunk of content) yield typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
  }
}

/** The stores by scheme. Each is loaded when its scheme is first met, so that nobody loads a client unused. */
import { StorageError } from '../base/errors.js';
import { readOnly } from './failure.js';
import { localPath } from './local.js';
import type { Store } from './store.js';
import { schemeOf, shownUrl } from './url.js';

const STORES: ReadonlyMap<string, () => Promise<Store>> = new Map<string, () => Promise<Store>>([
  ['file', async () => (await import('./local.js')).localStore],
  ['s3', async () => (await import('./s3.js')).s3Store],
  ['obs', async () => (await import('./s3.js')).obsStore],
  ['oss', async () => (await import('./oss.js')).ossStore],
  ...['hdfs', 'webhdfs', 'swebhdfs'].map(
    (scheme) => [scheme, async () => (await import('./hdfs.js')).hdfsStore] as const,
  ),
  ...['http', 'https'].map((scheme) => [scheme, async () => (await import('./http.js')).httpStore] as const),
]);

/**
 * The store for a URL, by its scheme; a plain path is a local file.
 *
 * @throws StorageError `E_SCHEME` for a scheme that no store serves
 * @example
 * const store = await storeFor('data/train');
 * await store.stat('data/train'); // undefined
 */
export async function storeFor(url: string): Promise<Store> {
  const scheme = schemeOf(url);
  const load = STORES.get(scheme);
  if (load === undefined) {
    const available = [...STORES.keys()].map((name) => `${name}://`).join(', ');
    throw new StorageError(
      'E_SCHEME',
      `no store for ${scheme}:// (${shownUrl(url)}): use ${available} or a plain path`,
    );
  }
  return load();
}

/**
 * As {@link storeFor}, for a URL that shall be written to or removed.
 *
 * @throws StorageError `E_SCHEME`; `E_READ_ONLY` for a web server's
 */
export async function writableStoreFor(url: string): Promise<Store> {
  const store = await storeFor(url);
  if (store.isReadOnly) throw readOnly(url);
  return store;
}

/** The absolute path of a local file or folder; undefined when the URL is of another store. */
export function localPathOf(url: string): string | undefined {
  return schemeOf(url) === 'file' ? localPath(url) : undefined;
}

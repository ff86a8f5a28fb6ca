/** Files by their names in a folder at any URL. */
import { rmSync } from 'node:fs';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import { StorageError } from '../../base/errors.js';
import { isPartial } from '../../base/files.js';
import { storageFailure } from '../../storage/failure.js';
import { localPath } from '../../storage/local.js';
import type { Store } from '../../storage/store.js';
import { writableStoreFor } from '../../storage/stores.js';
import { joinUrl, schemeOf, shownUrl } from '../../storage/url.js';
import { namesIn as namesHere, readSmall, SMALL_BYTES, writeSmall } from './local-files.js';
import type { Pace } from './pace.js';
import { Patience } from './patience.js';

/** The files of a folder by their names. Every call waits for a store that fails for a while, see {@link Pace.patienceMs}. */
export interface Files {
  readonly url: string;
  readonly pace: Pace;
  /** Undefined where there is nothing. */
  read(name: string): Promise<Buffer | undefined>;
  write(name: string, bytes: Uint8Array): Promise<void>;
  has(name: string): Promise<boolean>;
  /** Nothing there is fine. */
  remove(name: string): Promise<void>;
  /** The names of the files directly in a folder; those of folders too, for the folder itself, `''`. */
  list(folder: string): Promise<readonly string[]>;
}

/**
 * The files of a folder; nothing is written yet.
 *
 * @throws StorageError for a URL of no store
 */
export async function filesAt(url: string, pace: Pace): Promise<Files> {
  const store = await writableStoreFor(url);
  const at = (name: string): string => (name === '' ? url : joinUrl(url, name));
  const own = schemeOf(url) === 'file' ? here(at, inStore(store, at)) : inStore(store, at);
  const patience = new Patience(shownUrl(url), pace);
  return {
    url,
    pace,
    read: (name) => patience.with(() => own.read(name)),
    write: (name, bytes) => patience.with(() => own.write(name, bytes)),
    has: (name) => patience.with(async () => (await store.stat(at(name)))?.kind === 'file'),
    remove: (name) => patience.with(() => own.remove(name)),
    list: (name) => patience.with(() => own.list(name)),
  };
}

type ByName = Pick<Files, 'read' | 'write' | 'remove' | 'list'>;

function inStore(store: Store, at: (name: string) => string): ByName {
  return {
    async read(name) {
      try {
        return await buffer(store.read(at(name)));
      } catch (error) {
        if (error instanceof StorageError && error.code === 'E_NOT_FOUND') return undefined;
        throw error;
      }
    },
    write: (name, bytes) => store.write(at(name), bytes),
    remove: (name) => store.remove(at(name)),
    list: (name) => namesIn(store, at(name), { folders: name === '' }),
  };
}

/** On this machine; what is large is left to the store. */
function here(at: (name: string) => string, large: ByName): ByName {
  async function told<T>(doing: 'read' | 'write', name: string, action: (path: string) => T | Promise<T>): Promise<T> {
    // Others' turn: who looks again and again must not keep this process from its signs of life.
    await turn();
    try {
      return await action(localPath(at(name)));
    } catch (error) {
      throw storageFailure(doing, at(name), error);
    }
  }
  return {
    async read(name) {
      const bytes = await told('read', name, readSmall);
      return bytes === 'large' ? large.read(name) : bytes;
    },
    async write(name, bytes) {
      if (bytes.length > SMALL_BYTES) return large.write(name, bytes);
      await told('write', name, (path) => writeSmall(path, bytes, localPath(at(''))));
    },
    remove: (name) => told('write', name, (path) => rmSync(path, { recursive: true, force: true })),
    list: (name) => told('read', name, (path) => namesHere(path, { folders: name === '' })),
  };
}

async function namesIn(
  store: Store,
  url: string,
  { folders }: { readonly folders: boolean },
): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name, kind } of store.list(`${url}/`, { recursive: false })) {
      if (!isPartial(name) && (folders || kind === 'file')) names.push(name);
    }
  } catch (error) {
    if (error instanceof StorageError && error.code === 'E_NOT_FOUND') return [];
    throw error;
  }
  return names;
}

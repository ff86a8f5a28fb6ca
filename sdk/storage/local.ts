/** The store of this machine: `file://` URLs and plain paths. */
import { createReadStream, type Stats } from 'node:fs';
import { open, opendir, realpath, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StorageError, systemCode } from '../base/errors.js';
import { isPartial, replaceFile } from '../base/files.js';
import { storageFailure } from './failure.js';
import type { Entry, ListedFile, Store } from './store.js';

/**
 * Files of this machine. Links to files and folders are followed; leftovers of killed writers are not listed.
 *
 * @example
 * await localStore.write('out/note.txt', Buffer.from('done'));
 * (await localStore.stat('out/note.txt'))?.size; // 4
 */
export const localStore: Store = {
  async stat(url) {
    const path = localPath(url);
    try {
      return entryOf(path, await stat(path));
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw storageFailure('read', url, error);
    }
  },
  list(url) {
    return walk(localPath(url), '', []);
  },
  read(url, { start = 0, end = Number.POSITIVE_INFINITY } = {}) {
    return Readable.from(chunks(url, start, end), { objectMode: false });
  },
  async write(url, data, { modified } = {}) {
    try {
      await replaceFile(localPath(url), async (partial) => {
        const file = await open(partial, 'wx');
        try {
          await writeFile(file, data);
          if (modified !== undefined) await file.utimes(modified / 1000, modified / 1000);
          await file.sync();
        } finally {
          await file.close();
        }
      });
    } catch (error) {
      throw storageFailure('write', url, error);
    }
  },
  async remove(url) {
    try {
      await rm(localPath(url), { recursive: true, force: true });
    } catch (error) {
      throw storageFailure('write', url, error);
    }
  },
  async locate(url) {
    try {
      return `file://${(await realPath(localPath(url))).replace(/\/$/, '')}`;
    } catch (error) {
      throw storageFailure('read', url, error);
    }
  },
};

/**
 * The absolute path that a plain path or a `file://` URL means.
 *
 * @throws StorageError `E_URL` for a URL of another machine or with a NUL
 * @example
 * localPath('file:///data/a%20b'); // '/data/a b'
 */
export function localPath(url: string): string {
  try {
    const path = resolve(/^file:\/\//i.test(url) ? fileURLToPath(url) : url);
    if (!path.includes('\0')) return path;
  } catch (error) {
    throw new StorageError('E_URL', `${url} does not name a file of this machine: write file:///folder/name`, {
      cause: error,
    });
  }
  throw new StorageError('E_URL', `${JSON.stringify(url)} holds a NUL, which no path may`);
}

function entryOf(path: string, info: Stats): Entry {
  if (!info.isFile() && !info.isDirectory()) {
    throw new StorageError(
      'E_NOT_FILE',
      `${path} is neither a file nor a folder but a device, pipe or socket: remove it`,
    );
  }
  const kind = info.isFile() ? 'file' : 'folder';
  return { kind, size: info.isFile() ? info.size : 0, modified: Math.round(info.mtimeMs) };
}

/** `above` are the real paths of the folders on the way here: to meet one again is a circle. */
async function* walk(folder: string, prefix: string, above: readonly string[]): AsyncGenerator<ListedFile> {
  try {
    const here = await realpath(folder);
    if (above.includes(here)) {
      throw new StorageError('E_LINK', `${folder} is a link to a folder that it lies in, ${here}: remove the link`);
    }
    for await (const { name } of await opendir(folder)) {
      if (isPartial(name)) continue;
      const path = join(folder, name);
      const { kind, size, modified } = await statListed(path);
      if (kind === 'file') yield { name: prefix + name, size, modified };
      else yield* walk(path, `${prefix}${name}/`, [...above, here]);
    }
  } catch (error) {
    throw storageFailure('read', folder, error);
  }
}

async function statListed(path: string): Promise<Entry> {
  try {
    return entryOf(path, await stat(path));
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw storageFailure('read', path, error);
    throw new StorageError(
      'E_LINK',
      `${path} is a link to nothing, or went away while it was listed: remove or mend it`,
      {
        cause: error,
      },
    );
  }
}

async function* chunks(url: string, start: number, end: number): AsyncGenerator<Buffer> {
  if (start >= end) return;
  try {
    // Node counts the last byte in; a range here does not.
    yield* createReadStream(localPath(url), { start, end: end - 1 });
  } catch (error) {
    throw storageFailure('read', url, error);
  }
}

/** As realpath, also for a path whose end does not exist yet. */
async function realPath(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await realPath(dirname(path)), basename(path));
  }
}

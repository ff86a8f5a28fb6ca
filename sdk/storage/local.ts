/** The store of this machine: `file://` URLs and plain paths. */
import { constants, createReadStream, type Stats } from 'node:fs';
import {
  copyFile,
  type FileHandle,
  open,
  opendir,
  realpath,
  rename,
  rm,
  stat,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StorageError, systemCode } from '../base/errors.js';
import { exists, isPartial, makeFolder, partialName, replaceFile } from '../base/files.js';
import { shrank, storageFailure } from './failure.js';
import { appendWhole } from './local-append.js';
import { localUpload } from './local-upload.js';
import { compareNames } from './names.js';
import { PassingFailure } from './retry.js';
import type { ByteRange, Entry, Listed, Store } from './store.js';

/**
 * Files of this machine. Links to files and folders are followed; leftovers of killed writers are not listed.
 *
 * @example
 * await localStore.write('out/note.txt', Buffer.from('done'));
 * (await localStore.stat('out/note.txt'))?.size; // 4
 */
export const localStore: Store = {
  keepsTimes: true,
  async stat(url) {
    const path = localPath(url);
    try {
      const entry = entryOf(path, await stat(path));
      return entry.kind === 'file' && url.endsWith('/') ? undefined : entry;
    } catch (error) {
      if (systemCode(error) === 'ENOENT') return undefined;
      throw storageFailure('read', url, error);
    }
  },
  list(url, { recursive = true, folders = !recursive, prefix = '' } = {}) {
    return walk(localPath(url), '', { recursive, folders, prefix, above: [] });
  },
  read(url, range) {
    return Readable.from(chunks(url, range), { objectMode: false });
  },
  async readInto(url, buffer, { start = 0, version }) {
    try {
      const file = await openVersion(localPath(url), version);
      try {
        for (let filled = 0; filled < buffer.length; ) {
          const { bytesRead } = await file.read(buffer, filled, buffer.length - filled, start + filled);
          if (bytesRead === 0) return filled;
          filled += bytesRead;
        }
        return buffer.length;
      } finally {
        await file.close();
      }
    } catch (error) {
      throw storageFailure('read', url, error);
    }
  },
  async write(url, data, { modified } = {}) {
    // Else a file would take the place of /dev/null.
    await localStore.stat(url);
    await replace(url, async (partial) => {
      const file = await open(partial, 'wx');
      try {
        await writeFile(file, data);
        if (modified !== undefined) await file.utimes(modified / 1000, modified / 1000);
      } finally {
        await file.close();
      }
    });
  },
  async upload(url, plan) {
    const upload = await told(url, () => localUpload(localPath(url), plan));
    return {
      ...upload,
      write: (part, offset, data) => told(url, async () => upload.write?.(part, offset, data)),
      put: (part, data, options) => told(url, () => upload.put(part, data, options)),
      finish: () => told(url, () => upload.finish()),
      abandon: () => told(url, () => upload.abandon()),
      leave: () => told(url, () => upload.leave()),
    };
  },
  remove: (url) =>
    told(url, async () => {
      const path = localPath(url);
      if (dirname(path) === path) throw new StorageError('E_DENIED', `${path} is all there is: name a folder in it`);
      if (`${process.cwd()}/`.startsWith(`${path}/`))
        throw new StorageError('E_DENIED', `${path} is where this command works: go elsewhere to remove it`);
      await rm(path, { recursive: true, force: true });
    }),
  makeFolder: (url) => told(url, () => makeFolder(localPath(url))),
  async locate(url) {
    try {
      return `file://${(await realPath(localPath(url))).replace(/\/$/, '')}`;
    } catch (error) {
      throw storageFailure('read', url, error);
    }
  },
  async foldsCase(url) {
    try {
      const probe = partialName(join(await nearestFolder(localPath(url)), 'case'));
      await writeFile(probe, '');
      try {
        return await exists(join(dirname(probe), basename(probe).toUpperCase()));
      } finally {
        await rm(probe);
      }
    } catch (error) {
      throw storageFailure('write', url, error);
    }
  },
  async copyWithin(from, to, { size, modified }) {
    await replace(to, async (partial) => {
      // The system copies, or where the file system can, both share their blocks until one is changed.
      await copyFile(localPath(from), partial, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
      const copied = (await stat(partial)).size;
      if (copied < size) throw shrank(from, size, copied);
      // A log that grew meanwhile is copied up to where it ended.
      if (copied > size) await truncate(partial, size);
      await utimes(partial, modified / 1000, modified / 1000);
    });
    return true;
  },
  append: (url, data) => told(url, () => appendWhole(localPath(url), data)),
  async rename(from, to) {
    try {
      await makeFolder(dirname(localPath(to)));
      await rename(localPath(from), localPath(to));
      return true;
    } catch (error) {
      if (systemCode(error) === 'EXDEV') return false;
      throw storageFailure('write', to, error);
    }
  },
};

/** System errors become errors for people. */
async function told<T>(url: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    throw storageFailure('write', url, error);
  }
}

/** Copied files are not flushed one by one: a copy that a power cut tore has another size than its source, and is made again. */
function replace(url: string, fill: (partial: string) => Promise<void>): Promise<void> {
  return told(url, () => replaceFile(localPath(url), fill, { flush: false }));
}

/**
 * The absolute path that a plain path or a `file://` URL means.
 *
 * @throws StorageError `E_URL` for a URL of another machine, with a NUL, or empty
 * @example
 * localPath('file:///data/a%20b'); // '/data/a b'
 */
export function localPath(url: string): string {
  // Node takes it for the folder where the process works; most likely it is a variable that nobody set.
  if (url === '') throw new StorageError('E_URL', 'an empty path names no file: write . for the folder you are in');
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

/** A file's version is its inode: a file that is replaced meanwhile is another one, a log that grows is not. */
function entryOf(path: string, info: Stats): Entry {
  if (!info.isFile() && !info.isDirectory()) {
    throw new StorageError(
      'E_NOT_FILE',
      `${path} is neither a file nor a folder but a device, pipe or socket: remove it`,
    );
  }
  const modified = Math.round(info.mtimeMs);
  if (info.isDirectory()) return { kind: 'folder', size: 0, modified };
  return { kind: 'file', size: info.size, modified, version: String(info.ino) };
}

interface Walk {
  readonly recursive: boolean;
  readonly folders: boolean;
  /** What names in the topmost folder begin with. */
  readonly prefix: string;
  /** The real paths of the folders on the way here: to meet one again is a circle. */
  readonly above: readonly string[];
}

async function* walk(folder: string, parents: string, options: Walk): AsyncGenerator<Listed> {
  const { recursive, folders, above } = options;
  try {
    const here = await realpath(folder);
    if (above.includes(here)) {
      throw new StorageError('E_LINK', `${folder} is a link to a folder that it lies in, ${here}: remove the link`);
    }
    const names = await sortedNames(folder, options);
    for (let at = 0; at < names.length; at += AT_ONCE) {
      const items = names.slice(at, at + AT_ONCE).map((name) => name.replace(/\/$/, ''));
      const entries = await Promise.all(items.map((name) => statListed(join(folder, name), folders)));
      for (const [i, entry] of entries.entries()) {
        if (entry === undefined) continue;
        const name = parents + items[i];
        if (entry.kind === 'file' || folders) yield { ...entry, name };
        if (entry.kind === 'folder' && recursive)
          yield* walk(join(folder, items[i]), `${name}/`, { ...options, prefix: '', above: [...above, here] });
      }
    }
  } catch (error) {
    throw storageFailure('read', folder, error);
  }
}

/** Files looked at side by side. */
const AT_ONCE = 64;

/** What is in a folder, folders as `name/`, in the order that a {@link Store} promises. */
async function sortedNames(folder: string, { folders, prefix }: Walk): Promise<string[]> {
  const names: string[] = [];
  for await (const item of await opendir(folder)) {
    if (isPartial(item.name) || !item.name.startsWith(prefix)) continue;
    const isFolder =
      item.isDirectory() || (!item.isFile() && (await statListed(join(folder, item.name), folders))?.kind === 'folder');
    names.push(isFolder ? `${item.name}/` : item.name);
  }
  return names.sort(compareNames);
}

/**
 * A listing without folders is of what is to be copied: what cannot be is an error. Others pass over what is neither a file nor a folder,
 * links to nothing among it.
 */
async function statListed(path: string, passesOver: boolean): Promise<Entry | undefined> {
  try {
    const info = await stat(path);
    return passesOver && !info.isFile() && !info.isDirectory() ? undefined : entryOf(path, info);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw storageFailure('read', path, error);
    if (passesOver) return undefined;
    throw new StorageError(
      'E_LINK',
      `${path} is a link to nothing, or went away while it was listed: remove or mend it`,
      {
        cause: error,
      },
    );
  }
}

async function* chunks(
  url: string,
  { start = 0, end = Number.POSITIVE_INFINITY, version }: ByteRange = {},
): AsyncGenerator<Buffer> {
  if (start >= end) return;
  const path = localPath(url);
  try {
    const file = await openVersion(path, version);
    // Node counts the last byte in; a range here does not.
    yield* createReadStream(path, { fd: file, start, end: end - 1, highWaterMark: 1 << 18 });
  } catch (error) {
    throw storageFailure('read', url, error);
  }
}

/** @throws PassingFailure `E_CHANGED` when the file is another one meanwhile */
async function openVersion(path: string, version: string | undefined): Promise<FileHandle> {
  const file = await open(path);
  if (version === undefined || String((await file.stat()).ino) === version) return file;
  await file.close();
  throw new PassingFailure('E_CHANGED', `${path} was replaced while it was read: read it again`);
}

/** The folder itself, or the one nearest above it that exists. */
async function nearestFolder(path: string): Promise<string> {
  return (await exists(path)) || dirname(path) === path ? path : nearestFolder(dirname(path));
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

/** Files that are whole or absent: written beside their place, flushed, then renamed. */
import { createHash, randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { StorageError, systemCode, systemReason } from './errors.js';

/** What a file is called until it is whole: `.name.1a2b3c4d.partial`, in the same folder. */
export function partialName(path: string): string {
  return join(dirname(path), `${partialPrefix(path)}${randomBytes(4).toString('hex')}.partial`);
}

/** What every {@link partialName} of a path begins with, its folder aside. */
export function partialPrefix(path: string): string {
  const name = basename(path);
  if (Buffer.byteLength(name) <= 200) return `.${name}.`;
  // A name may have 255 bytes; 40 characters are at most 160.
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8);
  return `.${[...name].slice(0, 40).join('')}~${hash}.`;
}

/** Whether a file name is one that {@link partialName} made: the leftover of a killed process. */
export function isPartial(name: string): boolean {
  return /^\..*\.[0-9a-f]{8}\.partial$/.test(basename(name));
}

/**
 * Writes a file so that a reader, or a crash, sees the old content or the new and never a part.
 * Missing folders are made.
 *
 * @throws StorageError `E_WRITE` when the disk is full, the folder cannot be written, …; the old file stays
 */
export async function writeFileAtomic(path: string, data: string | Uint8Array): Promise<void> {
  await replaceFile(path, async (partial) => {
    const file = await open(partial, 'wx');
    try {
      await file.writeFile(data);
      await file.sync();
    } finally {
      await file.close();
    }
  });
}

/**
 * Lets `fill` write `partial` and, when it has returned, renames it to `path`; when it throws, removes it.
 *
 * @param options flush: whether to wait until the renaming is on the disk; default true
 * @throws StorageError `E_WRITE` for a system error; other errors pass through
 */
export async function replaceFile(
  path: string,
  fill: (partial: string) => Promise<void>,
  { flush = true }: { readonly flush?: boolean } = {},
): Promise<void> {
  const partial = partialName(path);
  try {
    await makeFolder(dirname(path));
    await fill(partial);
    await rename(partial, path);
    if (flush) await syncFolder(dirname(path));
  } catch (error) {
    await rm(partial, { force: true }).catch(ignoreMissingFolder);
    if (error instanceof Error && 'syscall' in error) {
      throw new StorageError('E_WRITE', `cannot write ${path}: ${systemReason(error)}`, { cause: error });
    }
    throw error;
  }
}

/**
 * Makes a folder and those above it that are missing. Node's own recursive `mkdir` never ends where the system lets no
 * folder be made and says that the parent is missing, as /proc does.
 *
 * @throws Node's system errors
 */
export async function makeFolder(path: string): Promise<void> {
  try {
    await makeOneFolder(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    // Another writer may have made the parent since: then one more try tells.
    if (!(await exists(dirname(path)))) await makeFolder(dirname(path));
    await makeOneFolder(path);
  }
}

async function makeOneFolder(path: string): Promise<void> {
  try {
    await mkdir(path);
  } catch (error) {
    const isThere = systemCode(error) === 'EEXIST' && (await stat(path)).isDirectory();
    if (!isThere) throw error;
  }
}

/**
 * Opens a regular file to read; a pipe or a device, which may never end, is refused without waiting for it.
 *
 * @throws Node's system errors, and one with the code `ENOTREG`
 */
export async function openRegular(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    requireRegular(path, await file.stat());
    return file;
  } catch (error) {
    await file.close();
    throw error;
  }
}

/**
 * @throws an error like Node's for what is no regular file, with the code `EISDIR` or `ENOTREG`
 */
export function requireRegular(path: string, found: Pick<Stats, 'isFile' | 'isDirectory'>): void {
  if (found.isFile()) return;
  const code = found.isDirectory() ? 'EISDIR' : 'ENOTREG';
  throw Object.assign(new Error(`${code}: open '${path}'`), { code, syscall: 'open' });
}

/** The content of a regular file, see {@link openRegular}. */
export async function readRegular(path: string): Promise<Buffer> {
  const file = await openRegular(path);
  try {
    return await file.readFile();
  } finally {
    await file.close();
  }
}

/** Whether something stands at a path. */
export async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Makes a rename in this folder survive a power cut. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** A partial file below something that is no folder was never made. */
function ignoreMissingFolder(error: unknown): void {
  if (systemCode(error) !== 'ENOTDIR') throw error;
}

/** Copies between any two stores: streamed, verified by size, whole or not at all. */
import { Readable } from 'node:stream';
import { StorageError } from '../base/errors.js';
import { isPartial } from '../base/files.js';
import { type Entry, joinUrl, type ListedFile, type Store, shownUrl } from './store.js';
import { storeFor } from './stores.js';

/** How far a copy is, or what it did. */
export interface CopyProgress {
  /** Files copied whole. */
  readonly files: number;
  /** Files left alone because the destination has them already. */
  readonly skipped: number;
  /** Bytes copied, those of files under way included. */
  readonly bytes: number;
}

export interface CopyFolderOptions {
  /** Files under way at once; default 8. */
  readonly concurrency?: number | undefined;
  /** Leaves alone what has the same size and modification time at the destination; default false. */
  readonly onlyChanged?: boolean | undefined;
  /** Called after every chunk and every file. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
}

/**
 * Copies a file with its modification time and returns its bytes.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FILE`, `E_SIZE` (it shrank meanwhile), `E_NO_SPACE`, …;
 * an older file at the destination then stays as it was
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await copyFile('in/a.txt', 'copies/a.txt'); // 5
 */
export async function copyFile(source: string, destination: string): Promise<number> {
  const [from, to] = await Promise.all([storeFor(source), storeFor(destination)]);
  const entry = await existing(from, source);
  if (entry.kind === 'folder')
    throw new StorageError('E_NOT_FILE', `${shownUrl(source)} is a folder: name a file in it`);
  await copyWhole({ store: from, url: source }, { store: to, url: destination }, entry, () => {});
  return entry.size;
}

/**
 * Copies all files of a folder, leftovers of killed writers excepted, over those that the destination has
 * already; other files there stay. Links are followed. Every file appears whole or not at all; when one
 * fails, those under way are finished, no further one is begun, and the first error is thrown.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_EMPTY`, `E_NOT_FOLDER`, `E_INTO_ITSELF`, `E_LINK` (a link to nothing
 * or in a circle), `E_SIZE`, `E_NO_SPACE`, `E_DENIED`, …
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await copyFolder('in', 'copies'); // { files: 1, skipped: 0, bytes: 5 }
 * await copyFolder('in', 'copies', { onlyChanged: true }); // { files: 0, skipped: 1, bytes: 0 }
 */
export async function copyFolder(
  source: string,
  destination: string,
  { concurrency = 8, onlyChanged = false, onProgress }: CopyFolderOptions = {},
): Promise<CopyProgress> {
  const [from, to] = await Promise.all([storeFor(source), storeFor(destination)]);
  const entry = await existing(from, source);
  if (entry.kind === 'file') throw new StorageError('E_NOT_FOLDER', `${shownUrl(source)} is a file: name its folder`);
  const isForbidden = await intoItself({ store: from, url: source }, { store: to, url: destination });

  let [files, skipped, bytes] = [0, 0, 0];
  async function copyListed(file: ListedFile): Promise<void> {
    const target = { store: to, url: joinUrl(destination, file.name) };
    if (onlyChanged && isSame(file, await to.stat(target.url))) {
      skipped++;
    } else {
      await copyWhole({ store: from, url: joinUrl(source, file.name) }, target, file, (chunk) => {
        bytes += chunk;
        onProgress?.({ files, skipped, bytes });
      });
      files++;
    }
    onProgress?.({ files, skipped, bytes });
  }
  await forEach(wanted(from, source, isForbidden), concurrency, copyListed);
  if (files + skipped === 0)
    throw new StorageError('E_EMPTY', `${shownUrl(source)} holds no files: check that it is the right folder`);
  return { files, skipped, bytes };
}

interface Place {
  readonly store: Store;
  readonly url: string;
}

async function existing(store: Store, url: string): Promise<Entry> {
  const entry = await store.stat(url);
  if (entry === undefined) throw new StorageError('E_NOT_FOUND', `${shownUrl(url)} does not exist: check its spelling`);
  return entry;
}

async function copyWhole(
  from: Place,
  to: Place,
  { size, modified }: { readonly size: number; readonly modified: number },
  onChunk: (bytes: number) => void,
): Promise<void> {
  // A log that grows meanwhile is copied up to where it ended; one that shrinks is an error.
  const input = from.store.read(from.url, { end: size });
  async function* verified(): AsyncGenerator<Buffer> {
    let bytes = 0;
    for await (const chunk of input) {
      bytes += chunk.length;
      yield chunk;
      onChunk(chunk.length);
    }
    if (bytes !== size) {
      throw new StorageError(
        'E_SIZE',
        `${shownUrl(from.url)} shrank from ${size} to ${bytes} bytes while it was copied: copy it again`,
      );
    }
  }
  try {
    await to.store.write(to.url, Readable.from(verified()), { modified });
  } finally {
    input.destroy();
  }
  const written = await to.store.stat(to.url);
  if (written?.size !== size) {
    await to.store.remove(to.url);
    throw new StorageError(
      'E_SIZE',
      `${shownUrl(to.url)} has ${written?.size ?? 'no'} bytes instead of ${size}: copy it again`,
    );
  }
}

function isSame(file: ListedFile, entry: Entry | undefined): boolean {
  return entry?.kind === 'file' && entry.size === file.size && entry.modified === file.modified;
}

/** The files to copy: no leftovers, and nothing from inside the destination, where a link may lead. */
async function* wanted(
  store: Store,
  source: string,
  isForbidden: (folder: string) => Promise<boolean>,
): AsyncGenerator<ListedFile> {
  let checked = '';
  for await (const file of store.list(source)) {
    const parts = file.name.split('/');
    if (parts.some(isPartial)) continue;
    const folder = parts.slice(0, -1).join('/');
    if (folder !== '' && folder !== checked && (await isForbidden(joinUrl(source, folder)))) {
      throw new StorageError(
        'E_INTO_ITSELF',
        `${shownUrl(joinUrl(source, folder))} leads into the destination: remove that link`,
      );
    }
    checked = folder;
    yield file;
  }
}

/** Refuses a destination in the source; returns whether a folder of the source lies in the destination. */
async function intoItself(from: Place, to: Place): Promise<(folder: string) => Promise<boolean>> {
  const [source, destination] = await Promise.all([from.store.locate(from.url), to.store.locate(to.url)]);
  if (isWithin(destination, source)) {
    throw new StorageError(
      'E_INTO_ITSELF',
      `${shownUrl(from.url)} cannot be copied into itself (${shownUrl(to.url)}): choose a destination outside it`,
    );
  }
  if (isWithin(source, destination)) return async () => false;
  return async (folder) => isWithin(await from.store.locate(folder), destination);
}

function isWithin(inner: string, outer: string): boolean {
  return `${inner}/`.startsWith(`${outer}/`);
}

/** Runs `action` on every item, `concurrency` at once; after a failure begins no more, then throws the first. */
async function forEach<T>(
  items: AsyncGenerator<T>,
  concurrency: number,
  action: (item: T) => Promise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  async function work(): Promise<void> {
    try {
      for (let next = await items.next(); !next.done && failures.length === 0; next = await items.next()) {
        await action(next.value);
      }
    } catch (error) {
      failures.push(error);
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, concurrency) }, work));
  await items.return(undefined);
  if (failures.length > 0) throw failures[0];
}

/** Whether two URLs name one place. */
export async function isSamePlace(a: string, b: string): Promise<boolean> {
  return (await (await storeFor(a)).locate(a)) === (await (await storeFor(b)).locate(b));
}

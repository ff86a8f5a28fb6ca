/** Copies between any two stores: verified, whole or not at all, and only what is missing. */
import { StorageError } from '../base/errors.js';
import { isPartial } from '../base/files.js';
import { asFolder, isFolder } from './calls.js';
import { requireCounts } from './counts.js';
import { forEach } from './for-each.js';
import { compareNames } from './names.js';
import { isSame } from './same.js';
import type { Entry, Listed } from './store.js';
import { storeFor, writableStoreFor } from './stores.js';
import { type Place, transfer } from './transfer.js';
import { isBelow, joinUrl, nameOf, schemeOf, shownUrl } from './url.js';

/** How far a copy is, or what it did. */
export interface CopyProgress {
  /** Files copied whole. */
  readonly files: number;
  /** Files left alone because the destination has them already. */
  readonly skipped: number;
  /** Bytes that were moved, those of files under way included. */
  readonly bytes: number;
  /** Bytes that the destination had already: of files left alone, and of parts that an earlier, killed copy had moved. */
  readonly present: number;
}

export interface CopyOptions {
  /** Called after every file and every part of a large one. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /**
   * Bytes of a part of a large file, and the most that a file may have to be copied at one stroke; default 8 MiB. At least 64 KiB;
   * larger where a store demands it (S3: 5 MiB), and for files of more than 10 000 parts.
   */
  readonly partSize?: number | undefined;
  /** Stops the copy, which then throws the signal's reason: files that are whole stay, what was begun is given up. */
  readonly signal?: AbortSignal | undefined;
}

export interface CopyParallelOptions extends CopyOptions {
  /** Files under way at once; default 16. */
  readonly concurrency?: number | undefined;
  /** Copies also what the destination has already; default false. */
  readonly overwrite?: boolean | undefined;
  /** Only these files, by their names below the folder; default all. */
  readonly files?: readonly string[] | undefined;
  /** Removes from the destination, when all is copied, the files that the source does not have; default false. Not with `files`. */
  readonly mirror?: boolean | undefined;
}

/**
 * Copies a file with its modification time and returns its bytes. What a killed copy of a large file left is gone on with.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FILE`, `E_SIZE` (it shrank meanwhile), `E_NO_SPACE`, `E_OPTION`, …; the reason of `signal`;
 * an older file at the destination then stays as it was
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await copy('in/a.txt', 'copies/a.txt'); // 5
 */
export async function copy(
  source: string,
  destination: string,
  { onProgress, partSize, signal }: CopyOptions = {},
): Promise<number> {
  requireCounts({ partSize });
  const from: Place = { store: await storeFor(source), url: source };
  const to: Place = { store: await writableStoreFor(destination), url: destination };
  const entry = await existing(from);
  if (entry.kind === 'folder') {
    throw new StorageError(
      'E_NOT_FILE',
      `${shownUrl(source)} is a folder: copy it with copyParallel (as a command copy_parallel, or copy --recursive), or name a file in it`,
    );
  }
  const there = await to.store.stat(destination);
  if (destination.endsWith('/') || there?.kind === 'folder') throw isFolder(destination, nameOf(source));
  if ((await from.store.locate(source)) === (await to.store.locate(destination))) return entry.size;
  let [bytes, present] = [0, 0];
  const onBytes = (count: number, moved: boolean): void => {
    if (moved) bytes += count;
    else present += count;
    onProgress?.({ files: 0, skipped: 0, bytes, present });
  };
  await transfer(from, to, entry, { onBytes, partSize, signal });
  onProgress?.({ files: 1, skipped: 0, bytes, present });
  return entry.size;
}

/**
 * Copies all files of a folder, leftovers of killed writers excepted, into another one; other files there stay, and what is
 * there already is left alone, so that a copy that was stopped goes on. Links are followed. Every file appears whole or not at
 * all; when one fails, those under way are finished, no further one is begun, and the first error is thrown.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_EMPTY`, `E_NOT_FOLDER`, `E_INTO_ITSELF`, `E_LINK` (a link to nothing
 * or in a circle), `E_CASE` (two names that the destination takes for one), `E_SIZE`, `E_NO_SPACE`, `E_DENIED`, `E_OPTION`, …; the reason of `signal`
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await copyParallel('in', 'copies'); // { files: 1, skipped: 0, bytes: 5, present: 0 }
 * await copyParallel('in', 'copies'); // { files: 0, skipped: 1, bytes: 0, present: 5 }
 */
export async function copyParallel(
  source: string,
  destination: string,
  {
    concurrency = 16,
    overwrite = false,
    files: only,
    mirror = false,
    onProgress,
    partSize,
    signal,
  }: CopyParallelOptions = {},
): Promise<CopyProgress> {
  requireCounts({ concurrency, partSize });
  const from: Place = { store: await storeFor(source), url: source };
  const to: Place = { store: await writableStoreFor(destination), url: destination };
  const entry = await existing(from);
  if (entry.kind === 'file') throw await isFile(from);
  if ((await to.store.stat(destination))?.kind === 'file') throw await isFile(to);
  const isForbidden = await intoItself(from, to);

  let [files, skipped, bytes, present] = [0, 0, 0, 0];
  const report = (): void => onProgress?.({ files, skipped, bytes, present });
  async function copyPair({ file, there }: Pair): Promise<void> {
    const [here, target] = [below(from, file.name), below(to, file.name)];
    if (!overwrite && there !== undefined && (await isSame(here, file, target, there))) {
      skipped++;
      present += file.size;
    } else {
      await transfer(here, target, file, {
        partSize,
        signal,
        onBytes: (count, moved) => {
          if (moved) bytes += count;
          else present += count;
          report();
        },
      });
      files++;
    }
    report();
  }
  const wanted = only === undefined ? listed(from, isForbidden) : named(from, only);
  const surplus = mirror && only === undefined ? new Array<string>() : undefined;
  const plan = { overwrite, surplus, prefersLooks: only !== undefined };
  await forEach(pairs(wanted, to, plan), { concurrency, signal }, copyPair);
  if (files + skipped === 0)
    throw new StorageError('E_EMPTY', `${shownUrl(source)} holds no files: check that it is the right folder`);
  for (const name of surplus ?? []) await to.store.remove(joinUrl(destination, name));
  return { files, skipped, bytes, present };
}

/** Whether two URLs name one place. */
export async function isSamePlace(a: string, b: string): Promise<boolean> {
  return (await (await storeFor(a)).locate(a)) === (await (await storeFor(b)).locate(b));
}

function below({ store, url }: Place, name: string): Place {
  return { store, url: joinUrl(url, name) };
}

async function existing({ store, url }: Place): Promise<Entry> {
  const entry = await store.stat(url);
  if (entry === undefined) throw new StorageError('E_NOT_FOUND', `${shownUrl(url)} does not exist: check its spelling`);
  return entry;
}

/** The error for a file where a folder is wanted. An object store may have a folder of that name too. */
async function isFile({ store, url }: Place): Promise<StorageError> {
  const folder = await store.stat(asFolder(url));
  const advice = folder === undefined ? 'name a folder' : `the folder of that name is ${shownUrl(asFolder(url))}`;
  return new StorageError('E_NOT_FOLDER', `${shownUrl(url)} is a file: ${advice}`);
}

/** A file to copy, and what the destination has under its name. */
interface Pair {
  readonly file: Listed;
  readonly there: Entry | undefined;
}

/** Both sides list in one order, so that they are compared as they come, and never held in memory. */
async function* pairs(
  files: AsyncIterable<Listed>,
  to: Place,
  { overwrite, prefersLooks, surplus }: { overwrite: boolean; prefersLooks: boolean; surplus: string[] | undefined },
): AsyncGenerator<Pair> {
  const checkCase = await caseChecker(to);
  if ((overwrite && !surplus) || prefersLooks || (await to.store.stat(asFolder(to.url))) === undefined) {
    for await (const file of files) {
      checkCase(file.name);
      yield { file, there: prefersLooks && !overwrite ? await to.store.stat(joinUrl(to.url, file.name)) : undefined };
    }
    return;
  }
  const present = to.store.list(to.url)[Symbol.asyncIterator]();
  try {
    let next = await present.next();
    for await (const file of files) {
      checkCase(file.name);
      for (; !next.done && compareNames(next.value.name, file.name) < 0; next = await present.next()) {
        surplus?.push(next.value.name);
      }
      const isThere = !next.done && next.value.name === file.name;
      yield { file, there: isThere && !overwrite ? next.value : undefined };
      if (isThere) next = await present.next();
    }
    if (surplus !== undefined) for (; !next.done; next = await present.next()) surplus.push(next.value.name);
  } finally {
    await present.return?.();
  }
}

/** Where the destination takes `A` and `a` for one name, the second of the two is refused before it replaces the first. */
async function caseChecker({ store, url }: Place): Promise<(name: string) => void> {
  if (!(await store.foldsCase?.(url))) return () => {};
  const seen = new Map<string, string>();
  return (name) => {
    const folded = name.normalize('NFC').toLowerCase();
    const other = seen.get(folded);
    if (other !== undefined) {
      throw new StorageError(
        'E_CASE',
        `${shownUrl(url)} takes ${JSON.stringify(other)} and ${JSON.stringify(name)} for one name: rename one, or choose another place`,
      );
    }
    seen.set(folded, name);
  };
}

/** The files to copy: no leftovers, and nothing from inside the destination, where a link may lead. */
async function* listed(
  { store, url }: Place,
  isForbidden: (folder: string) => Promise<boolean>,
): AsyncGenerator<Listed> {
  let checked = '';
  for await (const file of store.list(url)) {
    const parts = file.name.split('/');
    if (parts.some(isPartial)) continue;
    const folder = parts.slice(0, -1).join('/');
    if (folder !== '' && folder !== checked && (await isForbidden(joinUrl(url, folder)))) {
      throw new StorageError(
        'E_INTO_ITSELF',
        `${shownUrl(joinUrl(url, folder))} leads into the destination: remove that link`,
      );
    }
    checked = folder;
    yield file;
  }
}

async function* named(from: Place, names: readonly string[]): AsyncGenerator<Listed> {
  for (const name of names) {
    if (!isBelow(name)) {
      const what = `is not the name of a file below ${shownUrl(from.url)}: write it as list gives it`;
      throw new StorageError('E_NAME', `files: ${JSON.stringify(name)} ${what}`);
    }
    const place = below(from, name);
    const entry = await existing(place);
    if (entry.kind === 'folder')
      throw new StorageError('E_NOT_FILE', `${shownUrl(place.url)} is a folder: name its files`);
    yield { ...entry, name };
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
  // Of folders, only this machine's may be links.
  if (isWithin(source, destination) || schemeOf(from.url) !== 'file') return async () => false;
  return async (folder) => isWithin(await from.store.locate(folder), destination);
}

/** Whether a place, as {@link Store.locate} names it, is another one or lies in it. */
export function isWithin(inner: string, outer: string): boolean {
  return `${inner}/`.startsWith(`${outer}/`);
}

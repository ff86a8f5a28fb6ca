/**
 * Moves a file or folder between any two stores: at one stroke where a store can, else by copying, comparing and removing, so that a
 * killed move has lost nothing and can be repeated.
 */
import { createHash, randomBytes } from 'node:crypto';
import { StorageError } from '../base/errors.js';
import { asFolder, isFolder } from './calls.js';
import { type CopyProgress, copy, copyParallel, isWithin } from './copy.js';
import { requireCounts } from './counts.js';
import { list } from './list.js';
import type { Entry } from './store.js';
import { writableStoreFor } from './stores.js';
import type { Place } from './transfer.js';
import { joinUrl, nameOf, shownUrl } from './url.js';

export interface RenameOptions {
  /** As a copy's: it is called when a copy is needed. */
  readonly onProgress?: ((progress: CopyProgress) => void) | undefined;
  /** Stops a copy that is needed; the source then stays as it was. */
  readonly signal?: AbortSignal | undefined;
  /** Files of a folder under way at once; default 16. */
  readonly concurrency?: number | undefined;
}

/**
 * Gives a file or folder another name, be it in another store. A file replaces one that has the name. Where both stores cannot do it
 * at one stroke, the source is removed when all of it is at the destination; a move that was killed is repeated by the same call. Nobody else may write
 * into a folder while it moves.
 *
 * @throws StorageError `E_NOT_FOUND`; `E_EXISTS` for a folder where one is; `E_NOT_FILE`, `E_NOT_FOLDER` where the other kind is; `E_INTO_ITSELF`;
 * `E_CHANGED` for a source that changes meanwhile: it stays; and what copies throw
 * @example
 * await write('out/a.txt', 'seven');
 * await rename('out/a.txt', 'elsewhere/b.txt');
 * await read('elsewhere/b.txt', { encoding: 'utf8' }); // 'seven'
 * await exists('out/a.txt'); // false
 */
export async function rename(source: string, destination: string, options: RenameOptions = {}): Promise<void> {
  requireCounts({ concurrency: options.concurrency });
  const from: Place = { store: await writableStoreFor(source), url: source };
  const to: Place = { store: await writableStoreFor(destination), url: destination };
  const entry = await from.store.stat(source);
  if (entry === undefined) {
    if (await endMove(from, to)) return;
    throw new StorageError('E_NOT_FOUND', `${shownUrl(source)} does not exist: check its spelling`);
  }
  const [here, there] = [await from.store.locate(source), await to.store.locate(destination)];
  if (here === there || (entry.kind === 'folder' && isWithin(there, here))) {
    throw intoItself(source, destination, here === there ? 'the same' : 'inside it');
  }
  if (entry.kind === 'file') await moveFile(from, to, entry, options);
  else await moveFolder(from, to, options);
}

async function moveFile(from: Place, to: Place, entry: Entry, options: RenameOptions): Promise<void> {
  const there = await to.store.stat(to.url);
  if (to.url.endsWith('/') || there?.kind === 'folder') throw isFolder(to.url, nameOf(from.url));
  if (from.store === to.store && (await from.store.rename?.(from.url, to.url))) return;
  await refuseOne(from, to);
  await copy(from.url, to.url, options);
  const [now, copied] = [await from.store.stat(from.url), await to.store.stat(to.url)];
  if (!isUnchanged(entry, now) || copied?.kind !== 'file' || copied.size !== entry.size || !agrees(entry, copied)) {
    throw changed(from, to);
  }
  await from.store.remove(from.url);
}

/**
 * Two stores may lead to one file: a bucket that is mounted, a server with two names. A file that was copied onto itself must not be
 * removed as its own source. What is put beside the one is then seen beside the other.
 */
async function refuseOne(from: Place, to: Place): Promise<void> {
  if (nameOf(from.url) !== nameOf(to.url)) return;
  const probe = `.rename.${randomBytes(4).toString('hex')}.partial`;
  const there = beside(to.url, probe);
  await to.store.write(there, new Uint8Array());
  try {
    if ((await from.store.stat(beside(from.url, probe))) !== undefined) throw intoItself(from.url, to.url, 'the same');
  } finally {
    await to.store.remove(there);
  }
}

function beside(url: string, name: string): string {
  const folder = url.replace(/[^/]*$/, '');
  return folder === '' ? name : joinUrl(folder, name);
}

function isUnchanged(before: Entry, now: Entry | undefined): boolean {
  return now?.size === before.size && now.modified === before.modified && now.version === before.version;
}

function agrees({ digest: a }: Entry, { digest: b }: Entry): boolean {
  return a === undefined || b === undefined || a.algorithm !== b.algorithm || a.value === b.value;
}

async function moveFolder(from: Place, to: Place, options: RenameOptions): Promise<void> {
  const marker = await markerOf(from, to);
  const isBegun = (await to.store.stat(marker)) !== undefined;
  if (!isBegun) await requireFree(to);
  if (!isBegun && from.store === to.store && (await from.store.rename?.(from.url, to.url))) return;
  await to.store.write(marker, new Uint8Array());
  await copyAll(from, to, options);
  await makeEmptyFolders(from, to);
  await from.store.remove(asFolder(from.url));
  await to.store.remove(marker);
}

/** A copy that finds nothing more to copy has compared every file of both sides. */
async function copyAll(from: Place, to: Place, options: RenameOptions): Promise<void> {
  for (let round = 1; round <= MOST_ROUNDS; round++) {
    const { files } = await copyParallel(asFolder(from.url), asFolder(to.url), {
      ...options,
      onProgress: round === 1 ? options.onProgress : undefined,
    }).catch((error: unknown) => {
      // A folder of empty folders can be renamed, if not copied.
      if (error instanceof StorageError && error.code === 'E_EMPTY') return { files: 0 };
      throw error;
    });
    if (files === 0) return;
  }
  throw changed(from, to);
}

/** Copies of a folder that is written to meanwhile. */
const MOST_ROUNDS = 4;

async function makeEmptyFolders(from: Place, to: Place): Promise<void> {
  // What was listed last, should it be a folder with nothing in it; at first the folder itself.
  let last: string | undefined = '';
  const make = async (): Promise<void> => {
    if (last !== undefined) await to.store.makeFolder(last === '' ? to.url : joinUrl(to.url, last));
  };
  for await (const { name, kind } of list(asFolder(from.url), { recursive: true })) {
    if (last !== '' && !name.startsWith(`${last}/`)) await make();
    last = kind === 'folder' ? name : undefined;
  }
  await make();
}

async function requireFree({ store, url }: Place): Promise<void> {
  const name = url.replace(/\/+$/, '');
  if ((await store.stat(name))?.kind === 'file') {
    throw new StorageError('E_NOT_FOLDER', `${shownUrl(name)} is a file: choose another name for the folder`);
  }
  if ((await store.stat(asFolder(url))) === undefined) return;
  throw new StorageError(
    'E_EXISTS',
    `${shownUrl(url)} is a folder already: choose another name, or copy into it with copy_parallel`,
  );
}

/**
 * A file that stands in the destination while a folder moves there, so that the move is known again: it is called as the leftover of a
 * killed writer, which no copy takes along.
 */
async function markerOf(from: Place, to: Place): Promise<string> {
  const source = await from.store.locate(from.url);
  const id = createHash('sha256').update(source).digest('hex').slice(0, 8);
  return joinUrl(to.url, `.rename.${id}.partial`);
}

/** A move that was killed when all but its marker was done. */
async function endMove(from: Place, to: Place): Promise<boolean> {
  if ((await to.store.stat(asFolder(to.url))) === undefined) return false;
  const marker = await markerOf(from, to);
  if ((await to.store.stat(marker)) === undefined) return false;
  await to.store.remove(marker);
  return true;
}

function intoItself(source: string, destination: string, where: string): StorageError {
  return new StorageError(
    'E_INTO_ITSELF',
    `${shownUrl(source)} cannot be renamed to ${shownUrl(destination)}, which is ${where}: choose another name`,
  );
}

function changed(from: Place, to: Place): StorageError {
  return new StorageError(
    'E_CHANGED',
    `${shownUrl(from.url)} changed while it was moved to ${shownUrl(to.url)}: it stays; rename it again when nobody writes to it`,
  );
}

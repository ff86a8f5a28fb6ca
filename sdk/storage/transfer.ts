/** One file from any store to any store: at one stroke when it is small, else in parts that outlive a killed process. */
import { MindtsError, StorageError } from '../base/errors.js';
import { withBuffer } from './buffers.js';
import { type Hasher, hasherFor } from './digest.js';
import { shrank } from './failure.js';
import { MOST_PARTS } from './object-client.js';
import { PassingFailure } from './retry.js';
import { type Entry, LEAST_PART, type Store, type Upload } from './store.js';
import { shownUrl } from './url.js';

/** A file or folder in its store. */
export interface Place {
  readonly store: Store;
  readonly url: string;
}

export interface TransferOptions {
  /** Bytes of a part, and the most that a file may have to be copied at one stroke; default 8 MiB. */
  readonly partSize?: number | undefined;
  /** Called with bytes that are through; `moved` is false for those that an earlier, killed copy had moved already. */
  readonly onBytes: (bytes: number, moved: boolean) => void;
  readonly signal?: AbortSignal | undefined;
}

const PART_SIZE = 8 * 2 ** 20;
/** Parts of one file on their way at once. */
const PARTS_AT_ONCE = 4;
/** How often a file that came damaged, or changed meanwhile, is copied again. */
const TRIES = 3;

/**
 * Copies a file, with its modification time, and holds it against the checksum that its store gives.
 *
 * @throws StorageError `E_SIZE` (it shrank meanwhile), `E_CHECKSUM`, `E_CHANGED`, and what the stores throw; an older file at the
 * destination then stays as it was
 */
export async function transfer(from: Place, to: Place, file: Entry, options: TransferOptions): Promise<void> {
  let entry = file;
  for (let tried = 1; ; tried++) {
    options.signal?.throwIfAborted();
    let counted = 0;
    const onBytes: TransferOptions['onBytes'] = (bytes, moved) => {
      counted += bytes;
      options.onBytes(bytes, moved);
    };
    try {
      if (from.store === to.store && (await to.store.copyWithin?.(from.url, to.url, entry))) onBytes(entry.size, true);
      else if (entry.size <= partSizeFor(to, 0, options)) await atOneStroke(from, to, entry, onBytes);
      else await inParts(from, to, entry, { ...options, onBytes });
      return;
    } catch (error) {
      if (!(error instanceof StorageError) || !MENDED_BY_ANOTHER_TRY.has(error.code) || tried === TRIES) throw error;
      options.onBytes(-counted, true);
      const looked = await from.store.stat(from.url);
      // Else the time stays the listing's: see below.
      if (looked !== undefined && (from.store.keepsTimes || looked.version !== entry.version)) entry = looked;
    }
  }
}

/** It came damaged, it was replaced meanwhile, and another process finished or gave up the very same upload. */
const MENDED_BY_ANOTHER_TRY: ReadonlySet<string> = new Set(['E_CHECKSUM', 'E_CHANGED', 'E_NO_UPLOAD']);

/** What the store can take, too: not too small parts, and not too many of them. */
function partSizeFor(
  { store }: Place,
  size: number,
  { partSize = PART_SIZE }: Pick<TransferOptions, 'partSize'>,
): number {
  return Math.max(partSize, store.leastPart ?? LEAST_PART, Math.ceil(size / MOST_PARTS));
}

async function atOneStroke(from: Place, to: Place, entry: Entry, onBytes: TransferOptions['onBytes']): Promise<void> {
  await withBuffer(entry.size, async (buffer) => {
    await fill(buffer, { from, start: 0, entry });
    await to.store.write(to.url, buffer, { modified: entry.modified });
  });
  onBytes(entry.size, true);
}

async function inParts(from: Place, to: Place, listed: Entry, options: TransferOptions): Promise<void> {
  // A listing knows less than a look at the file itself does.
  const entry = (await from.store.stat(from.url)) ?? listed;
  const { size, version, digest } = entry;
  // The listing's time: the next listing is what this copy will be held against.
  const { modified } = listed;
  const partSize = partSizeFor(to, size, options);
  const source = [from.url, size, modified, version ?? ''].join(' ');
  const upload = await to.store.upload(to.url, { size, partSize, modified, source });
  try {
    const known = upload.present.size === 0 || upload.reread !== undefined;
    const hasher = digest === undefined || !known ? undefined : hasherFor(digest);
    await putAll(from, upload, { ...options, entry, partSize, hasher });
    if (hasher !== undefined && hasher.value() !== digest?.value) {
      throw new PassingFailure(
        'E_CHECKSUM',
        `${shownUrl(from.url)} came damaged: its checksum is not ${digest?.value}`,
      );
    }
    await refuseRewritten(from, entry);
    await upload.finish();
  } catch (error) {
    // What the network stopped is gone on with; what a lasting failure or the caller stopped is not, nor what has to begin anew.
    const isGoneOnWith = error instanceof PassingFailure && !MENDED_BY_ANOTHER_TRY.has(error.code);
    await (isGoneOnWith ? upload.leave() : upload.abandon()).catch((second: unknown) => {
      if (!(second instanceof MindtsError)) throw second;
    });
    throw error;
  }
}

/**
 * Where a store has no versions, a file that somebody writes anew in its place shows by its time alone: its parts are some of the
 * old one and some of the new. One that has grown is a log, and was copied up to where it ended.
 */
async function refuseRewritten({ store, url }: Place, { size, modified }: Entry): Promise<void> {
  if (!store.keepsTimes) return;
  const now = await store.stat(url);
  if (now !== undefined && now.size === size && now.modified !== modified) {
    throw new PassingFailure('E_CHANGED', `${shownUrl(url)} was written anew while it was copied: copy it again`);
  }
}

interface Parts extends TransferOptions {
  readonly entry: Entry;
  readonly partSize: number;
  readonly hasher: Hasher | undefined;
}

/** Workers take the next part each; they hash in the order of parts, whatever order the parts come in. */
async function putAll(from: Place, upload: Upload, { entry, partSize, hasher, onBytes, signal }: Parts): Promise<void> {
  const count = Math.max(1, Math.ceil(entry.size / partSize));
  const hashed = Array.from({ length: count + 1 }, () => new Turn());
  hashed[0].end();
  const failures: unknown[] = [];
  let next = 0;

  async function putNext(part: number): Promise<void> {
    const start = part * partSize;
    const length = Math.min(partSize, entry.size - start);
    const isThere = upload.present.has(part);
    if (isThere && hasher === undefined) {
      onBytes(length, false);
      return;
    }
    await withBuffer(length, async (buffer) => {
      const isWritten = upload.write !== undefined && from.store.readInto === undefined;
      if (isThere) await upload.reread?.(part, buffer);
      else await fill(buffer, { from, start, entry, onPiece: (at, piece) => upload.write?.(part, at, piece) });
      await hashed[part].ended;
      hasher?.update(buffer);
      hashed[part + 1].end();
      onBytes(length, !isThere && (await upload.put(part, buffer, { isWritten })));
    });
  }
  async function work(): Promise<void> {
    while (next < count && failures.length === 0) {
      const part = next++;
      try {
        signal?.throwIfAborted();
        await putNext(part);
      } catch (error) {
        failures.push(error);
      } finally {
        hashed[part + 1].end();
      }
    }
  }
  await Promise.all(Array.from({ length: upload.inOrder ? 1 : PARTS_AT_ONCE }, work));
  if (failures.length > 0) throw failures[0];
}

/** Something that others wait for. */
class Turn {
  end: () => void = () => {};
  readonly ended = new Promise<void>((resolve) => {
    this.end = resolve;
  });
}

/**
 * Reads exactly as many bytes as the buffer takes, and passes them on piece by piece where they come so. A log that grows meanwhile
 * is copied up to where it ended; one that shrinks is an error.
 */
async function fill(buffer: Buffer, { from, start, entry, onPiece }: Filling): Promise<void> {
  const { store, url } = from;
  const { size, version } = entry;
  let [filled, passed] = [0, 0];
  if (store.readInto !== undefined) filled = await store.readInto(url, buffer, { start, version });
  else if (buffer.length > 0) {
    const range = { start, end: start + buffer.length, version };
    for await (const chunk of store.chunks?.(url, range) ?? store.read(url, range)) {
      filled += chunk.copy(buffer, filled);
      if (filled - passed < PIECE && filled < buffer.length) continue;
      await onPiece?.(passed, buffer.subarray(passed, filled));
      passed = filled;
    }
  }
  if (filled < buffer.length) throw shrank(url, size, start + filled);
}

interface Filling {
  readonly from: Place;
  readonly start: number;
  readonly entry: Entry;
  readonly onPiece?: (offset: number, piece: Buffer) => Promise<void> | undefined;
}

/** Small enough to be in the processor's cache still when it is passed on. */
const PIECE = 1 << 18;

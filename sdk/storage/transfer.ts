/** One file from any store to any store: at one stroke when it is small, else in parts that outlive a killed process. */
import { MindtsError, StorageError } from '../base/errors.js';
import { withBuffer } from './buffers.js';
import { type Hasher, hasherFor } from './digest.js';
import { shrank } from './failure.js';
import { PassingFailure } from './retry.js';
import type { Entry, Store, Upload } from './store.js';
import { shownUrl } from './url.js';

/** A file or folder in its store. */
export interface Place {
  readonly store: Store;
  readonly url: string;
}

export interface TransferOptions {
  /** Called with bytes that are through; `moved` is false for those that an earlier, killed copy had moved already. */
  readonly onBytes: (bytes: number, moved: boolean) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Bytes of a part, and the most that a file may have to be copied at one stroke. */
const PART_SIZE = 8 * 2 ** 20;
/** The most parts that an object store takes. */
const MOST_PARTS = 10_000;
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
      else if (entry.size <= PART_SIZE) await atOneStroke(from, to, entry, onBytes);
      else await inParts(from, to, entry, { ...options, onBytes });
      return;
    } catch (error) {
      const isOther = error instanceof StorageError && (error.code === 'E_CHECKSUM' || error.code === 'E_CHANGED');
      if (!isOther || tried === TRIES) throw error;
      options.onBytes(-counted, true);
      entry = (await from.store.stat(from.url)) ?? entry;
    }
  }
}

async function atOneStroke(from: Place, to: Place, entry: Entry, onBytes: TransferOptions['onBytes']): Promise<void> {
  await withBuffer(entry.size, async (buffer) => {
    await fill(buffer, from, 0, entry);
    await to.store.write(to.url, buffer, { modified: entry.modified });
  });
  onBytes(entry.size, true);
}

async function inParts(from: Place, to: Place, listed: Entry, { onBytes, signal }: TransferOptions): Promise<void> {
  // A listing knows less than a look at the file itself does.
  const entry = (await from.store.stat(from.url)) ?? listed;
  const { size, version, digest } = entry;
  // The listing's time: the next listing is what this copy will be held against.
  const { modified } = listed;
  const partSize = Math.max(PART_SIZE, Math.ceil(size / MOST_PARTS / 2 ** 20) * 2 ** 20);
  const source = [from.url, size, modified, version ?? ''].join(' ');
  const upload = await to.store.upload(to.url, { size, partSize, modified, source });
  try {
    const known = upload.present.size === 0 || upload.reread !== undefined;
    const hasher = digest === undefined || !known ? undefined : hasherFor(digest);
    await putAll(from, upload, { entry, partSize, hasher, onBytes, signal });
    if (hasher !== undefined && hasher.value() !== digest?.value) {
      throw new PassingFailure(
        'E_CHECKSUM',
        `${shownUrl(from.url)} came damaged: its checksum is not ${digest?.value}`,
      );
    }
  } catch (error) {
    // What a lasting failure or the caller stopped is not gone on with; what the network stopped is.
    await (error instanceof PassingFailure && error.code !== 'E_CHECKSUM' ? upload.leave() : upload.abandon()).catch(
      (second: unknown) => {
        if (!(second instanceof MindtsError)) throw second;
      },
    );
    throw error;
  }
}

interface Parts extends TransferOptions {
  readonly entry: Entry;
  readonly partSize: number;
  readonly hasher: Hasher | undefined;
}

/** Workers take the next part each; they hash in the order of parts, whatever order the parts come in. */
async function putAll(from: Place, upload: Upload, { entry, partSize, hasher, onBytes, signal }: Parts): Promise<void> {
  const count = Math.ceil(entry.size / partSize);
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
      if (isThere) await upload.reread?.(part, buffer);
      else await fill(buffer, from, start, entry);
      await hashed[part].ended;
      hasher?.update(buffer);
      hashed[part + 1].end();
      onBytes(length, !isThere && (await upload.put(part, buffer)));
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

/** Reads exactly as many bytes as the buffer takes. A log that grows meanwhile is copied up to where it ended; one that shrinks is an error. */
async function fill(buffer: Buffer, { store, url }: Place, start: number, { size, version }: Entry): Promise<void> {
  let filled = 0;
  if (buffer.length > 0) {
    for await (const chunk of store.read(url, { start, end: start + buffer.length, version })) {
      const bytes: Buffer = chunk;
      filled += bytes.copy(buffer, filled);
    }
  }
  if (filled < buffer.length) throw shrank(url, size, start + filled);
}

/** Where an archive's bytes come from: a file of this machine, or anything that can be read from any place on. */
import type { FileHandle } from 'node:fs/promises';
import { resolve } from 'node:path';
import { addAbortSignal, type Readable } from 'node:stream';
import { openRegular } from '../base/files.js';
import { type Format, type Refusal, readingFailed, refusalOf } from './archive-error.js';
import { type ArchiveKind, archiveKind, HEAD_BYTES } from './archive-kind.js';

/** An archive that lies anywhere. Its content must not change while it is read. */
export interface ArchiveSource {
  /** What errors call it. */
  readonly name: string;
  /** Bytes of the archive. */
  readonly size: number;
  /** Its path, if it is a file of this machine: the folder that it lies in is not replaced by what is in it. */
  readonly path?: string | undefined;
  /** The bytes from `start` up to but not including `end`, at least one. A stream may be destroyed before its end. */
  read(start: number, end: number): Readable;
}

/**
 * Lets `use` read an archive, a path or a source; a file is closed afterwards.
 *
 * @throws what `use` throws; ArchiveError `E_…_NOT_FOUND`, `E_…_READ`, … when a file cannot be opened
 */
export async function withSource<T>(
  format: Format,
  archive: string | ArchiveSource,
  use: (source: ArchiveSource) => Promise<T>,
): Promise<T> {
  if (typeof archive !== 'string') return use(archive);
  let file: FileHandle | undefined;
  try {
    file = await openRegular(archive);
    const { size } = await file.stat();
    return await use(fileSource(archive, file, size));
  } catch (error) {
    throw file === undefined ? readingFailed(refusalOf(format, archive), error) : error;
  } finally {
    await file?.close();
  }
}

/** The kind of an archive, by its first bytes. @throws what the source throws; ArchiveError `E_…_READ`, `E_…_ABORTED` */
export async function kindOf(
  source: ArchiveSource,
  refuse: Refusal,
  signal: AbortSignal | undefined,
): Promise<ArchiveKind | undefined> {
  try {
    return archiveKind(await bytesOf(source, { start: 0, end: Math.min(HEAD_BYTES, source.size), signal }));
  } catch (error) {
    throw readingFailed(refuse, error);
  }
}

/** Some bytes of an archive, all at once; fewer where it turns out to be shorter than it says. */
export async function bytesOf(
  source: ArchiveSource,
  { start, end, signal }: { start: number; end: number; signal: AbortSignal | undefined },
): Promise<Buffer> {
  if (start >= end) return Buffer.alloc(0);
  const stream = source.read(start, end);
  if (signal !== undefined) addAbortSignal(signal, stream);
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Long reads: a small file costs no read of its own. */
const CHUNK = 1 << 20;

function fileSource(name: string, file: FileHandle, size: number): ArchiveSource {
  return {
    name,
    size,
    path: resolve(name),
    read: (start, end) => file.createReadStream({ start, end: end - 1, highWaterMark: CHUNK, autoClose: false }),
  };
}

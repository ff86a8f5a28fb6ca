/** Unpacks zips that nobody vouches for: all of one, or nothing; and nothing outside its folder. */
import { pipeline } from 'node:stream/promises';
import { crc32, createInflateRaw, inflateRawSync } from 'node:zlib';
import { type ArchiveError, systemCode } from '../base/errors.js';
import { quoted, type Refusal, readingFailed, refusalOf } from './archive-error.js';
import { type ArchiveSource, kindOf, withSource } from './archive-source.js';
import { ByteReader } from './byte-reader.js';
import type { FolderWriter } from './folder-writer.js';
import { Tally, type UnpackOptions, type UnpackResult } from './tally.js';
import { unpackInto } from './unpack-into.js';
import { readDirectory, seekContent, type ZipEntry } from './zip-file.js';

/**
 * Unpacks a zip into a folder, which is replaced whole if it exists: it appears when all is there and checked,
 * and stays as it was when anything fails. Leftovers of killed extractions into it are removed. Links, special
 * files, encrypted files and names that lead out of the folder are refused. Files keep their executable bit.
 *
 * The zip may lie anywhere: its directory is read first, from its end, then its entries in one sweep.
 *
 * @param archive a path, or where else to read it from
 * @throws ArchiveError `E_ZIP_…` with a {@link Fault}; what a source throws
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await makeZip('in', 'in.zip');
 * await unzip('in.zip', 'out/in'); // { files: 1, bytes: 5 }
 */
export async function unzip(
  archive: string | ArchiveSource,
  folder: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  return withSource('ZIP', archive, async (source) => {
    const refuse = refusalOf('ZIP', source.name);
    if ((await kindOf(source, refuse, options.signal)) !== 'zip')
      throw refuse('NOT_ZIP', source.size === 0 ? 'is empty' : 'is not a zip');
    return unzipSource(source, folder, options);
  });
}

/** As {@link unzip}, for what is known to begin as a zip. */
export async function unzipSource(
  source: ArchiveSource,
  folder: string,
  options: UnpackOptions,
): Promise<UnpackResult> {
  const refuse = refusalOf('ZIP', source.name);
  return unpackInto(folder, { source, refuse, options }, (writer) => extract(source, writer, { refuse, options }));
}

async function extract(
  source: ArchiveSource,
  writer: FolderWriter,
  { refuse, options }: { refuse: Refusal; options: UnpackOptions },
): Promise<UnpackResult> {
  const directory = await readDirectory(source, refuse, options.signal);
  const reader = new ByteReader((start) => source.read(start, directory.start), {
    failed: (error) => readingFailed(refuse, error),
    signal: options.signal,
  });
  const tally = new Tally(refuse, { size: source.size, passed: () => reader.position }, options);
  const work = { reader, writer, tally, refuse, signal: options.signal };
  tally.expect(directory.entryCount);
  try {
    let batch: ZipEntry[] = [];
    for await (const entry of directory.entries()) {
      tally.claim(entry);
      batch.push(entry);
      if (batch.length < BATCH) continue;
      await writeAll(batch, work);
      batch = [];
    }
    await writeAll(batch, work);
    await writer.finish();
    return tally.result();
  } finally {
    reader.close();
  }
}

/** Entries in memory at a time, 4 MB or so; an archive with fewer is read in one sweep, however its directory is sorted. */
const BATCH = 1 << 14;

interface Work {
  readonly reader: ByteReader;
  readonly writer: FolderWriter;
  readonly tally: Tally;
  readonly refuse: Refusal;
  readonly signal: AbortSignal | undefined;
}

/** Writes some entries in the order of their places, which in nearly every archive is that of its directory. */
async function writeAll(batch: ZipEntry[], work: Work): Promise<void> {
  const { reader, writer, tally, refuse, signal } = work;
  for (const entry of batch.sort((a, b) => a.place - b.place)) {
    signal?.throwIfAborted();
    if (entry.isFolder) {
      writer.makeFolder(entry.name);
      tally.finished(entry);
      continue;
    }
    await seekContent(reader, entry, refuse);
    if (Math.max(entry.size, entry.packedSize) <= SMALL) {
      const content = inflated(entry, await reader.take(entry.packedSize), refuse);
      await writer.write(entry, content, () => {
        tally.wrote(content.length);
        tally.finished(entry);
      });
    } else {
      await stream(entry, work);
      tally.finished(entry);
    }
  }
}

/** Up to this size a file is unpacked at one stroke. */
const SMALL = 1 << 20;
/** What a large file is unpacked in. */
const CHUNK = 1 << 18;

/** A small file's content. */
function inflated(entry: ZipEntry, packed: Buffer, refuse: Refusal): Buffer {
  let content = packed;
  if (entry.isDeflated) {
    // A byte more than it says is enough to know that it says less than it holds.
    const most = entry.size + 1;
    try {
      content = inflateRawSync(packed, { maxOutputLength: most, chunkSize: Math.max(64, most) });
    } catch (error) {
      if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE') throw sizeFault(entry, refuse, 'more than');
      throw readingFailed(refuse, error, quoted(entry.name));
    }
  }
  checkEnd(entry, { bytes: content.length, crc: crc32(content) }, refuse);
  return content;
}

/** Writes a large file while its content comes. */
async function stream(entry: ZipEntry, { reader, writer, tally, refuse, signal }: Work): Promise<void> {
  const write = (chunks: AsyncIterable<Buffer>): Promise<void> =>
    writer.stream(entry, checked(entry, chunks, refuse), (bytes) => tally.wrote(bytes));
  const packed = reader.stream(entry.packedSize);
  if (!entry.isDeflated) return write(packed);
  const inflate = createInflateRaw({ chunkSize: CHUNK });
  try {
    await pipeline(packed, inflate, write, signal === undefined ? {} : { signal });
  } catch (error) {
    if (systemCode(error)?.startsWith('Z_')) throw readingFailed(refuse, error, quoted(entry.name));
    // Nobody stopped it but the inflater, which had come to its end.
    if (systemCode(error) !== 'ABORT_ERR' || signal?.aborted) throw error;
    throw refuse('DAMAGED', `${quoted(entry.name)} goes on behind its end`, error);
  }
}

/** Passes on a file's content, held against what the directory says while it comes. */
async function* checked(entry: ZipEntry, chunks: AsyncIterable<Buffer>, refuse: Refusal): AsyncGenerator<Buffer> {
  let [bytes, crc] = [0, 0];
  for await (const chunk of chunks) {
    bytes += chunk.length;
    crc = crc32(chunk, crc);
    if (bytes > entry.size) throw sizeFault(entry, refuse, 'more than');
    yield chunk;
  }
  checkEnd(entry, { bytes, crc }, refuse);
}

function checkEnd(entry: ZipEntry, found: { readonly bytes: number; readonly crc: number }, refuse: Refusal): void {
  if (found.bytes > entry.size) throw sizeFault(entry, refuse, 'more than');
  if (found.bytes < entry.size) throw sizeFault(entry, refuse, `${found.bytes} of`);
  if (found.crc !== entry.crc) {
    throw refuse('CRC', `${quoted(entry.name)} is damaged: its checksum does not agree`);
  }
}

function sizeFault({ name, size }: ZipEntry, refuse: Refusal, found: string): ArchiveError {
  return refuse('SIZE', `${quoted(name)} holds ${found} the ${size} bytes that it says`);
}

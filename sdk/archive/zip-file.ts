/** The directory of a zip, wherever the zip lies, and its entries, each one checked. */
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { quoted, type Refusal, readingFailed } from './archive-error.js';
import { type ArchiveSource, bytesOf } from './archive-source.js';
import type { ByteReader } from './byte-reader.js';
import { decodeName, nameFault, tidyName } from './entry-name.js';

/** A file or folder in an archive, of a kind and name that are safe to write. */
export interface ZipEntry {
  /** The name below the folder, its parts separated by `/`; empty for the folder itself. */
  readonly name: string;
  readonly isFolder: boolean;
  readonly isExecutable: boolean;
  readonly isDeflated: boolean;
  /** Bytes when unpacked, as the directory says: to be held against what comes. */
  readonly size: number;
  readonly packedSize: number;
  /** CRC-32 of the unpacked bytes. */
  readonly crc: number;
  /** Where its local header begins, after which come the packed bytes. */
  readonly place: number;
}

export interface ZipDirectory {
  /** Entries, as the directory says. */
  readonly entryCount: number;
  /** Where the directory begins: no entry's bytes lie behind it. */
  readonly start: number;
  /**
   * All entries, as they stand there.
   *
   * @throws ArchiveError for the first entry that is damaged, hostile or of an unknown kind
   */
  entries(): AsyncGenerator<ZipEntry>;
}

/**
 * Finds the directory, at the end of the archive.
 *
 * @throws ArchiveError `E_ZIP_READ`, `E_ZIP_TRUNCATED`, `E_ZIP_DAMAGED`; what the source throws
 */
export async function readDirectory(
  source: ArchiveSource,
  refuse: Refusal,
  signal: AbortSignal | undefined,
): Promise<ZipDirectory> {
  const reader = new WindowReader(source, signal);
  try {
    const zip = await fromRandomAccessReaderPromise(reader, source.size, { ...LEAVE_TO_US, autoClose: false });
    const start = Number(zip.readEntryCursor);
    return { entryCount: zip.entryCount, start, entries: () => entries(zip, { reader, start, refuse }) };
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('End of central directory')) {
      throw refuse('TRUNCATED', 'its end is missing', error);
    }
    throw readingFailed(refuse, error);
  }
}

/** Brings a reader of the archive to an entry's packed bytes. @throws ArchiveError `E_ZIP_DAMAGED`, `E_ZIP_TRUNCATED` */
export async function seekContent(reader: ByteReader, entry: ZipEntry, refuse: Refusal): Promise<void> {
  await reader.seek(entry.place);
  const header = await reader.take(LOCAL_HEADER);
  if (header.readUInt32LE(0) !== 0x04034b50) {
    throw refuse('DAMAGED', `${quoted(entry.name)} is not where the directory says`);
  }
  // Of name and extra field, which the directory has too.
  await reader.skip(header.readUInt16LE(26) + header.readUInt16LE(28));
}

/** yauzl reads the structure; names, sizes and contents are checked here. */
const LEAVE_TO_US = { decodeStrings: false, validateEntrySizes: false };
/** Bytes of a local header without its name and extra field. */
const LOCAL_HEADER = 30;
/** The directory is read in pieces of this size, 40 000 entries or so. */
const WINDOW = 4 << 20;

/** Reads for yauzl, out of large pieces of the archive. yauzl does not look whether a place lies in the archive. */
class WindowReader extends RandomAccessReader {
  private start = 0;
  private window: Buffer = Buffer.alloc(0);

  constructor(
    private readonly source: ArchiveSource,
    private readonly signal: AbortSignal | undefined,
  ) {
    super();
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (this.copy(buffer, offset, length, position)) {
      callback(null);
      return;
    }
    this.load(position, length).then(
      () => callback(this.copy(buffer, offset, length, position) ? null : new Error('unexpected EOF')),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }

  private copy(buffer: Buffer, offset: number, length: number, position: number): boolean {
    const at = position - this.start;
    if (at < 0 || at + length > this.window.length) return false;
    this.window.copy(buffer, offset, at, at + length);
    return true;
  }

  private async load(position: number, length: number): Promise<void> {
    if (position + length > this.source.size) throw new Error('unexpected EOF');
    const end = Math.min(position + WINDOW, this.source.size);
    this.window = await bytesOf(this.source, { start: position, end, signal: this.signal });
    this.start = position;
  }
}

interface Context {
  readonly reader: WindowReader;
  readonly start: number;
  readonly refuse: Refusal;
}

async function* entries(zip: ZipFile, { reader, start, refuse }: Context): AsyncGenerator<ZipEntry> {
  try {
    for await (const raw of zip.eachEntry()) yield entryOf(raw, start, refuse);
    // Some writers count entries in 16 bits and go on after 65 535: nothing may get lost.
    const next = Buffer.alloc(4);
    await new Promise<void>((resolve, reject) => {
      reader.read(next, 0, 4, Number(zip.readEntryCursor), (error) => (error === null ? resolve() : reject(error)));
    });
    if (next.readUInt32BE() === 0x504b0102) throw new Error('it holds more entries than it says');
  } catch (error) {
    throw readingFailed(refuse, error);
  }
}

function entryOf(raw: Entry, end: number, refuse: Refusal): ZipEntry {
  const name = decodeName(raw);
  const fault = nameFault(name);
  if (fault !== undefined) throw refuse('PATH', `the name ${quoted(name)} ${fault}`);
  // The upper half is the Unix mode, where the archive was made on Unix, and otherwise 0.
  const mode = raw.externalFileAttributes >>> 16;
  const type = mode & 0o170000;
  if (type === 0o120000) throw refuse('SYMLINK', `${quoted(name)} is a link`);
  if (type !== 0 && type !== 0o100000 && type !== 0o040000) {
    throw refuse('SPECIAL', `${quoted(name)} is a device, pipe or socket`);
  }
  if (raw.isEncrypted()) throw refuse('ENCRYPTED', `${quoted(name)} is encrypted`);
  const { compressionMethod: method, uncompressedSize: size, compressedSize: packedSize } = raw;
  if (method !== 0 && method !== 8) {
    throw refuse('METHOD', `${quoted(name)} is packed with an unknown method (${method})`);
  }
  const isFolder = name.endsWith('/');
  if (isFolder && size > 0) throw refuse('DAMAGED', `${quoted(name)} is a folder and yet has a content`);
  const place = raw.relativeOffsetOfLocalHeader;
  if (place + LOCAL_HEADER + packedSize > end) throw refuse('TRUNCATED', `${quoted(name)} would lie beyond its end`);
  const isExecutable = (mode & 0o100) !== 0;
  return {
    name: tidyName(name),
    isFolder,
    isExecutable,
    isDeflated: method === 8,
    size,
    packedSize,
    crc: raw.crc32,
    place,
  };
}

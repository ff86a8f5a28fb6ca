/** A zip opened for reading: its entries, each one checked, and their bytes as they lie in the archive. */
import { type FileHandle, open } from 'node:fs/promises';
import { type Entry, fromRandomAccessReaderPromise, RandomAccessReader, type ZipFile } from 'yauzl';
import { quoted, readingFailed, zipError } from './zip-error.js';
import { decodeName, nameFault, tidyName } from './zip-name.js';

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
  /** The bytes as they lie in the archive. */
  packed(): AsyncGenerator<Buffer>;
}

export interface OpenZip {
  /** Bytes of the archive. */
  readonly size: number;
  /** Entries, as the directory says. */
  readonly entryCount: number;
  /** @throws ArchiveError for the first entry that is damaged, hostile or of an unknown kind */
  entries(): AsyncGenerator<ZipEntry>;
  close(): Promise<void>;
}

/**
 * Opens an archive and finds its directory.
 *
 * @throws ArchiveError `E_ZIP_NOT_FOUND`, `E_ZIP_READ`, `E_ZIP_NOT_ZIP`, `E_ZIP_TRUNCATED`, `E_ZIP_DAMAGED`
 */
export async function openZip(archive: string): Promise<OpenZip> {
  let file: FileHandle | undefined;
  try {
    file = await open(archive);
    const { size } = await file.stat();
    const start = await file.read(Buffer.alloc(4), 0, 4, 0);
    if (!isZipStart(start.buffer)) throw zipError('E_ZIP_NOT_ZIP', archive, size === 0 ? 'is empty' : 'is not a zip');
    const reader = new FileReader(file, size);
    const zip = await fromRandomAccessReaderPromise(reader, size, { ...LEAVE_TO_US, autoClose: false });
    const handle = file;
    return {
      size,
      entryCount: zip.entryCount,
      entries: () => entries(archive, zip, handle),
      close: () => handle.close(),
    };
  } catch (error) {
    await file?.close();
    if (error instanceof Error && error.message.startsWith('End of central directory')) {
      throw zipError('E_ZIP_TRUNCATED', archive, 'its end is missing', error);
    }
    throw readingFailed(archive, error);
  }
}

/** Whether bytes begin as a zip does: with a file, or with the end of an empty archive. */
export function isZipStart(bytes: Uint8Array): boolean {
  const [p, k, c, d] = bytes;
  return p === 0x50 && k === 0x4b && ((c === 3 && d === 4) || (c === 5 && d === 6));
}

/** yauzl reads the structure; names, sizes and contents are checked here. */
const LEAVE_TO_US = { decodeStrings: false, validateEntrySizes: false };

/** Reads for yauzl, which does not look whether a place lies in the file, and would crash beyond 2⁵³. */
class FileReader extends RandomAccessReader {
  constructor(
    private readonly file: FileHandle,
    private readonly size: number,
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
    if (position + length > this.size) {
      callback(new Error('unexpected EOF'));
      return;
    }
    this.file.read(buffer, offset, length, position).then(
      ({ bytesRead }) => callback(bytesRead < length ? new Error('unexpected EOF') : null),
      (error: unknown) => callback(error instanceof Error ? error : new Error(String(error))),
    );
  }
}

async function* entries(archive: string, zip: ZipFile, file: FileHandle): AsyncGenerator<ZipEntry> {
  try {
    for await (const raw of zip.eachEntry()) yield entryOf(archive, zip, file, raw);
    // Some writers count entries in 16 bits and go on after 65 535: nothing may get lost.
    const end = Number(zip.readEntryCursor);
    if (end > zip.fileSize) throw new Error('unexpected EOF');
    const next = await file.read(Buffer.alloc(4), 0, 4, end);
    if (next.buffer.readUInt32BE() === 0x504b0102) throw new Error('it holds more entries than it says');
  } catch (error) {
    throw readingFailed(archive, error);
  }
}

function entryOf(archive: string, zip: ZipFile, file: FileHandle, raw: Entry): ZipEntry {
  const name = decodeName(raw);
  const shown = quoted(name);
  const fault = nameFault(name);
  if (fault !== undefined) throw zipError('E_ZIP_PATH', archive, `the name ${shown} ${fault}`);
  // The upper half is the Unix mode, where the archive was made on Unix, and otherwise 0.
  const mode = raw.externalFileAttributes >>> 16;
  const type = mode & 0o170000;
  if (type === 0o120000) throw zipError('E_ZIP_SYMLINK', archive, `${shown} is a link`);
  if (type !== 0 && type !== 0o100000 && type !== 0o040000) {
    throw zipError('E_ZIP_SPECIAL', archive, `${shown} is a device, pipe or socket`);
  }
  if (raw.isEncrypted()) throw zipError('E_ZIP_ENCRYPTED', archive, `${shown} is encrypted`);
  const { compressionMethod: method, uncompressedSize: size, compressedSize: packedSize } = raw;
  if (method !== 0 && method !== 8) {
    throw zipError('E_ZIP_METHOD', archive, `${shown} is packed with an unknown method (${method})`);
  }
  const isFolder = name.endsWith('/');
  if (isFolder && size > 0) throw zipError('E_ZIP_DAMAGED', archive, `${shown} is a folder and yet has a content`);
  return {
    name: tidyName(name),
    isFolder,
    isExecutable: (mode & 0o100) !== 0,
    isDeflated: method === 8,
    size,
    packedSize,
    crc: raw.crc32,
    packed: () => packed(archive, zip, file, raw),
  };
}

async function* packed(archive: string, zip: ZipFile, file: FileHandle, raw: Entry): AsyncGenerator<Buffer> {
  try {
    const { fileDataStart } = await zip.readLocalFileHeaderPromise(raw, { minimal: true });
    for (let at = 0; at < raw.compressedSize; ) {
      const length = Math.min(1 << 16, raw.compressedSize - at);
      const { buffer, bytesRead } = await file.read(Buffer.allocUnsafe(length), 0, length, fileDataStart + at);
      if (bytesRead === 0) throw new Error('unexpected EOF');
      at += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  } catch (error) {
    throw readingFailed(archive, error, quoted(decodeName(raw)));
  }
}

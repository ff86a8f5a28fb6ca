/** Zips of any number of files within little memory: each is packed while it comes. Without zip64: at most 4 GiB and 65 535 files. */
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { crc32, createDeflateRaw } from 'node:zlib';
import { MindtsError, systemReason } from '../base/errors.js';
import { replaceFile } from '../base/files.js';
import { quoted, type Refusal, refusalOf } from './archive-error.js';
import { nameFault } from './entry-name.js';

/** A file to be packed. */
export interface FileToPack {
  /** Its parts separated by `/`. */
  readonly name: string;
  readonly content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/**
 * Packs files in the order in which they come; the archive appears when it is whole. The same content always gives the same bytes, for
 * there are no times and owners in it. Sizes stand before each file, so that it can be unpacked while it streams in.
 *
 * @throws ArchiveError `E_ZIP_PATH`, `E_ZIP_DUPLICATE`, `E_ZIP_TOO_LARGE`, `E_ZIP_WRITE`, or the error of a content
 * @example
 * await packZip('out/in.zip', [{ name: 'a.txt', content: [Buffer.from('seven')] }]);
 */
export async function packZip(archive: string, files: AsyncIterable<FileToPack> | Iterable<FileToPack>): Promise<void> {
  const refuse = refusalOf('ZIP', archive);
  try {
    await replaceFile(archive, async (partial) => {
      const file = await open(partial, 'wx');
      try {
        await pack(file, files, refuse);
        await file.sync();
      } finally {
        await file.close();
      }
    });
  } catch (error) {
    const system = error instanceof MindtsError && error.code === 'E_WRITE' ? error.cause : error;
    if (system instanceof MindtsError) throw system;
    throw refuse('WRITE', systemReason(system), error);
  }
}

interface Packed {
  readonly name: Buffer;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  /** Where its header begins. */
  readonly offset: number;
}

const MOST_BYTES = 2 ** 32 - 1;
const MOST_FILES = 2 ** 16 - 1;

async function pack(
  file: FileHandle,
  files: AsyncIterable<FileToPack> | Iterable<FileToPack>,
  refuse: Refusal,
): Promise<void> {
  const packed: Packed[] = [];
  const names = new Set<string>();
  let end = 0;
  for await (const { name, content } of files) {
    const fault = nameFault(name);
    if (fault !== undefined) throw refuse('PATH', `the name ${quoted(name)} ${fault}`);
    if (names.has(name)) throw refuse('DUPLICATE', `${quoted(name)} would be there twice`);
    names.add(name);
    const entry = await packFile(file, Buffer.from(name), content, end);
    packed.push(entry);
    end += LOCAL_BYTES + entry.name.length + entry.packedSize;
    if (end > MOST_BYTES || entry.size > MOST_BYTES || packed.length > MOST_FILES) {
      throw refuse('TOO_LARGE', `more than ${MOST_BYTES} bytes or ${MOST_FILES} files cannot be packed`);
    }
  }
  const directory = Buffer.concat(packed.map(directoryEntry));
  await writeAt(file, Buffer.concat([directory, endRecord(packed.length, directory.length, end)]), end);
}

/** Leaves room for the header, which is written when the sizes are known. */
async function packFile(
  file: FileHandle,
  name: Buffer,
  content: FileToPack['content'],
  offset: number,
): Promise<Packed> {
  let [crc, size, packedSize] = [0, 0, 0];
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of content) {
      crc = crc32(chunk, crc);
      size += chunk.length;
      yield chunk;
    }
  }
  const start = offset + LOCAL_BYTES + name.length;
  await pipeline(counted(), createDeflateRaw(), async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) {
      await writeAt(file, chunk, start + packedSize);
      packedSize += chunk.length;
    }
  });
  const entry = { name, crc, size, packedSize, offset };
  await writeAt(file, localHeader(entry), offset);
  return entry;
}

// APPNOTE.TXT 6.3.10, 4.3: the numbers below are its fields, in their order.

const LOCAL_BYTES = 30;
const VERSION = 20;
const UTF8_NAME = 0x800;
const DEFLATED = 8;
/** The first day that the format knows. */
const DAY = 0x21;
/** Unix's mode of a plain file that all may read, in the upper half of the attributes. */
const PLAIN_FILE = 0o100644;
/** Made under Unix, so that the mode counts. */
const UNIX = 3 << 8;

function localHeader({ name, crc, packedSize, size }: Packed): Buffer {
  return Buffer.concat([
    words([4, 0x04034b50], [2, VERSION], [2, UTF8_NAME], [2, DEFLATED], [2, 0], [2, DAY]),
    words([4, crc], [4, packedSize], [4, size], [2, name.length], [2, 0]),
    name,
  ]);
}

function directoryEntry({ name, crc, packedSize, size, offset }: Packed): Buffer {
  return Buffer.concat([
    words([4, 0x02014b50], [2, UNIX | VERSION], [2, VERSION], [2, UTF8_NAME], [2, DEFLATED], [2, 0], [2, DAY]),
    words([4, crc], [4, packedSize], [4, size], [2, name.length], [2, 0], [2, 0], [2, 0], [2, 0]),
    words([2, 0], [2, PLAIN_FILE], [4, offset]),
    name,
  ]);
}

function endRecord(files: number, directoryBytes: number, offset: number): Buffer {
  return words([4, 0x06054b50], [2, 0], [2, 0], [2, files], [2, files], [4, directoryBytes], [4, offset], [2, 0]);
}

/** Numbers of so many bytes each, the lowest byte first. */
function words(...fields: readonly (readonly [bytes: number, value: number])[]): Buffer {
  return Buffer.concat(
    fields.map(([bytes, value]) => {
      const field = Buffer.alloc(bytes);
      field.writeUIntLE(value, 0, bytes);
      return field;
    }),
  );
}

async function writeAt(file: FileHandle, data: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < data.length; ) {
    const { bytesWritten } = await file.write(data, at, data.length - at, position + at);
    at += bytesWritten;
  }
}

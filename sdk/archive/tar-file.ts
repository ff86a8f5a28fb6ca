/**
 * The entries of a tar as they come by, in whatever form: V7, ustar, GNU or pax. The `tar` package reads the numbers and the
 * kind out of a header. It reads names as UTF-8 alone, and what is in a pax header line by line, so that those are read here.
 */
import { Header } from 'tar/header';
import { quoted, type Refusal } from './archive-error.js';
import { HEAD_BYTES, hasTarMark, tarHeader } from './archive-kind.js';
import type { ByteReader } from './byte-reader.js';
import { decodeBytes, nameFault, tidyName } from './entry-name.js';

/** A file or folder in a tar, of a kind and name that are safe to write. */
export interface TarEntry {
  /** The name below the folder, its parts separated by `/`; empty for the folder itself. */
  readonly name: string;
  readonly isFolder: boolean;
  readonly isExecutable: boolean;
  readonly size: number;
}

/**
 * All entries, up to the mark at the end; between one and the next, its content may be read from the same reader. After the last
 * one the reader stands behind the mark.
 *
 * @throws ArchiveError `E_TAR_NOT_TAR`, `E_TAR_TRUNCATED`, `E_TAR_DAMAGED`, `E_TAR_PATH`, `E_TAR_SYMLINK`, `E_TAR_SPECIAL`, `E_TAR_SPARSE`
 */
export async function* tarEntries(reader: ByteReader, refuse: Refusal): AsyncGenerator<TarEntry> {
  for (;;) {
    const found = await nextHeader(reader, refuse);
    if (found === undefined) return;
    const entry = entryOf(found, refuse);
    const end = reader.position + padded(entry.size);
    yield entry;
    await reader.skip(end - reader.position);
  }
}

/** Whether a block is one of those that mark the end. */
export function isEndBlock(block: Buffer): boolean {
  return block.equals(ZEROS);
}

const ZEROS = Buffer.alloc(HEAD_BYTES);
/** A name has at most 4096 bytes or so; whoever wants more memory than this wants no good. */
const MOST_EXTENDED = 1 << 20;

/** What earlier headers say of the next file, over what its own says. */
interface Extended {
  path?: Buffer;
  size?: number;
}

interface Found {
  readonly header: Header;
  readonly name: string;
}

/** The header of the next file, with what those before it say of it; undefined at the end. */
async function nextHeader(reader: ByteReader, refuse: Refusal): Promise<Found | undefined> {
  const extended: Extended = {};
  for (let isExtended = false; ; ) {
    const { position } = reader;
    const block = await reader.take(HEAD_BYTES);
    if (isEndBlock(block) && !isExtended && position > 0) return undefined;
    const header = tarHeader(block);
    if (header === undefined) throw noHeader(block, position, refuse);
    switch (header.type) {
      case 'ExtendedHeader':
      case 'OldExtendedHeader':
        Object.assign(extended, extendedBy(await content(header, reader, refuse), refuse));
        isExtended = true;
        break;
      case 'NextFileHasLongPath':
        extended.path ??= untilNul(await content(header, reader, refuse));
        isExtended = true;
        break;
      case 'NextFileHasLongLinkpath':
        // The link itself is refused when it comes.
        await content(header, reader, refuse);
        isExtended = true;
        break;
      case 'GlobalExtendedHeader':
        checkGlobal(await content(header, reader, refuse), refuse);
        break;
      default: {
        const name = decodeBytes(extended.path ?? nameIn(block));
        // Not the cut name alone: by its last character the oldest form tells a folder, which has no size, from a file.
        return { header: isExtended ? new Header(block, 0, { ...extended, path: name }) : header, name };
      }
    }
  }
}

function noHeader(block: Buffer, position: number, refuse: Refusal): Error {
  if (position > 0) return refuse('DAMAGED', `has no header at byte ${position}, where one should be`);
  return hasTarMark(block) ? refuse('DAMAGED', 'its first header is damaged') : refuse('NOT_TAR', 'is not a tar');
}

function entryOf({ header, name }: Found, refuse: Refusal): TarEntry {
  const { type, mode = 0, size } = header;
  const isFolder = type === 'Directory';
  const fault = nameFault(isFolder ? `${name}/` : name);
  if (fault !== undefined) throw refuse('PATH', `the name ${quoted(name)} ${fault}`);
  switch (type) {
    case 'File':
    case 'OldFile':
    case 'ContiguousFile':
    case 'Directory':
      break;
    case 'Link':
    case 'SymbolicLink':
      throw refuse('SYMLINK', `${quoted(name)} is a link`);
    case 'SparseFile':
      throw refuse('SPARSE', `${quoted(name)} is a sparse file`);
    case 'CharacterDevice':
    case 'BlockDevice':
    case 'FIFO':
      throw refuse('SPECIAL', `${quoted(name)} is a device or pipe`);
    default:
      throw refuse('SPECIAL', `${quoted(name)} is of a kind that is not known (${type})`);
  }
  if (size === undefined || !Number.isSafeInteger(size) || size < 0) {
    throw refuse('DAMAGED', `${quoted(name)} has a size that is no number`);
  }
  return { name: tidyName(name), isFolder, isExecutable: (mode & 0o100) !== 0, size };
}

/** The name in a header itself: 100 bytes, and in the POSIX form up to 155 before them. */
function nameIn(block: Buffer): Buffer {
  const name = untilNul(block.subarray(0, 100));
  const isPosix = block.toString('latin1', 257, 263) === 'ustar\0';
  const prefix = isPosix ? untilNul(block.subarray(345, 500)) : ZEROS.subarray(0, 0);
  return prefix.length === 0 ? name : Buffer.concat([prefix, Buffer.from('/'), name]);
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0);
  return end < 0 ? bytes : bytes.subarray(0, end);
}

/** What stands after a header that is about another, as a copy. */
async function content({ size = 0 }: Header, reader: ByteReader, refuse: Refusal): Promise<Buffer> {
  if (size > MOST_EXTENDED) throw refuse('DAMAGED', `has a name, or the like, of ${size} bytes`);
  const bytes = Buffer.from(await reader.take(size));
  await reader.skip(padded(size) - size);
  return bytes;
}

function padded(size: number): number {
  return Math.ceil(size / HEAD_BYTES) * HEAD_BYTES;
}

function extendedBy(data: Buffer, refuse: Refusal): Extended {
  const records = paxRecords(data, refuse);
  const [path, size] = [records.get('path'), records.get('size')?.toString('latin1')];
  if ([...records.keys()].some((key) => key.startsWith('GNU.sparse.'))) {
    const name = records.get('GNU.sparse.name') ?? path;
    throw refuse('SPARSE', `${name === undefined ? 'one of its files' : quoted(decodeBytes(name))} is a sparse file`);
  }
  if (size !== undefined && !/^\d{1,15}$/.test(size)) {
    throw refuse('DAMAGED', `says in a header that a size is ${quoted(size)}`);
  }
  // An empty value takes an earlier one back: then the header's own counts.
  return { ...(path?.length ? { path } : {}), ...(size === undefined ? {} : { size: Number(size) }) };
}

/** What is said of all files is comments, times and owners; what it may not be is where they lie and how long they are. */
function checkGlobal(data: Buffer, refuse: Refusal): void {
  const key = [...paxRecords(data, refuse).keys()].find((name) => /^(path|size|GNU\.sparse\..*)$/.test(name));
  if (key !== undefined) throw refuse('DAMAGED', `sets ${quoted(key)} for all its files`);
}

/** The records of a pax header, `27 path=…\n`, by their keys; the number counts all bytes of its record. */
function paxRecords(data: Buffer, refuse: Refusal): ReadonlyMap<string, Buffer> {
  const records = new Map<string, Buffer>();
  for (let at = 0; at < data.length; ) {
    const digits = /^(\d{1,7}) /.exec(data.toString('latin1', at, at + 8))?.[1];
    const end = at + Number(digits);
    const equals = data.indexOf('=', at);
    if (digits === undefined || data[end - 1] !== 0x0a || equals < 0 || equals >= end) {
      throw refuse('DAMAGED', 'has an extended header that cannot be read');
    }
    records.set(data.toString('utf8', at + digits.length + 1, equals), data.subarray(equals + 1, end - 1));
    at = end;
  }
  return records;
}

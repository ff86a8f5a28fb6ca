/** Zips made byte by byte, right or wrong as a test needs them. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface Crafted {
  readonly name: string | Buffer;
  readonly data?: Buffer;
  /** 0 stored (default), 8 deflated; anything else is written as it is, without packing. */
  readonly method?: number;
  readonly flags?: number;
  /** The Unix mode, file type included; default none, as archives made on Windows have it. */
  readonly mode?: number;
  readonly extra?: Buffer;
  /** What the directory says in place of the truth. */
  readonly size?: number;
  readonly packedSize?: number;
  readonly crc?: number;
  readonly offset?: number;
}

export interface CraftedEnd {
  /** How many entries the end says there are. */
  readonly count?: number;
  readonly disk?: number;
}

export function craftZip(entries: readonly Crafted[], { count = entries.length, disk = 0 }: CraftedEnd = {}): Buffer {
  const files: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const entry of entries) {
    const { data = Buffer.alloc(0), method = 0, flags = 0, mode = 0, extra = Buffer.alloc(0), offset = at } = entry;
    const name = Buffer.from(entry.name);
    const packed = method === 8 ? deflateRawSync(data, { level: 9 }) : data;
    const { size = data.length, packedSize = packed.length, crc = crc32(data) } = entry;
    // What the local header and the directory have in common: flags, method, time, date, CRC, sizes, name length.
    const common = Buffer.concat([u16(flags, method, 0, 33), u32(crc, packedSize, size), u16(name.length)]);
    const local = Buffer.concat([u32(0x04034b50), u16(20), common, u16(0), name, packed]);
    const made = mode === 0 ? 20 : 0x0314;
    directory.push(
      Buffer.concat([u32(0x02014b50), u16(made, 20), common, u16(extra.length, 0, 0, 0)]),
      Buffer.concat([u32((mode << 16) >>> 0, offset), name, extra]),
    );
    files.push(local);
    at += local.length;
  }
  const list = Buffer.concat(directory);
  const end = Buffer.concat([u32(0x06054b50), u16(disk, disk, count, count), u32(list.length, at), u16(0)]);
  return Buffer.concat([...files, list, end]);
}

/** The end of an archive in its 64-bit form, to be put in the place of the last 22 bytes of another. */
export function zip64End(count: bigint, offset: bigint, at: number): Buffer {
  const record = Buffer.concat([u32(0x06064b50), u64(44n), u16(45, 45), u32(0, 0), u64(count, count, 0n, offset)]);
  const locator = Buffer.concat([u32(0x07064b50, 0), u64(BigInt(at)), u32(1)]);
  const end = Buffer.concat([u32(0x06054b50), u16(0, 0, 0xffff, 0xffff), u32(0xffffffff, 0xffffffff), u16(0)]);
  return Buffer.concat([record, locator, end]);
}

/** The extra field 0x7075, Info-ZIP's Unicode path. */
export function unicodePath(name: Buffer, unicode: string): Buffer {
  const content = Buffer.concat([Buffer.of(1), u32(crc32(name)), Buffer.from(unicode)]);
  return Buffer.concat([u16(0x7075, content.length), content]);
}

function u16(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(2 * values.length);
  values.forEach((value, i) => bytes.writeUInt16LE(value, 2 * i));
  return bytes;
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  values.forEach((value, i) => bytes.writeUInt32LE(value, 4 * i));
  return bytes;
}

function u64(...values: readonly bigint[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeBigUInt64LE(value, 8 * i));
  return bytes;
}

/** Archives as large as ImageNet's, in a process that has nothing else to do, so that its memory is theirs. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { crc32 } from 'node:zlib';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { zip64End } from './craft.js';

const GIB = 2 ** 30;
const HUGE = 4 * GIB + 4096;
const SMALL_FILES = 100_000;

/** Unpacks in a process of its own, and says what came out and the most memory that was used. */
function unpackApart(archive: string, out: string): { files: number; peak: number } {
  const built = pathToFileURL(join(packageRoot, 'dist/sdk/archive/unpack.js')).href;
  const script = `
    import { unpack } from ${JSON.stringify(built)};
    const done = await unpack(...process.argv.slice(1));
    console.log(JSON.stringify({ ...done, peak: process.resourceUsage().maxRSS * 1024 }));`;
  const said = execFileSync(process.execPath, ['--input-type=module', '-e', script, archive, out], {
    encoding: 'utf8',
  });
  const { files, peak }: { files: number; peak: number } = JSON.parse(said);
  return { files, peak };
}

/** CRC-32 of so many zeros. */
function crcOfZeros(length: number): number {
  const chunk = Buffer.alloc(1 << 20);
  let crc = 0;
  for (let left = length; left > 0; left -= chunk.length)
    crc = crc32(chunk.subarray(0, Math.min(left, chunk.length)), crc);
  return crc;
}

function u64(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(8 * values.length);
  values.forEach((value, i) => bytes.writeBigUInt64LE(BigInt(value), 8 * i));
  return bytes;
}

/** A local header, or with `place` a directory entry, of a stored file; sizes and place stand in the 64-bit extra field. */
function header({ name, size, crc, place }: { name: string; size: number; crc: number; place?: number }): Buffer {
  const inDirectory = place !== undefined;
  const extra = Buffer.concat([
    Buffer.of(1, 0, inDirectory ? 24 : 16, 0),
    u64(size, size, ...(inDirectory ? [place] : [])),
  ]);
  const fixed = Buffer.alloc(inDirectory ? 46 : 30);
  fixed.writeUInt32LE(inDirectory ? 0x02014b50 : 0x04034b50);
  const common = inDirectory ? 6 : 4;
  fixed.writeUInt16LE(45, common);
  fixed.writeUInt32LE(crc, common + 10);
  fixed.writeUInt32LE(0xffffffff, common + 14);
  fixed.writeUInt32LE(0xffffffff, common + 18);
  fixed.writeUInt16LE(name.length, common + 22);
  fixed.writeUInt16LE(extra.length, common + 24);
  if (inDirectory) fixed.writeUInt32LE(0xffffffff, 42);
  return Buffer.concat([fixed, Buffer.from(name), extra]);
}

/** A zip of one file of more than 4 GiB of zeros, which are a hole on the disk, and many small ones behind it. */
function makeZip64(path: string): void {
  const file = openSync(path, 'w');
  const directory: Buffer[] = [];
  const write = (bytes: Buffer, at: number): number => writeSync(file, bytes, 0, bytes.length, at);
  let end = 0;
  const add = (name: string, content: Buffer | number): void => {
    const size = typeof content === 'number' ? content : content.length;
    const crc = typeof content === 'number' ? crcOfZeros(content) : crc32(content);
    const local = header({ name, size, crc });
    directory.push(header({ name, size, crc, place: end }));
    write(typeof content === 'number' ? local : Buffer.concat([local, content]), end);
    end += local.length + size;
  };
  add('zeros', HUGE);
  for (let i = 0; i < SMALL_FILES; i++) add(`${i % 1000}/${i}.txt`, Buffer.from(`file ${i}`));
  const list = Buffer.concat(directory);
  write(list, end);
  const tail = zip64End(BigInt(directory.length), BigInt(end), end + list.length);
  write(tail, end + list.length);
  closeSync(file);
}

const folder = join(packageRoot, '.tap', 'large');
mkdirSync(folder, { recursive: true });
const { bavail, bsize } = statfsSync(folder);
const noRoom = bavail * bsize < 12 * GIB && 'less than 12 GiB of disk are free';
const notBuilt = !existsSync(join(packageRoot, 'dist/sdk/archive/unpack.js')) && 'not built';
const skip = noRoom || notBuilt;

test('a zip of more than 4 GiB and 100 000 files is unpacked in less than 200 MB of memory', { skip }, async (t) => {
  t.teardown(() => rmSync(folder, { recursive: true }));
  const [archive, out] = [join(folder, 'in.zip'), join(folder, 'out')];
  makeZip64(archive);
  const { files, peak } = unpackApart(archive, out);
  t.equal(files, SMALL_FILES + 1);
  t.equal(statSync(join(out, 'zeros')).size, HUGE);
  const folders = readdirSync(out).filter((name) => name !== 'zeros');
  const found = folders.map((name) => readdirSync(join(out, name)).length);
  t.equal(
    found.reduce((a, b) => a + b),
    SMALL_FILES,
  );
  t.ok(peak < 200e6, `${(peak / 1e6).toFixed(0)} MB`);
});

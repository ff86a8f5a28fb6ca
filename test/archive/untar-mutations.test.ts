import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import { untar } from '../../sdk/archive/untar.js';
import { seededRandom } from '../../sdk/base/random.js';
import { craftTar, paxRecords } from './craft-tar.js';
import { fate, mutated } from './mutate.js';

const ENTRIES = [
  { name: 'train/', type: '5' },
  { name: 'train/images', data: Buffer.alloc(500, 'mindts') },
  { name: 'x', type: 'x', data: paxRecords({ path: '手写', mtime: '1.5' }) },
  { name: 'cut', data: Buffer.from('0123456789'), mode: 0o755 },
  { name: '././@LongLink', type: 'L', data: Buffer.from('long/name\0') },
  { name: 'long', data: Buffer.from('x') },
];

/** With the checksums of all headers made right again, so that what else is wrong is met. */
function healed(tar: Buffer): Buffer {
  const bytes = Buffer.from(tar);
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    const block = bytes.subarray(at, at + 512);
    if (block.toString('latin1', 257, 262) !== 'ustar') continue;
    block.fill(' ', 148, 156);
    block.write(
      `${block
        .reduce((a, b) => a + b)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    );
  }
  return bytes;
}

/** One field of a header changed: its name, mode, size, kind, mark or prefix. */
function twisted(tar: Buffer): Buffer {
  const bytes = Buffer.from(tar);
  const header = 512 * random.below(tar.length / 512);
  const field = [0, 100, 124, 156, 257, 345][random.below(6)] ?? 0;
  const values = [
    '../',
    '/',
    '0',
    '1',
    '2',
    '5',
    '7',
    'S',
    'K',
    'L',
    'g',
    'x',
    '\x80',
    '\xff',
    '9999999',
    '00000077777',
    '00000077777',
    '77777777777',
  ];
  bytes.write(values[random.below(values.length)] ?? '', header + field, 'latin1');
  return bytes;
}

const random = seededRandom(1, 'mutations');

test('of thousands of damaged tars each is unpacked or refused, and nothing gets outside', async (t) => {
  const tar = craftTar(ENTRIES);
  const folder = t.testdir({});
  const seen = new Map<string, number>();
  for (let run = 0; run < 1500; run++) {
    const damaged = run % 2 === 0 ? twisted(tar) : mutated(tar, random);
    const archive = run % 8 === 1 ? damaged : healed(damaged);
    const code = await fate(folder, run % 5 === 1 ? gzipSync(archive, { level: 1 }) : archive, untar);
    seen.set(code, (seen.get(code) ?? 0) + 1);
  }
  t.comment(Object.fromEntries(seen));
  const met = ['NOT_TAR', 'TRUNCATED', 'DAMAGED', 'PATH', 'SPECIAL', 'SYMLINK', 'SPARSE', 'DUPLICATE'].map(
    (fault) => `E_TAR_${fault}`,
  );
  for (const code of ['unpacked', ...met]) t.ok(seen.has(code), code);
});

test('of thousands of damaged tar.gz each is unpacked right or refused', async (t) => {
  const packed = gzipSync(craftTar(ENTRIES));
  const folder = t.testdir({});
  const images = join(folder, 'out/train/images');
  const seen = new Map<string, number>();
  for (let run = 0; run < 1000; run++) {
    const code = await fate(folder, mutated(packed, random), untar);
    seen.set(code, (seen.get(code) ?? 0) + 1);
    if (existsSync(images) && !readFileSync(images).equals(Buffer.alloc(500, 'mindts'))) t.fail(`run ${run}: content`);
  }
  t.comment(Object.fromEntries(seen));
  for (const code of ['unpacked', 'E_TAR_DAMAGED', 'E_TAR_TRUNCATED', 'E_TAR_CRC']) t.ok(seen.has(code), code);
});

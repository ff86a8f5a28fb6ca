import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import AdmZip from 'adm-zip';
import * as fc from 'fast-check';
import { test } from 'tap';
import { DatasetError, StorageError } from '../../sdk/base/errors.js';
import { decodeIdx, encodeIdx, readIdx } from '../../sdk/dataset/idx.js';

const small = encodeIdx([2, 3], Uint8Array.of(1, 2, 3, 4, 5, 6));

test('a header is two zeros, type, number of dimensions and big-endian sizes', async (t) => {
  t.same([...small], [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6]);
  t.same(decodeIdx(small, 'small'), { shape: [2, 3], data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
});

test('what is encoded is decoded again', async () => {
  const shapes = fc.array(fc.nat(6), { minLength: 1, maxLength: 5 });
  const idx = shapes.chain((shape) => {
    const length = shape.reduce((a, b) => a * b, 1);
    return fc.record({ shape: fc.constant(shape), data: fc.uint8Array({ minLength: length, maxLength: length }) });
  });
  fc.assert(
    fc.property(idx, ({ shape, data }) => {
      const decoded = decodeIdx(encodeIdx(shape, data), 'x');
      return String(decoded.shape) === String(shape) && Buffer.compare(decoded.data, data) === 0;
    }),
  );
});

test('the data are a view of the bytes, also when those are a view themselves', async (t) => {
  const padded = new Uint8Array(small.length + 5);
  padded.set(small, 5);
  const { shape, data } = decodeIdx(padded.subarray(5), 'padded');
  t.same(shape, [2, 3]);
  t.equal(data.buffer, padded.buffer);
});

test('a file cut at any byte is refused, naming the bytes needed and found', async (t) => {
  for (let length = 0; length < small.length; length++) {
    const needed = length < 4 ? 8 : length < 12 ? 12 : 18; // a header of one dimension is the shortest
    const message = new RegExp(`^cut\\.idx: .* ${needed} bytes are needed .* ${length} are there`);
    t.throws(() => decodeIdx(small.subarray(0, length), 'cut.idx'), { code: 'E_IDX_TRUNCATED', message });
  }
});

test('a file that is too long is refused, naming the bytes announced and found', async (t) => {
  const long = Buffer.concat([small, Buffer.of(0)]);
  const message = /^long\.idx: .* announces 18 bytes and 19 are there/;
  t.throws(() => decodeIdx(long, 'long.idx'), { code: 'E_IDX_TRAILING', message });
});

test('what is not IDX is refused, showing how it starts', async (t) => {
  const message = /^page\.idx: not an IDX file: .* 3c 68 74 6d /;
  t.throws(() => decodeIdx(Buffer.from('<html>404</html>'), 'page.idx'), { code: 'E_IDX_MAGIC', message });
  t.throws(() => decodeIdx(Uint8Array.of(0, 0, 7, 1, 0, 0, 0, 0), 'x'), { code: 'E_IDX_MAGIC' });
});

test('elements that are not unsigned bytes are refused, saying what they are', async (t) => {
  for (const [type, name] of [
    [9, 'signed bytes'],
    [11, '16-bit'],
    [12, '32-bit int'],
    [13, '32-bit f'],
    [14, '64-bit f'],
  ]) {
    const bytes = Uint8Array.from([0, 0, Number(type), 1, 0, 0, 0, 0]);
    t.throws(() => decodeIdx(bytes, 'x'), { code: 'E_IDX_TYPE', message: new RegExp(String(name)) });
  }
});

test('dimensions that no file has are refused', async (t) => {
  const none = Uint8Array.of(0, 0, 8, 0, 1);
  const huge = new Uint8Array(4 + 4 * 255).fill(255);
  huge.set([0, 0, 8, 255]);
  for (const bytes of [none, huge]) t.throws(() => decodeIdx(bytes, 'x'), { code: 'E_IDX_DIMENSIONS' });
});

test('a shape that cannot be written is refused', async (t) => {
  const data = Uint8Array.of(1, 2);
  for (const shape of [[], [3], [-1, -2], [1.5], [2 ** 32, 0], Array.from({ length: 256 }, () => 1)]) {
    t.throws(() => encodeIdx(shape, data), { code: 'E_IDX_DIMENSIONS' });
  }
});

test('any change of any byte is refused as a data set error, or gives an array that fits its shape', async () => {
  fc.assert(
    fc.property(fc.nat(small.length - 1), fc.nat(255), (position, value) => {
      const { shape, data } = orRefused(() => decodeIdx(small.with(position, value), 'mutated')) ?? NOTHING;
      return shape.reduce((a, b) => a * b, 1) === data.length;
    }),
    { numRuns: 2000 },
  );
});

test('a file is read plain or gzipped, whatever its name', async (t) => {
  const folder = t.testdir();
  const large = encodeIdx(
    [500, 1000],
    Uint8Array.from({ length: 500_000 }, (_, i) => (i * i) >> 5),
  ); // many chunks
  for (const idx of [small, large]) {
    for (const [name, bytes] of Object.entries({
      plain: idx,
      'x.gz': gzipSync(idx),
      'plain.gz': idx,
      x: gzipSync(idx),
    })) {
      await writeFile(join(folder, name), bytes);
      t.same(await readIdx(join(folder, name)), decodeIdx(idx, name), name);
    }
  }
});

test('a gzip that is cut at any byte is refused, naming the file', async (t) => {
  const path = join(t.testdir(), 'cut.gz');
  const whole = gzipSync(small);
  for (let length = 0; length < whole.length; length++) {
    await writeFile(path, whole.subarray(0, length));
    await t.rejects(readIdx(path), { name: 'DatasetError', message: /cut\.gz/ }, `cut at ${length}`);
  }
});

test('a gzip with a changed bit is refused, or gives the same array', async (t) => {
  const path = join(t.testdir(), 'flipped.gz');
  const whole = gzipSync(small);
  for (let bit = 0; bit < 8 * whole.length; bit++) {
    await writeFile(path, whole.with(bit >> 3, whole[bit >> 3] ^ (1 << (bit & 7))));
    try {
      t.same((await readIdx(path)).data, decodeIdx(small, path).data, `bit ${bit}`);
    } catch (error) {
      t.ok(error instanceof DatasetError && error.code.startsWith('E_IDX_'), `bit ${bit}: ${String(error)}`);
    }
  }
});

test('a gzip bomb is left as soon as it gives more than its header announces', async (t) => {
  const path = join(t.testdir(), 'bomb.gz');
  await writeFile(path, gzipSync(Buffer.concat([small, Buffer.alloc(2 ** 26)])));
  const message = /announces 18 bytes and at least \d{2,5} are there/; // of 67 million
  await t.rejects(readIdx(path), { code: 'E_IDX_TRAILING', message });
});

test('a gzip that announces more than the limit is refused before it is inflated', async (t) => {
  const path = join(t.testdir(), 'huge.gz');
  await writeFile(path, gzipSync(Uint8Array.of(0, 0, 8, 1, 0xff, 0, 0, 0)));
  await t.rejects(readIdx(path), { code: 'E_IDX_TOO_LARGE', message: /4278190088 bytes/ });
});

test('a file larger than the limit is refused, and one as large is read', async (t) => {
  const folder = t.testdir({ plain: Buffer.from(small), zipped: gzipSync(encodeIdx([100], new Uint8Array(100))) });
  await t.rejects(readIdx(join(folder, 'plain'), { maxBytes: 17 }), { code: 'E_IDX_TOO_LARGE', message: /18 bytes/ });
  await t.rejects(readIdx(join(folder, 'zipped'), { maxBytes: 107 }), {
    code: 'E_IDX_TOO_LARGE',
    message: /108 bytes/,
  });
  t.equal((await readIdx(join(folder, 'plain'), { maxBytes: 18 })).data.length, 6);
  t.equal((await readIdx(join(folder, 'zipped'), { maxBytes: 108 })).data.length, 100);
});

test('a file that is missing, or a folder, is named with the reason', async (t) => {
  const folder = t.testdir();
  await t.rejects(
    readIdx(join(folder, 'none')),
    new StorageError('E_READ', `cannot read ${join(folder, 'none')}: no such file or folder`),
  );
  await t.rejects(readIdx(folder), { code: 'E_READ', message: /it is a folder/ });
});

const mnist = join(import.meta.dirname, '../../../shared/data/MNISTData.zip');
const absent = existsSync(mnist) ? false : 'no shared/data/MNISTData.zip beside the repository';

test('MNIST itself is read, and written again byte for byte', { skip: absent }, async (t) => {
  const zip = new AdmZip(mnist);
  const labels = zip.readFile('test/t10k-labels-idx1-ubyte') ?? Buffer.of();
  const images = zip.readFile('test/t10k-images-idx3-ubyte') ?? Buffer.of();
  t.same([...decodeIdx(labels, 'labels').data.subarray(0, 10)], [7, 2, 1, 0, 4, 1, 4, 9, 5, 9]);
  const { shape, data } = decodeIdx(images, 'images');
  t.same(shape, [10000, 28, 28]);
  t.ok(Buffer.compare(encodeIdx(shape, data), images) === 0);
  const path = join(t.testdir(), 'images');
  await writeFile(path, gzipSync(images, { level: 1 }));
  t.ok(Buffer.compare((await readIdx(path)).data, data) === 0);
});

const NOTHING = { shape: [0], data: new Uint8Array(0) };

/** What `decode` returns, or undefined when it is refused as it should be. */
function orRefused<T>(decode: () => T): T | undefined {
  try {
    return decode();
  } catch (error) {
    if (error instanceof DatasetError && error.code.startsWith('E_IDX_') && error.message.startsWith('mutated: '))
      return undefined;
    throw error;
  }
}

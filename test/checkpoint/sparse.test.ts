/** Sparse files: what they hold, how large they are, and what they refuse. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { checksum } from '../../sdk/checkpoint/checksum.js';
import { decodeBody, decodeSparse, encodeSparse, toDense, toSparse } from '../../sdk/checkpoint/sparse.js';
import type { Float32Tensor, TensorFile } from '../../sdk/checkpoint/tensor-file.js';
import { LeNet300100 } from '../../sdk/nn/lenet.js';
import { codeOf, floats, tensorFile } from './files.js';
import { mutated } from './mutate.js';

const HEAD = 12;
const sample = tensorFile(
  {
    'fc1.weight': floats(
      [3, 40],
      ...Array.from({ length: 120 }, (_, i) => ([0, 39, 41, 119].includes(i) ? i + 0.5 : 0)),
    ),
    'fc1.bias': floats([3], 0, 0, -1),
    scalar: floats([], 7),
    none: floats([0, 5]),
    empty: floats([2, 2], 0, 0, 0, 0),
  },
  { network: 'lenet300-100', note: 'é' },
);

const bits = (data: Float32Array) => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex');
function plain(
  tensors: Iterable<readonly [string, { readonly shape: readonly number[]; readonly data: Float32Array | Int32Array }]>,
) {
  return Array.from(tensors, ([name, { shape, data }]) => [name, shape, bits(Float32Array.from(data))]);
}
const readBack = (file: TensorFile) => {
  const { tensors, texts } = decodeSparse(encodeSparse(file), 'x');
  return { tensors: Array.from(tensors, ([name, tensor]): [string, Float32Tensor] => [name, toDense(tensor)]), texts };
};

test('what is written is read, zeros and all', async (t) => {
  const { tensors, texts } = readBack(sample);
  t.same(plain(tensors), plain(sample.tensors));
  t.same([...texts], [...sample.texts]);
});

test('any tensors are, of any shape and however sparse, and always as the same bytes', async () => {
  const shape = fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 4 });
  const tensor = fc.tuple(shape, fc.constantFrom(0, 0.01, 0.1, 1), fc.nat()).map(([shape, part, seed]) => {
    const random = seededRandom(seed);
    const size = shape.reduce((a, b) => a * b, 1);
    return floats(shape, ...Array.from({ length: size }, () => (random.uniform() < part ? random.normal() : 0)));
  });
  fc.assert(
    fc.property(fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 5 }), tensor, { maxKeys: 4 }), (tensors) => {
      const file = tensorFile(tensors);
      const again = readBack(file);
      return (
        JSON.stringify(plain(again.tensors)) === JSON.stringify(plain(file.tensors)) &&
        Buffer.compare(encodeSparse(tensorFile(Object.fromEntries(again.tensors))), encodeSparse(file)) === 0
      );
    }),
    { numRuns: 300, seed: 1 },
  );
});

test('the bits of a value stay, those of NaN and infinity too; −0 becomes 0', async (t) => {
  const data = new Float32Array(Uint32Array.of(0x7fc12345, 0xff800000, 1, 0x80000000).buffer);
  const [[, { data: again }]] = readBack(tensorFile({ x: { shape: [4], data } })).tensors;
  t.equal(bits(again), bits(data).replace(/00000080$/, '00000000'));
});

test('the layout is the documented one, to the byte', async (t) => {
  // One row of 40 columns with values in 0 and 11: gaps of 0 and 10. In 2 bits they are 0, 3 3 3 1; in 3 bits 0, 7 3; in 4 bits 0, 10.
  const row = floats([1, 40], ...Array.from({ length: 40 }, (_, i) => (i === 0 ? 1 : i === 11 ? -2 : 0)));
  const bytes = Buffer.from(encodeSparse(tensorFile({ w: row })));
  const body = bytes.subarray(HEAD);
  t.equal(bytes.toString('latin1', 0, 4), 'MTSP');
  t.equal(bytes.readUInt32LE(4), 1);
  t.equal(bytes.readUInt32LE(8), checksum([body]));
  const [g, k] = [body[23], body.readUInt32LE(28)];
  t.same([...body.subarray(0, 22)], [0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0x77, 2, 1, 0, 0, 0, 40, 0, 0, 0]);
  t.equal(body[22], 2, 'a row of two values: counts of two bits');
  t.equal(body.readUInt32LE(24), 2, 'values');
  t.same([g, k], [4, 2], '2 · 4 bits are fewer than 3 · 3 and 5 · 2');
  t.same([...body.subarray(32)], [0b10, 0b1010_0000, 0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
});

test('a tensor may have more rows than a call may have arguments', async (t) => {
  const data = new Float32Array(300_000);
  data[299_999] = 1;
  const [[, again]] = readBack(tensorFile({ w: { shape: [300_000, 1], data } })).tensors;
  t.equal(Buffer.compare(Buffer.from(again.data.buffer), Buffer.from(data.buffer)), 0);
});

test('gaps beyond a code are passed over in several', async (t) => {
  const row = new Float32Array(5000);
  for (let i = 0; i < 100; i++) row[i] = 1;
  row[4999] = 2;
  const { tensors } = decodeSparse(encodeSparse(tensorFile({ w: { shape: [1, 5000], data: row } })), 'x');
  t.same(tensors.get('w'), toSparse({ shape: [1, 5000], data: row }));
});

test('LeNet-300-100 with as much as OLMP leaves of it takes about 5 bytes a parameter, and a ninetieth of the dense file', async (t) => {
  const random = seededRandom(1, 'left');
  const kept: Record<string, number> = {
    'ip1.weight': 1744,
    'ip1.bias': 26,
    'ip2.weight': 469,
    'ip2.bias': 8,
    'ip3.weight': 102,
  };
  const tensors = LeNet300100().parameters.map(({ name, shape, size }) => {
    const data = new Float32Array(size);
    for (let i = 0; i < (kept[name] ?? 0); i++) data[random.below(size)] = random.normal();
    return [name, { shape, data }] as const;
  });
  const { length } = encodeSparse({ tensors: new Map(tensors), texts: new Map() });
  const dense = 266_610 * 4;
  t.ok(length < 2349 * 5.5 && length > 2349 * 4, `${length} bytes`);
  t.ok(dense / length > 80, `${(dense / length).toFixed(1)}×`);
});

test('integers are refused, since they are no parameters', async (t) => {
  const file = tensorFile({ step_num: { shape: [], data: Int32Array.of(3) } });
  t.throws(() => encodeSparse(file), { code: 'E_CKPT_VALUE', message: /"step_num" holds integers/ });
});

test('a file cut at any byte, or with any bit flipped, is refused', async (t) => {
  const bytes = encodeSparse(sample);
  for (let length = 0; length < bytes.length; length++) {
    const code = codeOf(() => decodeSparse(bytes.subarray(0, length), 'x'));
    if (!/^E_CKPT_(FORMAT|TRUNCATED|CRC)$/.test(code)) t.fail(`cut to ${length} bytes: ${code}`);
  }
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const flipped = Uint8Array.from(bytes);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    const code = codeOf(() => decodeSparse(flipped, 'x'));
    if (!/^E_CKPT_(FORMAT|UNSUPPORTED|CRC)$/.test(code)) t.fail(`bit ${bit}: ${code}`);
  }
});

test('another version is refused, saying so', async (t) => {
  const bytes = Buffer.from(encodeSparse(sample));
  bytes.writeUInt32LE(2, 4);
  t.throws(() => decodeSparse(bytes, 'a.mtsp'), {
    code: 'E_CKPT_UNSUPPORTED',
    message: /^a\.mtsp: is a sparse file of version 2/,
  });
});

test('30000 damaged files with a checksum that fits are read or refused, never anything else, and never take much memory', async (t) => {
  const body = encodeSparse(sample).subarray(HEAD);
  const random = seededRandom(1, 'sparse');
  const codes = new Map<string, number>();
  for (let i = 0; i < 30_000; i++) {
    const damaged = mutated(body, random.below);
    const code = codeOf(() => {
      const { tensors } = decodeBody(damaged, 'x');
      for (const { rowStart, columns, values } of tensors.values()) {
        if (rowStart.length + columns.length + values.length > 20 * damaged.length) t.fail('larger than its file');
      }
    });
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.ok((codes.get('none') ?? 0) > 300, 'some are still files');
  t.ok(codes.size >= 4, `the damage is told apart: ${[...codes.keys()].join(' ')}`);
});

test('sizes that a hostile file claims are refused before memory is taken', async (t) => {
  const claim = (change: (body: Buffer) => void) => {
    const bytes = Buffer.from(encodeSparse(tensorFile({ w: floats([2, 3], 0, 5, 0, 0, 0, 7) })));
    const body = bytes.subarray(HEAD);
    change(body);
    bytes.writeUInt32LE(checksum([body]), 8);
    return () => decodeSparse(bytes, 'x');
  };
  // Of the body: 8 counts of texts and tensors, 5 name, 1 dimensions, 4 rows, 4 columns, 2 bits, 4 values, 4 codes.
  for (const [change, code] of [
    [(body: Buffer) => body.writeUInt32LE(2 ** 32 - 1, 14), 'E_CKPT_FORMAT|E_CKPT_TRUNCATED'],
    [(body: Buffer) => body.writeUInt32LE(2 ** 32 - 1, 24), 'E_CKPT_TRUNCATED'],
    [(body: Buffer) => body.writeUInt32LE(2 ** 32 - 1, 28), 'E_CKPT_TRUNCATED'],
    [(body: Buffer) => body.writeUInt32LE(2 ** 32 - 1, 8), 'E_CKPT_LIMIT'],
    [(body: Buffer) => body.writeUInt32LE(2 ** 32 - 1, 4), 'E_CKPT_TRUNCATED'],
    [(body: Buffer) => body.writeUInt8(255, 13), 'E_CKPT_TRUNCATED'],
    [(body: Buffer) => body.writeUInt8(0, 22), 'E_CKPT_FORMAT'],
    [(body: Buffer) => body.writeUInt8(33, 23), 'E_CKPT_FORMAT'],
  ] as const) {
    t.match(codeOf(claim(change)), new RegExp(`^(${code})$`));
  }
  const wide = claim((body) => body.writeUInt32LE(2 ** 32 - 1, 18))();
  const tensor = wide.tensors.get('w');
  t.ok(tensor, 'a wide one takes no memory as long as it is sparse');
  if (tensor)
    t.equal(
      codeOf(() => toDense(tensor)),
      'E_CKPT_LIMIT',
    );
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { decodeMindSpore, encodeMindSpore } from '../../sdk/checkpoint/mindspore.js';
import { bytesHead, varint } from '../../sdk/checkpoint/protobuf.js';
import { codeOf, floats, plain, tensorFile } from './files.js';

const SEAL_BYTES = 6;
const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, 'fixtures', name));

/** What MindSpore keeps for a convolution and a dense layer under `nn.Momentum`. */
const LAYERS = ['conv1.weight', 'conv1.bias', 'fc.weight', 'fc.bias'];
const MOMENTUM_NAMES = [
  ...LAYERS,
  'global_step',
  'learning_rate',
  'momentum',
  ...LAYERS.map((name) => `moments.${name}`),
  'epoch_num',
  'step_num',
];

/** A length-delimited field. */
const field = (number: number, content: Iterable<number>): number[] => {
  const bytes = [...content];
  return [...bytesHead(number, bytes.length), ...bytes];
};
/** A Value as MindSpore writes it. */
const value = (name: string, type: string, dims: readonly number[], content: Iterable<number>): number[] => {
  const tensor = [
    ...dims.flatMap((dim) => [0x08, ...varint(dim)]),
    ...field(2, Buffer.from(type)),
    ...field(3, content),
  ];
  return field(1, [...field(1, Buffer.from(name)), ...field(2, tensor)]);
};
const decode = (...values: readonly number[][]): ReturnType<typeof decodeMindSpore> =>
  decodeMindSpore(Uint8Array.from(values.flat()), 'x.ckpt');
const only = (...values: readonly number[][]): readonly number[] => [
  ...[...decode(...values).tensors.values()][0].data,
];
const refusal = (...values: readonly number[][]): string => codeOf(() => decode(...values));

test('the bytes are those of checkpoint.proto, after our checksum', async (t) => {
  const bytes = encodeMindSpore(tensorFile({ w: floats([1, 2], 1, -2) }, { note: 'é' }));
  t.equal(
    Buffer.from(bytes.subarray(SEAL_BYTES)).toString('hex'),
    [
      '0a 1c 0a01 77 12 17 0801 0802 1207 466c6f61743332 1a08 0000803f 000000c0',
      '0a 15 0a04 6e6f7465 12 0d 0800 1203 737472 1a04 e9000000',
    ]
      .join('')
      .replaceAll(' ', ''),
  );
});

test('epoch_num and step_num are Int64 scalars, other integers Int32', async (t) => {
  const integers = { shape: [], data: Int32Array.of(-1) };
  const bytes = encodeMindSpore(tensorFile({ step_num: { shape: [], data: Int32Array.of(7) }, other: integers }));
  t.same(
    [...bytes.subarray(SEAL_BYTES)],
    [
      value('step_num', 'Int64', [], [7, 0, 0, 0, 0, 0, 0, 0]),
      value('other', 'Int32', [], [255, 255, 255, 255]),
    ].flat(),
  );
});

test('files that MindSpore 2.10 saved are read: parameters, moments, counts and texts', async (t) => {
  for (const name of ['momentum.ckpt', 'crc.ckpt']) {
    const { tensors, texts } = decodeMindSpore(fixture(name), name);
    t.same([...tensors.keys()], MOMENTUM_NAMES);
    t.same(tensors.get('conv1.weight')?.shape, [2, 1, 3, 3]);
    t.same(tensors.get('moments.fc.bias'), floats([2], 100, 100.25));
    t.same(tensors.get('step_num'), { shape: [], data: Int32Array.of(77) });
    t.equal(texts.get('note'), name === 'crc.ckpt' ? undefined : 'héllo 日本');
  }
});

test('a flipped bit in a file with a checksum is refused, wherever it is', async (t) => {
  const ours = encodeMindSpore(tensorFile({ w: floats([2], 1, 2) }));
  for (const bytes of [ours, fixture('crc.ckpt')]) {
    for (let at = bytes === ours ? SEAL_BYTES : 0; at < bytes.length; at++) {
      const flipped = Uint8Array.from(bytes);
      flipped[at] ^= 1;
      const inTrailerMark = bytes !== ours && at >= bytes.length - 17 && at < bytes.length - 10;
      const code = codeOf(() => decodeMindSpore(flipped, 'x.ckpt'));
      if (inTrailerMark ? code === 'none' : code !== 'E_CKPT_CRC') t.fail(`bit 0 of byte ${at}: ${code}`);
    }
  }
});

test('a tensor in adjacent slices is joined', async (t) => {
  const file = tensorFile({ a: floats([5], 1, 2, 3, 4, 5), b: floats([2], 6, 7) });
  const bytes = encodeMindSpore(file, { sliceBytes: 8 });
  t.equal(bytes.length, encodeMindSpore(file).length + 2 * value('a', 'Float32', [5], []).length);
  t.same(plain(decodeMindSpore(bytes, 'x.ckpt')), plain(file));
});

test('every number type is read', async (t) => {
  t.same(only(value('x', 'Float16', [6], [0, 0x3c, 1, 0, 0, 0xc0, 0, 0x7c, 0xff, 0x7b, 0, 0x80])), [
    1,
    2 ** -24,
    -2,
    Infinity,
    65504,
    -0,
  ]);
  t.ok(Number.isNaN(only(value('x', 'Float16', [1], [1, 0x7e]))[0]));
  t.same(only(value('x', 'BFloat16', [2], [0x80, 0x3f, 0x49, 0xc0])), [1, -3.140625]);
  t.same(only(value('x', 'Float64', [1], Buffer.from('000000000000f03f', 'hex'))), [1]);
  t.same(only(value('x', 'Int8', [2], [255, 127])), [-1, 127]);
  t.same(only(value('x', 'UInt8', [1], [255])), [255]);
  t.same(only(value('x', 'Int16', [1], [0, 128])), [-32768]);
  t.same(only(value('x', 'UInt16', [1], [0, 128])), [32768]);
  t.same(only(value('x', 'UInt32', [1], [1, 0, 0, 0])), [1]);
  t.same(only(value('x', 'Int64', [1], Array<number>(8).fill(255))), [-1]);
  t.same(only(value('x', 'UInt64', [1], [2, 0, 0, 0, 0, 0, 0, 0])), [2]);
  t.same(only(value('x', 'Bool', [3], [0, 1, 2])), [0, 1, 1]);
});

test('numbers that do not fit are refused', async (t) => {
  t.equal(refusal(value('x', 'UInt32', [1], [0, 0, 0, 128])), 'E_CKPT_RANGE');
  t.equal(refusal(value('x', 'Int64', [1], [0, 0, 0, 0, 1, 0, 0, 0])), 'E_CKPT_RANGE');
  t.equal(refusal(value('x', 'UInt64', [1], Array<number>(8).fill(255))), 'E_CKPT_RANGE');
  t.equal(refusal(value('x', 'Float64', [1], Buffer.from('9c7500883ce4377e', 'hex'))), 'E_CKPT_RANGE');
  t.equal(refusal(value('x', 'Int4', [2], [0])), 'E_CKPT_TYPE');
  t.equal(refusal(value('x', 'constructor', [1], [0])), 'E_CKPT_TYPE');
});

test('what other writers do is read: a scalar of dims [0], packed dims, fields to pass over', async (t) => {
  t.same(decode(value('x', 'Float32', [0], [0, 0, 128, 63])).tensors.get('x')?.shape, []);
  t.same(decode(value('x', 'Float32', [0], [])).tensors.get('x')?.shape, [0]);
  const packed = [...field(1, [1, 2]), ...field(2, Buffer.from('Int8')), ...field(3, [5, 6])];
  const unknown = [0x78, 1, 0x7d, 1, 2, 3, 4, 0x79, 1, 2, 3, 4, 5, 6, 7, 8, 0x7a, 1, 9];
  t.same(only(unknown, field(1, [...unknown, ...field(1, [120]), ...field(2, [...packed, ...unknown])])), [5, 6]);
  t.same([...decode(value('seed', 'random_op', [0], [1, 2, 3]), value('x', 'Int8', [1], [1])).tensors.keys()], ['x']);
});

test('texts of every plane come back, the empty one too', async (t) => {
  const file = tensorFile({}, { empty: '', plain: 'a\0b', planes: '\ufeffé日😀' });
  t.same(plain(decodeMindSpore(encodeMindSpore(file), 'x.ckpt')), plain(file));
  t.equal(refusal(value('x', 'str', [0], [0, 0xd8, 0, 0])), 'E_CKPT_FORMAT');
  t.equal(refusal(value('x', 'str', [0], [0, 0, 0x11, 0])), 'E_CKPT_FORMAT');
  t.equal(refusal(value('x', 'str', [0], [65, 0, 0])), 'E_CKPT_FORMAT');
});

test('hostile sizes and numbers are refused', async (t) => {
  const sized = (...dims: number[][]): number[] => [
    ...field(1, [
      ...field(1, [120]),
      ...field(2, [...dims.flatMap((dim) => [[8], dim].flat()), ...field(2, Buffer.from('Int8')), ...field(3, [1])]),
    ]),
  ];
  t.equal(refusal(sized([1])), 'none');
  t.equal(refusal(sized([0x81, 0x80, 0x80, 0])), 'none', 'an overlong 1 is a 1');
  t.equal(refusal(sized([...Array<number>(9).fill(255), 1])), 'E_CKPT_FORMAT', 'the dimension -1');
  t.equal(refusal(sized([...Array<number>(9).fill(128), 1])), 'E_CKPT_FORMAT', 'the dimension -2⁶³');
  t.equal(refusal(sized([...Array<number>(10).fill(255), 1])), 'E_CKPT_FORMAT', 'a number of 11 bytes');
  t.equal(refusal(sized(varint(2 ** 52), varint(2 ** 52))), 'E_CKPT_FORMAT', 'a product beyond int64');
  t.equal(refusal(sized(...Array.from({ length: 33 }, () => [1]))), 'E_CKPT_FORMAT', 'too many dimensions');
  t.equal(refusal([0x0a, ...varint(2 ** 40)]), 'E_CKPT_TRUNCATED');
  t.equal(
    refusal([0x0a, 2, 0x0a, 5, 0, 0, 0, 0, 0]),
    'E_CKPT_FORMAT',
    'a field longer than its message, in a file long enough',
  );
  t.equal(refusal([0x0b]), 'E_CKPT_FORMAT', 'a group');
  t.equal(refusal([0x02, 0]), 'E_CKPT_FORMAT', 'field 0');
  t.equal(refusal(field(1, [])), 'E_CKPT_FORMAT', 'a value without a name');
  t.equal(refusal(field(1, field(1, [0xff]))), 'E_CKPT_FORMAT', 'a name that is not UTF-8');
  t.equal(refusal([]), 'E_CKPT_TRUNCATED');
});

test('a name that is there twice is refused', async (t) => {
  const [a, b] = [value('a', 'Int8', [1], [1]), value('b', 'Int8', [1], [1])];
  t.equal(refusal(a, b, a), 'E_CKPT_DUPLICATE');
  t.equal(refusal(a, a), 'E_CKPT_FORMAT', 'it looks like slices that are too long');
  const text = value('a', 'str', [0], [65, 0, 0, 0]);
  t.equal(refusal(text, text), 'E_CKPT_DUPLICATE');
  const nothing = value('a', 'Int8', [0], []);
  t.equal(refusal(nothing, nothing), 'E_CKPT_DUPLICATE');
});

test('more entries than any checkpoint has are refused', async (t) => {
  const unit = value('a', 'Int8', [9], [1]);
  const bytes = Buffer.alloc(1_000_001 * unit.length, Uint8Array.from(unit));
  t.equal(
    codeOf(() => decodeMindSpore(bytes, 'x.ckpt')),
    'E_CKPT_LIMIT',
  );
});

test('encrypted files and map parameters are refused with a word of what to do', async (t) => {
  t.throws(() => decodeMindSpore(Buffer.from('d85e3a7f00', 'hex'), 'x.ckpt'), {
    code: 'E_CKPT_UNSUPPORTED',
    message: /x\.ckpt: is encrypted; save it from MindSpore without enc_key/,
  });
  t.throws(() => decode(field(1, [...field(1, [109]), ...field(3, [])])), {
    code: 'E_CKPT_UNSUPPORTED',
    message: /"m" is a map parameter/,
  });
});

test('what a .ckpt cannot hold is not written', async (t) => {
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({}, { a: 'x\0' }))),
    'E_CKPT_VALUE',
  );
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({}, { a: '\ud800' }))),
    'E_CKPT_VALUE',
  );
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({ a: floats([], 1) }, { a: 'x' }))),
    'E_CKPT_NAME',
  );
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({ ['a'.repeat(5000)]: floats([], 1) }))),
    'E_CKPT_NAME',
  );
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({ a: floats([2], 1) }))),
    'E_CKPT_VALUE',
  );
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({ a: floats([-1, -1], 1) }))),
    'E_CKPT_VALUE',
  );
  t.equal(
    codeOf(() => encodeMindSpore(tensorFile({ epoch_num: floats([], 1) }))),
    'E_CKPT_VALUE',
  );
});

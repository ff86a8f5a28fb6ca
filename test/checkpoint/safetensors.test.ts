import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { decodeSafetensors, encodeSafetensors } from '../../sdk/checkpoint/safetensors.js';
import type { TensorFile } from '../../sdk/checkpoint/tensor-file.js';
import { codeOf, floats, plain, tensorFile } from './files.js';

/** A file with this header and this many bytes of data, 0 1 2 … */
const file = (header: string, dataLength = 0, headerLength = Buffer.byteLength(header)): Buffer => {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(headerLength));
  return Buffer.concat([length, Buffer.from(header), Uint8Array.from({ length: dataLength }, (_, i) => i)]);
};
const decode = (...args: Parameters<typeof file>): TensorFile => decodeSafetensors(file(...args), 'x.safetensors');
const refusal = (...args: Parameters<typeof file>): string => codeOf(() => decode(...args));
const info = (dtype: string, shape: string, begin: number, end: number): string =>
  `{"dtype":"${dtype}","shape":${shape},"data_offsets":[${begin},${end}]}`;

test('the header is padded to 8 bytes, and the data is in its order', async (t) => {
  const bytes = Buffer.from(
    encodeSafetensors(
      tensorFile({ epoch_num: { shape: [], data: Int32Array.of(3) }, w: floats([1], 1) }, { note: 'é' }),
    ),
  );
  const length = Number(bytes.readBigUInt64LE());
  t.equal(length % 8, 0);
  const { __metadata__: metadata, ...tensors } = JSON.parse(bytes.toString('utf8', 8, 8 + length));
  t.same(Object.keys(metadata), ['note', 'mindts.crc32']);
  t.same(tensors, {
    epoch_num: { dtype: 'I64', shape: [], data_offsets: [0, 8] },
    w: { dtype: 'F32', shape: [1], data_offsets: [8, 12] },
  });
  t.equal(bytes.toString('hex', 8 + length), '03000000000000000000803f');
});

test('the order of entries is kept, even of names that are numbers', async (t) => {
  const tensors = new Map(['b', '10', '2', '__proto__', 'a'].map((name, i) => [name, floats([], i)]));
  const texts = new Map([
    ['9', 'nine'],
    ['1', 'one'],
  ]);
  t.same(plain(decodeSafetensors(encodeSafetensors({ tensors, texts }), 'x')), plain({ tensors, texts }));
});

test('a file that MindSpore 2.10 saved is read', async (t) => {
  const bytes = readFileSync(join(import.meta.dirname, 'fixtures/momentum.safetensors'));
  const { tensors, texts } = decodeSafetensors(bytes, 'momentum.safetensors');
  t.same(tensors.get('moments.fc.bias'), floats([2], 100, 100.25));
  t.same(tensors.get('epoch_num'), { shape: [], data: Int32Array.of(3) });
  t.same([...texts], [['format', 'ms']], 'without its checksum');
});

test('a flipped bit in a file of ours is refused, wherever it is', async (t) => {
  const bytes = encodeSafetensors(tensorFile({ w: floats([2], 1, 2) }, { seed: '1' }));
  const codes = new Map<string, number>();
  for (let at = 0; at < bytes.length; at++) {
    const flipped = Uint8Array.from(bytes);
    flipped[at] ^= 1;
    const code = codeOf(() => decodeSafetensors(flipped, 'x'));
    const isKey = Buffer.from(bytes).indexOf('mindts.crc32');
    if (code === 'none' && !(at >= isKey && at < isKey + 12)) t.fail(`bit 0 of byte ${at}`);
    codes.set(code, (codes.get(code) ?? 0) + 1);
  }
  t.ok((codes.get('E_CKPT_CRC') ?? 0) > 16, 'most by the checksum');
});

test('every dtype of the specification that fits is read, others are named', async (t) => {
  const data = (dtype: string, size: number): number[] => [
    ...(decode(`{"x":${info(dtype, '[1]', 0, size)}}`, size).tensors.get('x')?.data ?? []),
  ];
  t.same(data('I8', 1), [0]);
  t.same(data('U8', 1), [0]);
  t.same(data('BOOL', 1), [0]);
  t.same(data('I16', 2), [256]);
  t.same(data('U16', 2), [256]);
  t.same(data('I32', 4), [0x03020100]);
  t.same(data('U32', 4), [0x03020100]);
  t.same(data('F16', 2), [2 ** -16]);
  t.ok(data('BF16', 2)[0] > 0);
  t.ok(data('F32', 4)[0] > 0);
  t.ok(data('F64', 8)[0] >= 0);
  t.equal(refusal(`{"x":${info('I64', '[1]', 0, 8)}}`, 8), 'E_CKPT_RANGE');
  t.equal(refusal(`{"x":${info('U64', '[1]', 0, 8)}}`, 8), 'E_CKPT_RANGE');
  t.throws(() => decode(`{"x":${info('F8_E4M3', '[1]', 0, 1)}}`, 1), { code: 'E_CKPT_TYPE', message: /"F8_E4M3"/ });
});

test('offsets must cover the data once, without holes', async (t) => {
  const two = (a: [number, number], b: [number, number], length: number): string =>
    refusal(`{"a":${info('U8', `[${a[1] - a[0]}]`, ...a)},"b":${info('U8', `[${b[1] - b[0]}]`, ...b)}}`, length);
  t.equal(two([0, 2], [2, 4], 4), 'none');
  t.equal(two([2, 4], [0, 2], 4), 'none', 'in any order');
  t.equal(two([0, 2], [1, 4], 4), 'E_CKPT_FORMAT', 'overlap');
  t.equal(two([0, 1], [2, 4], 4), 'E_CKPT_FORMAT', 'hole');
  t.equal(two([0, 2], [2, 4], 5), 'E_CKPT_FORMAT', 'bytes left over');
  t.equal(two([0, 2], [2, 4], 3), 'E_CKPT_TRUNCATED');
  t.equal(refusal(`{"a":${info('U8', '[1]', 1, 0)}}`, 1), 'E_CKPT_FORMAT', 'end before begin');
  t.equal(refusal(`{"a":${info('U8', '[2]', 0, 1)}}`, 1), 'E_CKPT_FORMAT', 'shape and bytes differ');
  t.equal(refusal(`{"a":${info('U8', '[9007199254740991,9007199254740991]', 0, 1)}}`, 1), 'E_CKPT_FORMAT');
  t.equal(refusal(`{"a":${info('U8', '[9007199254740991,0]', 0, 0)}}`), 'none');
});

test('header lengths are checked against the specification and the file', async (t) => {
  t.equal(refusal('{}', 0, 3), 'E_CKPT_TRUNCATED');
  t.equal(refusal('{}', 0, 100_000_001), 'E_CKPT_FORMAT');
  t.equal(refusal('{}', 0, Number.MAX_SAFE_INTEGER), 'E_CKPT_FORMAT');
  t.equal(
    codeOf(() => decodeSafetensors(Buffer.alloc(7), 'x')),
    'E_CKPT_TRUNCATED',
  );
  t.equal(refusal('', 0), 'E_CKPT_FORMAT');
});

test('a header that is not one is refused', async (t) => {
  const one = info('U8', '[]', 0, 1);
  const headers = {
    'not an object': '[]',
    'something after it': '{}{}',
    'a comma too many': `{"a":${one},}`,
    'no colon': '{"a"}',
    'an unknown key': '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1],"more":1}}',
    'a key twice': '{"a":{"dtype":"U8","dtype":"U8","shape":[],"data_offsets":[0,1]}}',
    'a key missing': '{"a":{"dtype":"U8","shape":[]}}',
    'three offsets': '{"a":{"dtype":"U8","shape":[],"data_offsets":[0,1,1]}}',
    'a negative dimension': `{"a":${info('U8', '[-1]', 0, 1)}}`,
    'a fraction': `{"a":${info('U8', '[1.0]', 0, 1)}}`,
    'a dimension of 400 digits': `{"a":${info('U8', `[${'9'.repeat(400)}]`, 0, 1)}}`,
    'too many dimensions': `{"a":${info('U8', `[${Array<number>(33).fill(1).join()}]`, 0, 1)}}`,
    'metadata that is no text': '{"__metadata__":{"a":1}}',
    'metadata twice': '{"__metadata__":{},"__metadata__":{}}',
    'an open string': '{"a',
    'an escape at the end': '{"a\\',
    'half a surrogate pair': `{"\\ud800":${one}}`,
    'half a surrogate pair in a text': '{"__metadata__":{"a":"\\ud800"}}',
    'a bad escape': `{"\\x":${one}}`,
    nothing: ' ',
  };
  for (const [what, header] of Object.entries(headers)) t.equal(refusal(header, 1), 'E_CKPT_FORMAT', what);
  const badUtf8 = file('{"a":1}');
  badUtf8[10] = 0xff;
  t.equal(
    codeOf(() => decodeSafetensors(badUtf8, 'x')),
    'E_CKPT_FORMAT',
  );
});

test('a name that is there twice is refused, also as a text', async (t) => {
  t.equal(refusal(`{"a":${info('U8', '[]', 0, 1)},"a":${info('U8', '[]', 1, 2)}}`, 2), 'E_CKPT_DUPLICATE');
  t.equal(refusal(`{"__metadata__":{"a":"x"},"a":${info('U8', '[]', 0, 1)}}`, 1), 'E_CKPT_DUPLICATE');
  t.equal(refusal('{"__metadata__":{"a":"x","a":"x"}}'), 'E_CKPT_DUPLICATE');
  t.equal(refusal(`{"__metadata__":{"${'a'.repeat(5000)}":"x"}}`), 'E_CKPT_LIMIT');
});

test('a wide header with deep brackets or a long string does not exhaust the stack', async (t) => {
  t.equal(refusal('{"a":'.repeat(1_000_000)), 'E_CKPT_FORMAT');
  t.equal(refusal('['.repeat(1_000_000)), 'E_CKPT_FORMAT');
  t.equal(refusal(`{"__metadata__":{"a":"${'\\n'.repeat(5_000_000)}"}}`), 'none');
});

test('names that the format keeps for itself are not written', async (t) => {
  for (const name of ['__metadata__', 'crc_num', 'mindts.crc32']) {
    t.equal(
      codeOf(() => encodeSafetensors(tensorFile({ [name]: floats([], 1) }))),
      'E_CKPT_NAME',
    );
    t.equal(
      codeOf(() => encodeSafetensors(tensorFile({}, { [name]: '' }))),
      'E_CKPT_NAME',
    );
  }
});

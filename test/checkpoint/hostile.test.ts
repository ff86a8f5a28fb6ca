/** What no reader may do whatever the bytes: crash, or read what was not written. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { decodeMindSpore, encodeMindSpore } from '../../sdk/checkpoint/mindspore.js';
import { decodeSafetensors, encodeSafetensors } from '../../sdk/checkpoint/safetensors.js';
import { anyTensorFile, codeOf, floats, plain, tensorFile } from './files.js';
import { mutated } from './mutate.js';

const FORMATS = [
  { name: '.ckpt', encode: encodeMindSpore, decode: decodeMindSpore },
  { name: 'safetensors', encode: encodeSafetensors, decode: decodeSafetensors },
];
const MUTATIONS = 30_000;

/** Small, with every kind of entry. */
const sample = tensorFile(
  {
    'conv1.weight': floats([2, 1, 1, 2], 1, -2, 3.5, Number.NaN),
    'conv1.bias': floats([2], 0, 1),
    learning_rate: floats([], 0.01),
    epoch_num: { shape: [], data: Int32Array.of(3) },
    other: { shape: [1], data: Int32Array.of(-1) },
  },
  { 'mindts.state': '{"seed":1}', note: 'é' },
);

/** The sample without its checksum, so that mutations reach what is behind it. */
const unsealed = {
  '.ckpt': encodeMindSpore(sample).subarray(6),
  safetensors: withoutChecksum(encodeSafetensors(sample)),
};

for (const { name, encode, decode } of FORMATS) {
  test(`${name}: what is written is read, and written again as the same bytes`, async () => {
    fc.assert(
      fc.property(anyTensorFile, (file) => {
        const bytes = encode(file);
        const read = decode(bytes, 'x');
        return JSON.stringify(plain(read)) === JSON.stringify(plain(file)) && Buffer.compare(encode(read), bytes) === 0;
      }),
      { numRuns: 500, seed: 1 },
    );
  });

  test(`${name}: a file cut at any byte is refused`, async (t) => {
    const bytes = encode(sample);
    for (let length = 0; length < bytes.length; length++) {
      const code = codeOf(() => decode(bytes.subarray(0, length), 'x'));
      if (!/^E_CKPT_(TRUNCATED|CRC|FORMAT)$/.test(code)) t.fail(`cut to ${length} bytes: ${code}`);
    }
  });

  test(`${name}: ${MUTATIONS} damaged files are read or refused, never anything else`, async (t) => {
    const bytes = name === '.ckpt' ? unsealed['.ckpt'] : unsealed.safetensors;
    t.equal(
      codeOf(() => decode(bytes, 'x')),
      'none',
      'undamaged',
    );
    const random = seededRandom(1, name);
    const codes = new Map<string, number>();
    for (let i = 0; i < MUTATIONS; i++) {
      const code = codeOf(() => decode(mutated(bytes, random.below), 'x'));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    t.ok((codes.get('none') ?? 0) > MUTATIONS / 100, 'some are still files');
    t.ok(codes.size >= 6, `the damage is told apart: ${[...codes.keys()].join(' ')}`);
  });

  test(`${name}: random bytes are refused`, async () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), (bytes) => {
        codeOf(() => decode(bytes, 'x'));
      }),
      { numRuns: 3000, seed: 1 },
    );
  });
}

function withoutChecksum(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes).toString('latin1');
  // Only the key is renamed: the length stays.
  return Buffer.from(text.replace('"mindts.crc32"', '"mindts.crc23"'), 'latin1');
}

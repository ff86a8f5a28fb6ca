import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { test } from 'tap';
import { Crc64 } from '../../sdk/storage/crc64.js';
import { hasherFor } from '../../sdk/storage/digest.js';

/** The definition, one bit at a time. */
function slowCrc64(data: Uint8Array): bigint {
  let sum = 0xffffffffffffffffn;
  for (const byte of data) {
    sum ^= BigInt(byte);
    for (let bit = 0; bit < 8; bit++) sum = (sum & 1n) === 1n ? (sum >> 1n) ^ 0xc96c5795d7870f42n : sum >> 1n;
  }
  return sum ^ 0xffffffffffffffffn;
}

function crc64(...chunks: readonly Uint8Array[]): bigint {
  const sum = new Crc64();
  for (const chunk of chunks) sum.update(chunk);
  return sum.value();
}

test('CRC-64 gives the check value of its catalogue', async (t) => {
  t.equal(crc64(Buffer.from('123456789')), 0x995dc9bbdf1939fan);
  t.equal(crc64(), 0n);
});

test('CRC-64 is what its definition says, wherever the bytes are cut', async () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), fc.nat(100), fc.nat(100), (data, one, other) => {
      const [a, b] = [Math.min(one, other), Math.max(one, other)];
      return crc64(data.subarray(0, a), data.subarray(a, b), data.subarray(b)) === slowCrc64(data);
    }),
  );
});

test('a hasher gives CRC-64 as the decimal number that OSS writes', async (t) => {
  const hasher = hasherFor({ algorithm: 'crc64', value: '' });
  hasher.update(Buffer.from('123456789'));
  t.equal(hasher.value(), '11051210869376104954');
});

test('MD5 of parts is what S3 gives for them, wherever the bytes are cut', async () => {
  const md5 = (data: Uint8Array): Buffer => createHash('md5').update(data).digest();
  const byDefinition = (data: Uint8Array, partSize: number): string => {
    const count = Math.max(1, Math.ceil(data.length / partSize));
    const parts = Array.from({ length: count }, (_, i) => md5(data.subarray(i * partSize, (i + 1) * partSize)));
    return `${md5(Buffer.concat(parts)).toString('hex')}-${count}`;
  };
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 60 }),
      fc.integer({ min: 1, max: 30 }),
      fc.nat(60),
      (data, partSize, cut) => {
        const hasher = hasherFor({ algorithm: 'md5-parts', value: '', partSize });
        hasher.update(data.subarray(0, cut));
        hasher.update(data.subarray(cut));
        return hasher.value() === byDefinition(data, partSize);
      },
    ),
  );
});

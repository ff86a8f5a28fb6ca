/**
 * CRC-64 as OSS gives it for every object: ECMA-182's polynomial, reflected, begun and ended with all ones (“CRC-64/XZ”).
 * JavaScript has no fast 64-bit integers, so that the sum is two halves of 32 bits; eight bytes go by at a time (“slicing by
 * eight”: M. E. Kounavis, F. L. Berry, 2005).
 */

/** Takes bytes in their order; `value` gives the sum of those that came so far. */
export class Crc64 {
  #low = ~0;
  #high = ~0;

  update(data: Uint8Array): void {
    const table = TABLES;
    const end = data.length - (data.length % 8);
    let [low, high, at] = [this.#low, this.#high, 0];
    for (; at < end; at += 8) {
      low ^= data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24);
      high ^= data[at + 4] | (data[at + 5] << 8) | (data[at + 6] << 16) | (data[at + 7] << 24);
      // Where the eight bytes' remainders stand; the byte that came first is the one with the most zeros after it.
      const a = 3584 + ((low & 255) << 1);
      const b = 3072 + ((low >>> 7) & 510);
      const c = 2560 + ((low >>> 15) & 510);
      const d = 2048 + ((low >>> 23) & 510);
      const e = 1536 + ((high & 255) << 1);
      const f = 1024 + ((high >>> 7) & 510);
      const g = 512 + ((high >>> 15) & 510);
      const h = (high >>> 23) & 510;
      low = table[a] ^ table[b] ^ table[c] ^ table[d] ^ table[e] ^ table[f] ^ table[g] ^ table[h];
      high =
        table[a + 1] ^
        table[b + 1] ^
        table[c + 1] ^
        table[d + 1] ^
        table[e + 1] ^
        table[f + 1] ^
        table[g + 1] ^
        table[h + 1];
    }
    for (; at < data.length; at++) {
      const entry = ((low ^ data[at]) & 255) << 1;
      low = ((low >>> 8) | (high << 24)) ^ table[entry];
      high = (high >>> 8) ^ table[entry + 1];
    }
    [this.#low, this.#high] = [low, high];
  }

  value(): bigint {
    return (BigInt(~this.#high >>> 0) << 32n) | BigInt(~this.#low >>> 0);
  }
}

/** ECMA-182's polynomial with its bits reflected. */
const [POLYNOMIAL_LOW, POLYNOMIAL_HIGH] = [0xd7870f42 | 0, 0xc96c5795 | 0];

/** For k zero bytes after a byte b: the remainder's lower half at 512 k + 2 b, the upper one after it. */
const TABLES = makeTables();

function makeTables(): Int32Array {
  const table = new Int32Array(8 * 512);
  for (let byte = 0; byte < 256; byte++) {
    let [low, high] = [byte, 0];
    for (let bit = 0; bit < 8; bit++) {
      const isOdd = (low & 1) === 1;
      low = (low >>> 1) | (high << 31);
      high >>>= 1;
      if (isOdd) [low, high] = [low ^ POLYNOMIAL_LOW, high ^ POLYNOMIAL_HIGH];
    }
    [table[2 * byte], table[2 * byte + 1]] = [low, high];
  }
  for (let at = 512; at < table.length; at += 2) {
    const [low, high] = [table[at - 512], table[at - 511]];
    const entry = (low & 255) << 1;
    table[at] = ((low >>> 8) | (high << 24)) ^ table[entry];
    table[at + 1] = (high >>> 8) ^ table[entry + 1];
  }
  return table;
}

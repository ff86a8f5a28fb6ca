/** Damage to files. */

/** One to three changes: a flipped bit, an interesting byte, bytes taken out, doubled, or put in the wrong place. */
export function mutated(bytes: Uint8Array, below: (n: number) => number): Uint8Array {
  let result = Buffer.from(bytes);
  for (let changes = 1 + below(3); changes > 0 && result.length > 0; changes--) {
    const at = below(result.length);
    const end = Math.min(result.length, at + 1 + below(16));
    switch (below(5)) {
      case 0:
        result[at] ^= 1 << below(8);
        break;
      case 1:
        result[at] = [0, 1, 0x0a, 0x12, 0x20, 0x22, 0x39, 0x7b, 0x7d, 0x7f, 0x80, 0xff][below(12)];
        break;
      case 2:
        result = Buffer.concat([result.subarray(0, at), result.subarray(end)]);
        break;
      case 3:
        result = Buffer.concat([result.subarray(0, end), result.subarray(at)]);
        break;
      default:
        result.copy(result, below(result.length), at, end);
    }
  }
  return result;
}

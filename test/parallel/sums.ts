/** What sums over ranks must come to, bit for bit. */
import { createHash } from 'node:crypto';
import { numbersOf } from './numbers-child.js';

/** Lengths around which the ways of summing change, and that ranks cannot share evenly. */
export const LENGTHS: readonly number[] = [1, 2, 3, 5, 100, 2048, 2049, 4099, 61_706, 100_000, 2 ** 20 + 7];

/** The hash of a sum in the order of ranks. */
export function hashOfSum(size: number, count: number): string {
  const sum = numbersOf(0, count);
  for (let rank = 1; rank < size; rank++) {
    const its = numbersOf(rank, count);
    for (let i = 0; i < count; i++) sum[i] += its[i];
  }
  return createHash('sha256').update(sum).digest('hex');
}

/** What the ranks of a test add up. */

/** A rank's numbers, of which no two ranks' are alike, and whose sums are rounded. */
export function numbersOf(rank: number, count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => ((i * 7919 + rank * 104_729 + 13) % 1_000_003) / 997 - 400);
}

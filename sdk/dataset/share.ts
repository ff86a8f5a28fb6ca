/** How the ranks of a job divide what they work on together. */

/** One of several that share something. */
export interface Sharer {
  /** 0 to `size` − 1. */
  readonly id: number;
  readonly size: number;
}

/**
 * One rank's part of `count` things, as `[first, end)`. The parts of all ranks are disjoint, cover everything, follow the order of
 * ranks, and differ by one at most.
 *
 * @param sharer default: all of it
 * @example
 * shareOf(10, { id: 1, size: 3 }); // [3, 6]
 */
export function shareOf(count: number, { id, size }: Sharer = { id: 0, size: 1 }): readonly [number, number] {
  return [Math.floor((count * id) / size), Math.floor((count * (id + 1)) / size)];
}

/** The box of rates that a search stays in. */
import type { Random } from '../base/random.js';
import type { Candidate, SearchProblem } from './search.js';

type Bounds = Pick<SearchProblem, 'lower' | 'upper'>;

/** How wide the box is along each axis. */
export function widths({ lower, upper }: Bounds): Candidate {
  return upper.map((to, i) => to - lower[i]);
}

/** A point anywhere in the box, each as likely as any other. */
export function anywhere({ lower, upper }: Bounds, random: Random): Candidate {
  return lower.map((from, i) => clamped(from + (upper[i] - from) * random.uniform(), from, upper[i]));
}

/** Whether a point lies in the box, its faces included. */
export function isInside({ lower, upper }: Bounds, point: Candidate): boolean {
  return point.every((value, i) => value >= lower[i] && value <= upper[i]);
}

/** The nearest point of the box. */
export function clipped({ lower, upper }: Bounds, point: Candidate): Candidate {
  return point.map((value, i) => clamped(value, lower[i], upper[i]));
}

/**
 * A point that lies outside, mirrored at the faces until it lies inside.
 *
 * @example
 * reflected({ lower: [0], upper: [10] }, [-3]); // [3]
 * reflected({ lower: [0], upper: [10] }, [24]); // [4]
 */
export function reflected({ lower, upper }: Bounds, point: Candidate): Candidate {
  return point.map((value, i) => {
    const [from, to] = [lower[i], upper[i]];
    if (value >= from && value <= to) return value;
    const width = to - from;
    const folded = Math.abs(value - from) % (2 * width);
    return clamped(from + (folded > width ? 2 * width - folded : folded), from, to);
  });
}

function clamped(value: number, from: number, to: number): number {
  return Math.min(to, Math.max(from, value));
}

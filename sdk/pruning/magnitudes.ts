/** How many parameters rates would keep, told fast: magnitudes are sorted once, then each rate is two binary searches. */
import type { PrunedLayer } from './pruned-layers.js';
import { boundsOf, type Snapshot, weighed } from './surgery.js';

/** Of each layer, the magnitudes of what is kept now and of what is not, in ascending order. */
export interface Magnitudes {
  readonly kept: readonly Float32Array[];
  readonly masked: readonly Float32Array[];
}

/** Sorts a snapshot's magnitudes, or its saliencies where it has some. */
export function magnitudesOf(snapshot: Snapshot): Magnitudes {
  const { mask, layers } = snapshot;
  const values = weighed(snapshot);
  const sorted = (bit: number): readonly Float32Array[] =>
    layers.map(({ offset, size }: PrunedLayer) => {
      const own = new Float32Array(size);
      let count = 0;
      for (let i = offset; i < offset + size; i++) if (mask[i] === bit) own[count++] = Math.abs(values[i]);
      return inOrder(own.subarray(0, count));
    });
  return { kept: sorted(1), masked: sorted(0) };
}

/**
 * How many parameters of each layer `maskFor` would keep with these rates.
 *
 * @param rates one for each layer; undefined for a layer whose bits are to stay
 */
export function keptBy(
  { kept, masked }: Magnitudes,
  { statistics }: Snapshot,
  rates: readonly (number | undefined)[],
): readonly number[] {
  return rates.map((rate, l) => {
    if (rate === undefined) return kept[l].length;
    const { prune, splice } = boundsOf(statistics[l], rate);
    return above(kept[l], prune) + above(masked[l], splice);
  });
}

/**
 * Rates raised, or lowered, all by the same amount, so that they keep as many parameters as they may and no more. So whatever the
 * search asks for has the size that the schedule wants, and only the proportions of layers are searched for.
 *
 * @param options goal: how many parameters all layers may keep together; caps: the least that a layer keeps
 * @returns the rates, each no higher than its layer's cap allows
 * @example
 * const layers = [{ name: 'fc', offset: 0, size: 4 }];
 * const snapshot = { values: Float32Array.of(1, 2, 3, 4), mask: fullMask(4), layers, statistics: [{ mean: 2, deviation: 1 }] };
 * const magnitudes = magnitudesOf(snapshot);
 * keptBy(magnitudes, snapshot, raisedTo([0], { snapshot, magnitudes, goal: 2 })); // [2]
 */
export function raisedTo(
  rates: readonly number[],
  {
    snapshot,
    magnitudes,
    goal,
    ceilings = rates.map(() => Infinity),
  }: {
    readonly snapshot: Snapshot;
    readonly magnitudes: Magnitudes;
    readonly goal: number;
    /** The highest rate of each layer. */
    readonly ceilings?: readonly number[];
  },
): readonly number[] {
  const shifted = (by: number): readonly number[] => rates.map((rate, l) => Math.min(rate + by, ceilings[l]));
  const total = (by: number): number => sum(keptBy(magnitudes, snapshot, shifted(by)));
  // A shift that prunes too little, and one that does not: or the caps are in the way, and the highest it is.
  let [low, high] = [-FARTHEST, FARTHEST];
  if (total(low) <= goal) return shifted(low);
  for (let halvings = 0; halvings < HALVINGS; halvings++) {
    const middle = (low + high) / 2;
    if (total(middle) > goal) low = middle;
    else high = middle;
  }
  return shifted(high);
}

/** Deviations that no magnitude is away from its mean, and halvings until a shift is exact in a float32's sense. */
const [FARTHEST, HALVINGS] = [1e4, 60];

/**
 * The highest rate of each layer that prunes no more than its cap, infinite where there is none.
 *
 * @param caps by layer, the part of it that may be pruned at most
 */
export function ceilingsOf(
  snapshot: Snapshot,
  magnitudes: Magnitudes,
  caps: Readonly<Record<string, number>>,
): readonly number[] {
  return snapshot.layers.map(({ name, size }, l) => {
    const cap = caps[name];
    if (cap === undefined || cap === 1) return Infinity;
    const least = Math.ceil(size * (1 - cap) - 1e-9 * size);
    const keeps = (rate: number): boolean => {
      const alone = snapshot.layers.map((_, i) => (i === l ? rate : undefined));
      return keptBy(magnitudes, snapshot, alone)[l] >= least;
    };
    let [low, high] = [-FARTHEST, FARTHEST];
    for (let halvings = 0; halvings < HALVINGS; halvings++) {
      const middle = (low + high) / 2;
      if (keeps(middle)) low = middle;
      else high = middle;
    }
    return low;
  });
}

/**
 * Sorts what is not negative. Such floats have the order of their bits, so that three passes over their digits do (radix sort): all evaluators
 * wait for this at the beginning of a round, and comparing takes five times as long.
 */
function inOrder(magnitudes: Float32Array): Float32Array {
  let from: Uint32Array = new Uint32Array(magnitudes.buffer, magnitudes.byteOffset, magnitudes.length);
  let to: Uint32Array = new Uint32Array(magnitudes.length);
  for (let shift = 0; shift < 32; shift += DIGIT) {
    const places = new Uint32Array(2 ** DIGIT + 1);
    for (const bits of from) places[((bits >>> shift) & LAST) + 1]++;
    for (let digit = 1; digit < places.length; digit++) places[digit] += places[digit - 1];
    for (const bits of from) to[places[(bits >>> shift) & LAST]++] = bits;
    [from, to] = [to, from];
  }
  return new Float32Array(from.buffer, from.byteOffset, from.length);
}

/** Bits of a digit; 32 of them are three digits, and what is above is 0. */
const DIGIT = 11;
const LAST = 2 ** DIGIT - 1;

/** How many are greater. */
function above(ascending: Float32Array, bound: number): number {
  let [low, high] = [0, ascending.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle] > bound) high = middle;
    else low = middle + 1;
  }
  return ascending.length - low;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, one) => total + one, 0);
}

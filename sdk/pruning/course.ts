/** The course of a run: which samples, which learning rate and how many parameters belong to an iteration. */
import { permutation, type Random, seededRandom } from '../base/random.js';
import { gradualSparsity } from './schedule.js';
import type { PruneSettings } from './settings.js';
import { SHIFTS } from './shifted.js';

/** Positions of the training images, without and with those that are kept back to choose by. */
export interface Split {
  readonly training: Int32Array;
  readonly validation: Int32Array;
}

/**
 * Keeps a part of the training images back, drawn by the seed.
 *
 * @example
 * splitOf(60000, { seed: 1, validation: 0.1 }).validation.length; // 6000
 */
export function splitOf(size: number, { seed, validation }: Pick<PruneSettings, 'seed' | 'validation'>): Split {
  const order = permutation(size, seededRandom(seed, 'validation'));
  const kept = Math.max(1, Math.floor(size * validation));
  return { validation: order.slice(0, kept), training: order.slice(kept) };
}

/**
 * The samples of the iterations from one to before another, a batch for each: epoch after epoch in an order of its own, what
 * is no whole batch left out. A function of the seed, so that a run may go on anywhere.
 *
 * @param options size: how many images there are without those that were moved; a moved one is found so many places further, see `withShifts`
 */
export function samplesOf(
  training: Int32Array,
  [from, to]: readonly [number, number],
  {
    seed,
    batch_size: batch,
    shift,
    size,
  }: Pick<PruneSettings, 'seed' | 'batch_size' | 'shift'> & { readonly size: number },
): Int32Array {
  const perEpoch = Math.floor(training.length / batch);
  const samples = new Int32Array((to - from) * batch);
  let shuffled: { readonly epoch: number; readonly order: Int32Array; readonly copies: Uint8Array } | undefined;
  for (let i = from; i < to; i++) {
    const epoch = Math.floor(i / perEpoch);
    if (shuffled?.epoch !== epoch) {
      const order = permutation(training.length, seededRandom(seed, 'shuffle', epoch));
      shuffled = { epoch, order, copies: copiesOf(training.length, shift, seededRandom(seed, 'shift', epoch)) };
    }
    const first = (i % perEpoch) * batch;
    const positions = shuffled.order.subarray(first, first + batch);
    for (const [k, position] of positions.entries()) {
      samples[(i - from) * batch + k] = training[position] + size * shuffled.copies[first + k];
    }
  }
  return samples;
}

/** Which copy of each image of an epoch is taken: 0 as it is, else one that was moved. */
function copiesOf(count: number, shift: number, random: Random): Uint8Array {
  const copies = new Uint8Array(count);
  if (shift > 0) {
    for (let i = 0; i < count; i++) if (random.uniform() < shift) copies[i] = 1 + random.below(SHIFTS - 1);
  }
  return copies;
}

/**
 * The learning rates of the same iterations: Caffe's `inv` policy while there is pruning, then half a cosine down to 0.
 *
 * @example
 * const settings = { prune_stop: 2, iterations: 4, learning_rate: 1, retrain_learning_rate: 0.5 };
 * [...learningRatesOf([2, 4], settings)]; // [0.5, 0.25]
 */
export function learningRatesOf(
  [from, to]: readonly [number, number],
  settings: Pick<PruneSettings, 'prune_stop' | 'iterations' | 'learning_rate' | 'retrain_learning_rate'>,
): Float32Array {
  const { prune_stop: stop, iterations, learning_rate: base, retrain_learning_rate: again } = settings;
  return Float32Array.from({ length: to - from }, (_, k) => {
    const i = from + k;
    if (i < stop) return base * (1 + 1e-4 * i) ** -0.75;
    return (again / 2) * (1 + Math.cos((Math.PI * (i - stop)) / (iterations - stop)));
  });
}

/**
 * How many parameters a round may leave at most, by the curve from all of them to the target, where there is one. The last round in the part
 * `curve_end` of those before `prune_stop` reaches it.
 *
 * @example
 * const curve = { schedule: 'gradual' as const, curve: 'cubic' as const, curve_end: 1 };
 * const settings = { ...curve, target_ratio: 100, prune_stop: 3000, search_every: 1000 };
 * goalOf(2000, 10_000, settings); // 100
 */
export function goalOf(
  iteration: number,
  total: number,
  settings: Pick<PruneSettings, 'schedule' | 'curve' | 'curve_end' | 'target_ratio' | 'prune_stop' | 'search_every'>,
): number | undefined {
  const { schedule, curve, curve_end: part, target_ratio: ratio, prune_stop: stop, search_every: every } = settings;
  if (schedule === 'olmp') return undefined;
  const end = Math.ceil((part * stop) / every);
  if (curve === 'geometric') {
    // The logarithm of the ratio goes fast at first, and slowly at the end.
    const left = Math.max(0, 1 - (iteration / every + 1) / end);
    return Math.floor(total * ratio ** (left ** 2 - 1) + 1e-6);
  }
  const sparsity = gradualSparsity(iteration / every + 1, { final: 1 - 1 / ratio, end });
  // Rounded down, but not by what is lost in 1 − (1 − 1 / ratio).
  return Math.floor(total * (1 - sparsity) + 1e-6);
}

/**
 * What was pruned comes back where the loss would gain most: at each round a part of what may be kept is chosen anew among what is masked, by gradients, and
 * begins at zero. Gradual pruning with neuroregeneration (GraNet: Liu et al. 2021, "Sparse Training via Boosting Pruning Plasticity with Neuroregeneration")
 * after RigL (Evci et al. 2020, "Rigging the Lottery"), whose cosine it follows; what would be gained is by optimal brain damage, see saliency.ts.
 */
import type { PruneSettings } from './settings.js';

/**
 * How many of `goal` parameters are chosen anew in the round at an iteration: the part `regrow` at first, none at `prune_stop`.
 *
 * @example
 * regrownOf(0, 100, { regrow: 0.4, prune_stop: 1000 }); // 40
 * regrownOf(500, 100, { regrow: 0.4, prune_stop: 1000 }); // 20
 */
export function regrownOf(
  iteration: number,
  goal: number,
  { regrow, prune_stop: stop }: Pick<PruneSettings, 'regrow' | 'prune_stop'>,
): number {
  return Math.round(goal * (regrow / 2) * (1 + Math.cos((Math.PI * Math.min(iteration, stop)) / stop)));
}

/**
 * The places of the largest numbers, in ascending order; of equal ones the first. What is not above 0 is never among them.
 *
 * @example
 * largestOf(Float32Array.of(0, 3, 1, 3, 2), 2); // [1, 3]
 */
export function largestOf(values: Float32Array, count: number): readonly number[] {
  const sorted = values.filter((value) => value > 0).sort();
  const least = count > sorted.length ? 0 : (sorted[sorted.length - count] ?? Number.POSITIVE_INFINITY);
  let equal = least === 0 ? 0 : count - sorted.filter((value) => value > least).length;
  const places: number[] = [];
  for (const [i, value] of values.entries()) {
    if (value > least || (value === least && equal-- > 0)) places.push(i);
  }
  return places;
}

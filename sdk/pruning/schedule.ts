/** Pruning by a schedule instead of by a search: how much is to be gone at which step, and a mask that has so much gone. */
import { PruningError } from '../base/errors.js';
import type { PrunedLayer } from './pruned-layers.js';

/** A way from one sparsity to another. */
export interface GradualOptions {
  /** The part that is pruned at the end, from 0 to 1. */
  readonly final: number;
  /** The part that is pruned at the beginning. Default 0. */
  readonly initial?: number;
  /** The step it begins with. Default 0. */
  readonly begin?: number;
  /** The step at which `final` is reached. */
  readonly end: number;
}

/** Over what a mask compares magnitudes. */
export interface MagnitudeOptions {
  /** `global`: the smallest of all layers together; `layer`: the same part of each layer. Default `global`. */
  readonly scope?: 'global' | 'layer';
  /** By layer, the part of it that may be pruned at most, from 0 to 1. Default 1. */
  readonly caps?: Readonly<Record<string, number>>;
}

/**
 * The part to be pruned at a step (Zhu and Gupta 2017, https://arxiv.org/abs/1710.01878): s = s_f + (s_i − s_f) · (1 − p)³, p going from 0 to 1.
 * It goes fast while much is superfluous, and slowly at the end.
 *
 * @throws PruningError `E_SPARSITY` for parts beyond 0 to 1, or an end that is not behind the beginning
 * @example
 * gradualSparsity(50, { final: 0.5, end: 100 }); // 0.4375
 */
export function gradualSparsity(step: number, { final, initial = 0, begin = 0, end }: GradualOptions): number {
  requirePart('final', final);
  requirePart('initial', initial);
  if (!(begin < end)) throw new PruningError('E_SPARSITY', `the schedule goes from step ${begin} to step ${end}`);
  const progress = Math.min(1, Math.max(0, (step - begin) / (end - begin)));
  return final + (initial - final) * (1 - progress) ** 3;
}

/**
 * A mask that prunes the smallest magnitudes: exactly so many that the sparsity is reached, or as many as the caps allow. Among equals those that
 * lie first go first.
 *
 * @param values all parameters, pruned ones included: they come back when they have grown
 * @param sparsity the part of the layers' parameters that is pruned, from 0 to 1; rounded down to whole parameters
 * @throws PruningError `E_SPARSITY` for parts beyond 0 to 1, or a cap for a layer that is none
 * @example
 * const layers = [{ name: 'fc1', offset: 0, size: 2 }, { name: 'fc2', offset: 2, size: 2 }];
 * const values = Float32Array.of(0.1, -0.2, 0.3, 0.4);
 * [...magnitudeMask(values, layers, 0.5)]; // [0, 0, 1, 1]
 * [...magnitudeMask(values, layers, 0.5, { scope: 'layer' })]; // [0, 1, 0, 1]
 * [...magnitudeMask(values, layers, 0.5, { caps: { fc1: 0.5 } })]; // [0, 1, 0, 1]
 */
export function magnitudeMask(
  values: Float32Array,
  layers: readonly PrunedLayer[],
  sparsity: number,
  { scope = 'global', caps = {} }: MagnitudeOptions = {},
): Uint8Array {
  requirePart('sparsity', sparsity);
  for (const [name, cap] of Object.entries(caps)) {
    requirePart(`cap of ${name}`, cap);
    if (layers.some((layer) => layer.name === name)) continue;
    throw new PruningError(
      'E_SPARSITY',
      `a cap for ${name}, and the layers are ${layers.map((l) => l.name).join(', ')}`,
    );
  }
  const mask = new Uint8Array(values.length).fill(1);
  const together = scope === 'global' ? [layers] : layers.map((layer) => [layer]);
  for (const group of together) pruneSmallest(values, mask, { layers: group, sparsity, caps });
  return mask;
}

function pruneSmallest(
  values: Float32Array,
  mask: Uint8Array,
  {
    layers,
    sparsity,
    caps,
  }: {
    readonly layers: readonly PrunedLayer[];
    readonly sparsity: number;
    readonly caps: Readonly<Record<string, number>>;
  },
): void {
  // Of each layer, what its cap leaves to prune; of those, the smallest.
  const prunable = layers.map(({ name, offset, size }) => {
    const most = wholePart(caps[name] ?? 1, size);
    const inOrder = ascending(
      values,
      Uint32Array.from({ length: size }, (_, i) => offset + i),
    );
    return inOrder.subarray(0, most);
  });
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const all = new Uint32Array(prunable.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const some of prunable) {
    all.set(some, at);
    at += some.length;
  }
  for (const i of ascending(values, all).subarray(0, wholePart(sparsity, total))) mask[i] = 0;
}

/** Rounded down; 0.29 of 100 are 29, though 0.29 · 100 is 28.999999999999996. */
function wholePart(part: number, of: number): number {
  return Math.floor(part * of + 1e-9 * of);
}

/** Places in the order of their magnitudes, then of the places. */
function ascending(values: Float32Array, places: Uint32Array): Uint32Array {
  return places.sort((a, b) => Math.abs(values[a]) - Math.abs(values[b]) || a - b);
}

function requirePart(what: string, part: number): void {
  if (part >= 0 && part <= 1) return;
  throw new PruningError('E_SPARSITY', `${what} must be a part from 0 to 1, not ${part}`);
}

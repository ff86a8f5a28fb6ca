/**
 * Network surgery (Guo, Yao, Chen 2016, https://arxiv.org/abs/1608.04493) as OLMP does it: a layer's rate c sets a threshold, below it
 * parameters are pruned, above it they come back:
 *
 *     t = max(μ + c·σ, 0)        μ, σ: mean and deviation of |p| over the layer's weights and biases together
 *     |p| ≤ 0.9 t  →  0          in between a bit stays what it is
 *     |p| > 1.1 t  →  1
 *
 * Everything here is a pure function of a snapshot. So the mask that was scored is the mask that is applied, whoever scored it and in which
 * order, which is not so where a mask is made from the one before.
 */
import { PruningError } from '../base/errors.js';
import { seededRandom } from '../base/random.js';
import type { PrunedLayer } from './pruned-layers.js';

/** μ and σ of a layer. */
export interface LayerStatistics {
  readonly mean: number;
  readonly deviation: number;
}

/** What masks of a round are made from. */
export interface Snapshot {
  /** All parameters, the pruned ones with the values they would come back with. */
  readonly values: Float32Array;
  /** The mask at the beginning of the round. */
  readonly mask: Uint8Array;
  readonly layers: readonly PrunedLayer[];
  /** One for each layer, of the beginning of the round or of the whole run. */
  readonly statistics: readonly LayerStatistics[];
  /** What thresholds are over in place of magnitudes: one number, not below 0, for each parameter. */
  readonly saliency?: Float32Array | undefined;
}

/** Between these two magnitudes, as float32, a parameter's bit stays what it is. */
export interface Bounds {
  /** 0.9 t; what is not greater is pruned. */
  readonly prune: number;
  /** 1.1 t; what is greater comes back. */
  readonly splice: number;
}

/** When a layer takes part in surgery. */
export interface Activity {
  readonly seed: number;
  /** γ; 0.0002 in OLMP, 0.00002 for its convolutions. */
  readonly gamma: number;
  /** Default 1. */
  readonly power?: number;
}

/**
 * μ and σ of the magnitudes of a layer's kept parameters; zeros do not count, as a parameter that is 0 is pruned already.
 *
 * @example
 * const layer = { name: 'fc', offset: 1, size: 4 };
 * layerStatistics(Float32Array.of(9, -1, 3, 0, 5), Uint8Array.of(1, 1, 1, 1, 0), layer); // { mean: 2, deviation: 1 }
 */
export function layerStatistics(values: Float32Array, mask: Uint8Array, layer: PrunedLayer): LayerStatistics {
  let [count, sum, squares] = [0, 0, 0];
  for (let i = layer.offset; i < layer.offset + layer.size; i++) {
    if (mask[i] === 0 || values[i] === 0) continue;
    count++;
    sum += Math.abs(values[i]);
    squares += values[i] ** 2;
  }
  if (count === 0) return { mean: 0, deviation: 0 };
  const mean = sum / count;
  return { mean, deviation: Math.sqrt(Math.max(squares / count - mean ** 2, 0)) };
}

/**
 * A snapshot with its statistics.
 *
 * @param statistics those to keep, where they are frozen for the whole run; default: those of these values
 */
export function snapshotOf(
  values: Float32Array,
  mask: Uint8Array,
  layers: readonly PrunedLayer[],
  statistics: readonly LayerStatistics[] = layers.map((layer) => layerStatistics(values, mask, layer)),
): Snapshot {
  return { values: values.slice(), mask: mask.slice(), layers, statistics };
}

/** What thresholds are over; its sign does not matter. */
export function weighed({ values, saliency }: Pick<Snapshot, 'values' | 'saliency'>): Float32Array {
  return saliency ?? values;
}

/**
 * The bounds that a rate sets. They are float32, so that every engine that compares float32 numbers with them makes the same mask.
 *
 * @throws PruningError `E_RATE` for a rate that is no number
 * @example
 * boundsOf({ mean: 1, deviation: 0.5 }, 2); // { prune: Math.fround(1.8), splice: Math.fround(2.2) }
 * boundsOf({ mean: 1, deviation: 0.5 }, -9); // { prune: 0, splice: 0 }
 */
export function boundsOf({ mean, deviation }: LayerStatistics, rate: number): Bounds {
  if (!Number.isFinite(rate)) {
    throw new PruningError('E_RATE', `a layer's rate must be a number, not ${rate}`);
  }
  const threshold = Math.max(mean + rate * deviation, 0);
  return { prune: Math.fround(0.9 * threshold), splice: Math.fround(1.1 * threshold) };
}

/**
 * The mask that rates make of a snapshot; the snapshot stays as it is.
 *
 * @param rates one for each layer; undefined for a layer whose bits are to stay
 * @throws PruningError `E_RATE` for another number of rates than layers, or one that is no number
 * @example
 * const layers = [{ name: 'fc', offset: 0, size: 4 }];
 * const values = Float32Array.of(0.1, 0.95, 1.05, 2);
 * const statistics = [{ mean: 1, deviation: 0 }];
 * const mask = Uint8Array.of(1, 1, 0, 0);
 * [...maskFor({ values, mask, layers, statistics }, [0])]; // [0, 1, 0, 1]
 */
export function maskFor(snapshot: Snapshot, rates: readonly (number | undefined)[]): Uint8Array {
  const { layers, statistics } = snapshot;
  const values = weighed(snapshot);
  if (rates.length !== layers.length) {
    throw new PruningError('E_RATE', `${rates.length} rates for ${layers.length} layers; each layer needs one`);
  }
  const mask = snapshot.mask.slice();
  for (const [l, { offset, size }] of layers.entries()) {
    const rate = rates[l];
    if (rate === undefined) continue;
    const { prune, splice } = boundsOf(statistics[l], rate);
    for (let i = offset; i < offset + size; i++) {
      const magnitude = Math.abs(values[i]);
      if (magnitude <= prune) mask[i] = 0;
      else if (magnitude > splice) mask[i] = 1;
    }
  }
  return mask;
}

/**
 * Whether a layer takes part in the surgery of an iteration: with the probability (1 + γ · iteration)^−power, ever more rarely, so that
 * a network settles. The draw depends on seed, iteration and layer alone.
 *
 * @example
 * isActive('ip1', 0, { seed: 1, gamma: 0.0002 }); // true
 */
export function isActive(layer: string, iteration: number, { seed, gamma, power = 1 }: Activity): boolean {
  return seededRandom(seed, 'surgery', layer, iteration).uniform() < (1 + gamma * iteration) ** -power;
}

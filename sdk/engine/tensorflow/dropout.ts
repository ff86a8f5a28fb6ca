/** Dropout: what `sdk/engine/dropout.ts` counts out is multiplied by 0, the rest by 1 / (1 − rate). */
import { count } from '../../nn/value.js';
import { dropoutKey, isKept } from '../dropout.js';
import { channelsLast } from './layout.js';
import type { Tensor, TensorFlow } from './tf.js';

/**
 * Dropout while training.
 *
 * @param options shape: a sample's, `[channels, height, width]` or `[features]`; position: the layer's, in the network's nodes
 */
export function dropout(
  tf: TensorFlow,
  x: Tensor,
  {
    rate,
    seed,
    step,
    position,
    shape,
  }: {
    readonly rate: number;
    readonly seed: number;
    readonly step: number;
    readonly position: number;
    readonly shape: readonly number[];
  },
): Tensor {
  const key = dropoutKey(seed, step, position);
  const features = count(shape);
  const factors = new Float32Array(x.shape[0] * features);
  for (let i = 0; i < factors.length; i++) {
    const place = { sample: Math.floor(i / features), feature: i % features };
    if (isKept(key, rate, place)) factors[i] = 1 / (1 - rate);
  }
  return tf.mul(x, channelsLast(tf, factors, shape));
}

/** This package's images are channels first, TensorFlow's channels last. */
import { count } from '../../nn/value.js';
import type { Tensor, TensorFlow } from './tf.js';

/**
 * Numbers in this package's order, sample by sample and channels first, as TensorFlow has them.
 *
 * @param shape of a sample: `[channels, height, width]` or `[features]`
 */
export function channelsLast(tf: TensorFlow, values: Float32Array, shape: readonly number[]): Tensor {
  const x = tf.tensor(values, [values.length / count(shape), ...shape], 'float32');
  return shape.length === 3 ? tf.transpose(x, [0, 2, 3, 1]) : x;
}

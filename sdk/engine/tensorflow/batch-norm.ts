/** Batch normalisation; `batchNorm` in sdk/nn/layers.ts says what it is. */
import { count } from '../../nn/value.js';
import type { Tensor, TensorFlow } from './tf.js';

/**
 * y = γ · (x − μ) / √(σ² + ε) + β
 *
 * @param options parameters: γ, β, moving mean, moving variance; training: takes the new moving mean and variance, which are kept
 */
export function batchNorm(
  tf: TensorFlow,
  x: Tensor,
  {
    epsilon,
    momentum,
    parameters: [gamma, beta, movingMean, movingVariance],
    training,
  }: {
    readonly epsilon: number;
    readonly momentum: number;
    readonly parameters: readonly Tensor[];
    readonly training?: { readonly moved: Tensor[] } | undefined;
  },
): Tensor {
  const allButChannels = x.shape.slice(0, -1);
  const axes = allButChannels.map((_, axis) => axis);
  const mean = training ? tf.mean(x, axes) : movingMean;
  const centred = tf.sub(x, mean);
  const variance = training ? tf.mean(tf.square(centred), axes) : movingVariance;
  if (training) {
    const n = count(allButChannels);
    const move = (moving: Tensor, batch: Tensor, scale: number): Tensor =>
      tf.keep(tf.add(tf.mul(moving, momentum), tf.mul(batch, (1 - momentum) * scale)));
    training.moved.push(move(movingMean, mean, 1), move(movingVariance, variance, n / Math.max(n - 1, 1)));
  }
  return tf.add(tf.mul(centred, tf.div(gamma, tf.sqrt(tf.add(variance, epsilon)))), beta);
}

/** Losses and hits of a batch. */
import type { Loss } from '../../nn/losses.js';
import type { Tensor, TensorFlow } from './tf.js';

/**
 * The mean loss of a batch.
 *
 * @param output `[n, classes]`
 * @param labels `[n]`, class numbers
 */
export function meanLoss(tf: TensorFlow, loss: Loss, { output, labels }: { output: Tensor; labels: Tensor }): Tensor {
  switch (loss.kind) {
    case 'softmaxCrossEntropy': {
      const logarithms = tf.logSoftmax(output);
      // Chosen, not multiplied by 0 and 1: that of another class may be −∞.
      const [n, classes] = output.shape;
      const every = tf.tensor(
        Int32Array.from({ length: classes }, (_, c) => c),
        [classes],
        'int32',
      );
      const chosen = tf.equal(tf.reshape(labels, [n, 1]), every);
      return tf.mul(tf.mean(tf.sum(tf.where(chosen, logarithms, tf.zerosLike(logarithms)), 1)), -1);
    }
    default:
      throw loss.kind satisfies never;
  }
}

/** How many outputs are largest at their label. */
export function hits(tf: TensorFlow, { output, labels }: { output: Tensor; labels: Tensor }): Tensor {
  return tf.sum(tf.cast(tf.equal(tf.argMax(output, 1), labels), 'float32'));
}

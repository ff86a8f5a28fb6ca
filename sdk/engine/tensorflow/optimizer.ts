/** One optimizer step on all trainable parameters at once; the formulas are those in `sdk/nn/optimizers.ts`. */
import type { Optimizer } from '../../nn/optimizers.js';
import type { Tensor, TensorFlow } from './tf.js';

/** What a step changes; every tensor is one vector over all trainable parameters. */
export interface Trained {
  readonly weights: Tensor;
  /** In the order of `slotNames`. */
  readonly slots: readonly Tensor[];
}

/**
 * Weights and slots after a step.
 *
 * @param options step: which it is, from 1: Adam's t
 */
export function updated(
  tf: TensorFlow,
  optimizer: Optimizer,
  {
    weights,
    slots,
    gradient,
    learningRate,
    step,
  }: Trained & { readonly gradient: Tensor; readonly learningRate: number; readonly step: number },
): Trained {
  const { weightDecay } = optimizer;
  const g = weightDecay === 0 ? gradient : tf.add(gradient, tf.mul(weights, weightDecay));
  const less = (change: Tensor): Tensor => tf.sub(weights, change);
  switch (optimizer.kind) {
    case 'sgd': {
      const { momentum, nesterov } = optimizer;
      if (momentum === 0) return { weights: less(tf.mul(g, learningRate)), slots: [] };
      const v = tf.add(tf.mul(slots[0], momentum), g);
      const change = nesterov ? tf.add(g, tf.mul(v, momentum)) : v;
      return { weights: less(tf.mul(change, learningRate)), slots: [v] };
    }
    case 'adam': {
      const { beta1, beta2, epsilon } = optimizer;
      const m = tf.add(tf.mul(slots[0], beta1), tf.mul(g, 1 - beta1));
      const v = tf.add(tf.mul(slots[1], beta2), tf.mul(tf.square(g), 1 - beta2));
      const rate = (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
      return { weights: less(tf.div(tf.mul(m, rate), tf.add(tf.sqrt(v), epsilon))), slots: [m, v] };
    }
    default:
      throw optimizer satisfies never;
  }
}

/** One optimizer step; the formulas are those in `sdk/nn/optimizers.ts`. */
import type { Optimizer } from '../../nn/optimizers.js';
import type { Real } from './real.js';

/** What a step reads and changes; every array is as long as `parameters`. */
export interface Update {
  readonly parameters: Real;
  readonly gradients: Real;
  /** In the order of `slotNames`. */
  readonly slots: readonly Real[];
  readonly learningRate: number;
  /** Which step this is, from 1: Adam's t. */
  readonly step: number;
  /** 0 for parameters that stay as they are, and their slots. Default: none do. */
  readonly kept?: Uint8Array | undefined;
}

/** Changes parameters and slots by the gradients. */
export function update(optimizer: Optimizer, { parameters, gradients, slots, learningRate, step, kept }: Update): void {
  switch (optimizer.kind) {
    case 'sgd': {
      const { momentum, nesterov, weightDecay } = optimizer;
      const [v] = slots;
      for (let i = 0; i < parameters.length; i++) {
        if (kept?.[i] === 0) continue;
        const g = gradients[i] + weightDecay * parameters[i];
        let change = g;
        if (momentum > 0) {
          v[i] = momentum * v[i] + g;
          change = nesterov ? g + momentum * v[i] : v[i];
        }
        parameters[i] -= learningRate * change;
      }
      break;
    }
    case 'adam': {
      const { beta1, beta2, epsilon, weightDecay } = optimizer;
      const [m, v] = slots;
      const rate = (learningRate * Math.sqrt(1 - beta2 ** step)) / (1 - beta1 ** step);
      for (let i = 0; i < parameters.length; i++) {
        if (kept?.[i] === 0) continue;
        const g = gradients[i] + weightDecay * parameters[i];
        m[i] = beta1 * m[i] + (1 - beta1) * g;
        v[i] = beta2 * v[i] + (1 - beta2) * g * g;
        parameters[i] -= (rate * m[i]) / (Math.sqrt(v[i]) + epsilon);
      }
      break;
    }
    default:
      throw optimizer satisfies never;
  }
}

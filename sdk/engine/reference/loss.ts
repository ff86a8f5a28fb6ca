/** Losses, for one sample. */
import type { Loss } from '../../nn/losses.js';
import type { Real } from './real.js';

/** A loss that can be computed. */
export interface LossFunction {
  /** The loss of one sample. */
  forward(output: Real, label: number): number;
  /** Sets `doutput` to `scale` times the gradient of that loss with respect to `output`. */
  backward(output: Real, label: number, into: { readonly doutput: Real; readonly scale: number }): void;
}

/** How `loss` is computed. */
export function lossFunction(loss: Loss): LossFunction {
  switch (loss.kind) {
    case 'softmaxCrossEntropy':
      return softmaxCrossEntropy;
    default:
      throw loss.kind satisfies never;
  }
}

/** The class of the largest output, the first of equal ones. */
export function argmax(output: Real): number {
  let best = 0;
  for (let c = 1; c < output.length; c++) if (output[c] > output[best]) best = c;
  return best;
}

/** loss = log Σ over c of exp(z[c]) − z[label]; dz[c] = softmax(z)[c] − (1 where c = label) */
const softmaxCrossEntropy: LossFunction = {
  forward(z, label) {
    const max = z[argmax(z)];
    return Math.log(sumExp(z, max)) + (max - z[label]);
  },
  backward(z, label, { doutput, scale }) {
    const max = z[argmax(z)];
    const sum = sumExp(z, max);
    for (let c = 0; c < z.length; c++) doutput[c] = (scale * Math.exp(z[c] - max)) / sum;
    doutput[label] -= scale;
  },
};

/** Σ over c of exp(z[c] − max): with the largest taken out, no exponential overflows. */
function sumExp(z: Real, max: number): number {
  let sum = 0;
  for (let c = 0; c < z.length; c++) sum += Math.exp(z[c] - max);
  return sum;
}

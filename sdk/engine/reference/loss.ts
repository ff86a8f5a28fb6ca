/** Losses, for one sample. */
import type { Loss } from '../../nn/losses.js';

/** A loss that can be computed. */
export interface LossFunction {
  /** The loss of one sample. */
  forward(output: Float64Array, label: number): number;
  /** Sets `doutput` to `scale` times the gradient of that loss with respect to `output`. */
  backward(output: Float64Array, label: number, into: { readonly doutput: Float64Array; readonly scale: number }): void;
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
export function argmax(output: Float64Array): number {
  let best = 0;
  for (let c = 1; c < output.length; c++) if (output[c] > output[best]) best = c;
  return best;
}

/** loss = log Σ over c of exp(z[c]) − z[label]; dz[c] = softmax(z)[c] − (1 where c = label) */
const softmaxCrossEntropy: LossFunction = {
  forward: (z, label) => logSumExp(z) - z[label],
  backward(z, label, { doutput, scale }) {
    const norm = logSumExp(z);
    for (let c = 0; c < z.length; c++) doutput[c] = scale * Math.exp(z[c] - norm);
    doutput[label] -= scale;
  },
};

/** With the largest taken out of the sum, so that no exponential overflows. */
function logSumExp(z: Float64Array): number {
  const max = z[argmax(z)];
  let sum = 0;
  for (let c = 0; c < z.length; c++) sum += Math.exp(z[c] - max);
  return max + Math.log(sum);
}

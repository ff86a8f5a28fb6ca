/** Loss and gradients of a batch: what an optimizer step starts from. */
import type { Loss } from '../../nn/losses.js';
import type { Network } from '../../nn/network.js';
import { type Graph, graph } from './graph.js';
import { argmax, lossFunction } from './loss.js';
import type { Real } from './real.js';

/** Samples as the network reads them, and what they are. */
export interface Batch {
  /** `[n, …]`: the network's inputs, one after another. */
  readonly inputs: Float64Array;
  /** `[n]`: class numbers. */
  readonly labels: ArrayLike<number>;
}

/** What a batch comes to. */
export interface BatchResult {
  /** Mean over the batch. */
  readonly loss: number;
  /** How many samples have their largest output at their label. */
  readonly correct: number;
}

/**
 * The mean loss of a batch, and its gradient with respect to the parameters.
 *
 * @example
 * const net = network('linear', dense(input([2]), { name: 'fc', outFeatures: 2 }));
 * const batch = { inputs: Float64Array.of(1, 2), labels: [0] };
 * lossAndGradients(net, softmaxCrossEntropy(), { parameters: new Float64Array(6), ...batch }).loss; // Math.log(2)
 */
export function lossAndGradients(
  network: Network,
  loss: Loss,
  { parameters, ...batch }: Batch & { readonly parameters: Real },
): BatchResult & { readonly gradients: Float64Array } {
  const bound = graph(network, parameters);
  return { ...runBatch(bound, loss, { ...batch, backward: true }), gradients: bound.gradients };
}

/**
 * Loss and hits of a batch.
 *
 * @param options backward: also sets `bound.gradients` to the gradient of the mean loss
 */
export function runBatch(
  bound: Graph,
  loss: Loss,
  { inputs, labels, backward }: Batch & { readonly backward: boolean },
): BatchResult {
  const { input, output, doutput } = bound;
  const compute = lossFunction(loss);
  const scale = 1 / labels.length;
  let sum = 0;
  let correct = 0;
  if (backward) bound.gradients.fill(0);
  for (let i = 0; i < labels.length; i++) {
    input.set(inputs.subarray(i * input.length, (i + 1) * input.length));
    bound.forward();
    sum += compute.forward(output, labels[i]);
    if (argmax(output) === labels[i]) correct++;
    if (backward) {
      compute.backward(output, labels[i], { doutput, scale });
      bound.backward();
    }
  }
  return { loss: sum * scale, correct };
}

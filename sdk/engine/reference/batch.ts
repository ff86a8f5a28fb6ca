/** Loss and gradients of a batch: what an optimizer step starts from. */
import type { Loss } from '../../nn/losses.js';
import type { Network } from '../../nn/network.js';
import type { Training } from './bind.js';
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
  /** `[n]`: the loss of each sample. */
  readonly losses: Float64Array;
  /** How many samples have their largest output at their label. */
  readonly correct: number;
}

/**
 * The mean loss of a training batch, and its gradient with respect to the parameters.
 *
 * @param options seed, step: what dropout chooses by (default 1, and 0: the first step)
 * @example
 * const net = network('linear', dense(input([2]), { name: 'fc', outFeatures: 2 }));
 * const batch = { inputs: Float64Array.of(1, 2), labels: [0] };
 * lossAndGradients(net, softmaxCrossEntropy(), { parameters: new Float64Array(6), ...batch }).loss; // Math.log(2)
 */
export function lossAndGradients(
  network: Network,
  loss: Loss,
  { parameters, seed = 1, step = 0, ...batch }: Batch & Partial<Training> & { readonly parameters: Real },
): BatchResult & { readonly gradients: Float64Array } {
  const bound = graph(network, parameters, batch.labels.length);
  return { ...runBatch(bound, loss, { ...batch, training: { seed, step } }), gradients: bound.gradients };
}

/**
 * Loss and hits of a batch of as many samples as `bound` is for.
 *
 * @param options training: also sets `bound.gradients` to the gradient of the mean loss
 */
export function runBatch(
  bound: Graph,
  loss: Loss,
  { inputs, labels, training }: Batch & { readonly training?: Training },
): BatchResult {
  const { input, output, doutput } = bound;
  const n = labels.length;
  const classes = output.length / n;
  const compute = lossFunction(loss);
  const losses = new Float64Array(n);
  let correct = 0;
  input.set(inputs);
  bound.forward(training);
  for (let i = 0; i < n; i++) {
    const logits = output.subarray(i * classes, (i + 1) * classes);
    losses[i] = compute.forward(logits, labels[i]);
    if (argmax(logits) === labels[i]) correct++;
    compute.backward(logits, labels[i], { doutput: doutput.subarray(i * classes, (i + 1) * classes), scale: 1 / n });
  }
  if (training) bound.backward(training);
  return { loss: losses.reduce((sum, each) => sum + each, 0) / n, losses, correct };
}

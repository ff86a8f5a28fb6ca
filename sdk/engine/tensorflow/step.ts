/** What TensorFlow computes of a batch: the outputs alone, or a whole optimizer step. */
import type { Loss } from '../../nn/losses.js';
import type { Network } from '../../nn/network.js';
import type { Optimizer } from '../../nn/optimizers.js';
import { count } from '../../nn/value.js';
import type { Batch } from '../reference/batch.js';
import { type Held, merge, split } from './held.js';
import { forward } from './layers.js';
import { channelsLast } from './layout.js';
import { hits, meanLoss } from './loss.js';
import { updated } from './optimizer.js';
import type { Tensor, TensorFlow } from './tf.js';

/** How a network is trained. */
export interface Plan {
  readonly network: Network;
  readonly loss: Loss;
  readonly optimizer: Optimizer;
  /** What dropout counts from. */
  readonly seed: number;
}

/** A step that has not been taken yet. */
export interface Step {
  /** Mean over the batch, before the update. */
  readonly loss: number;
  /** How many samples were classified rightly, before the update. */
  readonly correct: number;
  /** What is held if the step is taken. */
  readonly next: Held;
}

/** Outputs `[n, classes]` and labels `[n]` of a batch, in evaluation. To be called within `tidy`. */
export function outputs(
  tf: TensorFlow,
  network: Network,
  { held, inputs, labels }: Batch & { readonly held: Held },
): { readonly output: Tensor; readonly labels: Tensor } {
  const parameters = merge(network, split(tf, network, held.weights), held.moving);
  const x = channelsLast(tf, Float32Array.from(inputs), network.inputShape);
  return { output: forward(tf, network, { x, parameters }), labels: classNumbers(tf, labels) };
}

/**
 * One step. To be called within `tidy`.
 *
 * @param options step: optimizer steps taken before this one
 */
export function tryStep(
  tf: TensorFlow,
  { network, loss, optimizer, seed }: Plan,
  {
    held,
    inputs,
    labels,
    step,
    learningRate,
  }: Batch & { readonly held: Held; readonly step: number; readonly learningRate: number },
): Step {
  const x = channelsLast(tf, Float32Array.from(inputs), network.inputShape);
  const truth = classNumbers(tf, labels);
  // Made within the pass that is differentiated, needed after it, and so kept beyond any tidy.
  const moved: Tensor[] = [];
  const right: Tensor[] = [];
  const lossOf = (...trainable: Tensor[]): Tensor => {
    const parameters = merge(network, trainable, held.moving);
    const output = forward(tf, network, { x, parameters, training: { seed, step, moved } });
    right.push(tf.keep(hits(tf, { output, labels: truth })));
    return meanLoss(tf, loss, { output, labels: truth });
  };
  try {
    const { value, gradient } = differentiate(tf, lossOf, split(tf, network, held.weights));
    const trained = updated(tf, optimizer, { ...held, gradient, learningRate, step: step + 1 });
    const [mean, correct] = tf.stack([value, ...right]).dataSync();
    return { loss: mean, correct, next: { ...trained, moving: moved.map((tensor) => tf.clone(tensor)) } };
  } finally {
    for (const tensor of [...moved, ...right]) tensor.dispose();
  }
}

/** A function's value, and its gradients one after another in a vector. */
function differentiate(
  tf: TensorFlow,
  f: (...xs: Tensor[]) => Tensor,
  at: Tensor[],
): { readonly value: Tensor; readonly gradient: Tensor } {
  if (at.length === 0) return { value: f(), gradient: tf.tensor(new Float32Array(), [0], 'float32') };
  const { value, grads } = tf.valueAndGrads(f)(at);
  const vectors = grads.map((gradient) => tf.reshape(gradient, [count(gradient.shape)]));
  return { value, gradient: tf.concat(vectors, 0) };
}

function classNumbers(tf: TensorFlow, labels: ArrayLike<number>): Tensor {
  return tf.tensor(Int32Array.from(labels), [labels.length], 'int32');
}

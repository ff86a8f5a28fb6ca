/** A network's layers tied to arrays: a batch goes forward through them, its gradient backward. */
import type { Network } from '../../nn/network.js';
import { count } from '../../nn/value.js';
import { bindLayer, type Training } from './bind.js';
import { precisionOf, type Real, reals } from './real.js';

/** A network that can be run, n samples at a time. */
export interface Graph {
  readonly n: number;
  /** Write the samples here, `[n, …]`, … */
  readonly input: Real;
  /** … call this, … */
  forward(training: Training | undefined): void;
  /** … and read the network's outputs here, `[n, …]`. */
  readonly output: Real;
  /** After a training pass, write the gradient of the loss with respect to the outputs here, … */
  readonly doutput: Float64Array;
  /** … and call this, … */
  backward(training: Training): void;
  /** … which sets the gradient with respect to the parameters, one after another in the network's order. */
  readonly gradients: Float64Array;
  /** When the step of the last training pass is taken: moves batch normalisation's statistics. */
  moveStatistics(): void;
}

/**
 * Ties `network` to `parameters`, which it goes on reading; what layers make has their precision.
 *
 * @param n how many samples there are at a time
 */
export function graph(network: Network, parameters: Real, n: number): Graph {
  const precision = precisionOf(parameters);
  const values = network.nodes.map((node) => reals(precision, n * count(node.shape)));
  const dvalues = values.map((value) => new Float64Array(value.length));
  const gradients = new Float64Array(network.parameterCount);
  const layers = network.nodes.map((_, i) => bindLayer(network, i, { n, values, dvalues, parameters, gradients }));
  const last = layers.length - 1;
  return {
    n,
    input: values[0],
    output: values[last],
    doutput: dvalues[last],
    gradients,
    forward(training) {
      for (const layer of layers) layer.forward(training);
    },
    backward(training) {
      // Every reader of a value adds to its gradient.
      for (const gradient of [gradients, ...dvalues.slice(0, last)]) gradient.fill(0);
      for (const layer of layers.toReversed()) layer.backward(training);
    },
    moveStatistics() {
      for (const layer of layers) layer.moveStatistics?.();
    },
  };
}

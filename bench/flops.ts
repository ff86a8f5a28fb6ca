/** How much arithmetic a network asks for, so that a training speed can be set against a machine's peak. */

import type { Network, Node } from '../sdk/nn/network.js';
import { count } from '../sdk/nn/value.js';

/**
 * Floating point operations to train on one sample: two for each multiply-add of the convolutions and dense layers,
 * forward, for the gradient of the weights, and, where something before the layer learns, for that of its input. All
 * else (biases, ReLU, pooling, normalisation, loss, optimizer, batch assembly) is left out.
 *
 * @example
 * trainingFlops(LeNet5()); // 2263920; times 60 000 images: 135.8 GFLOP an epoch of MNIST
 */
export function trainingFlops({ nodes }: Network): number {
  const learns: boolean[] = [];
  let flops = 0;
  for (const node of nodes) {
    const inputLearns = node.inputs.some((from) => learns[from]);
    flops += flopsOf(node) * (inputLearns ? 3 : 2);
    learns.push(inputLearns || node.parameters.length > 0);
  }
  return flops;
}

/** The same for predicting one sample. */
export function forwardFlops({ nodes }: Network): number {
  return nodes.reduce((sum, node) => sum + flopsOf(node), 0);
}

/** A weight meets every position of the output once; a dense layer has one. */
function flopsOf({ layer, parameters, shape }: Node): number {
  const multiplies = layer.kind === 'conv2d' || layer.kind === 'depthwiseConv2d' || layer.kind === 'dense';
  return multiplies ? 2 * parameters[0].size * count(shape.slice(1)) : 0;
}

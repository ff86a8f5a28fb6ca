/** How much arithmetic a network asks for, so that a training speed can be set against a machine's peak. */

import type { Network } from '../sdk/nn/network.js';
import { count } from '../sdk/nn/value.js';

/**
 * Floating point operations to train on one sample: two for each multiply-add of the convolutions and dense layers,
 * forward, for the gradient of the weights, and, where something before the layer learns, for that of its input. All
 * else (biases, ReLU, pooling, loss, optimizer, batch assembly) is left out.
 *
 * @example
 * trainingFlops(LeNet5()); // 2263920; times 60 000 images: 135.8 GFLOP an epoch of MNIST
 */
export function trainingFlops({ nodes }: Network): number {
  const learns: boolean[] = [];
  let flops = 0;
  for (const { inputs, parameters, shape } of nodes) {
    const inputLearns = inputs.some((from) => learns[from]);
    // A weight meets every position of the output once; a dense layer has one.
    const forward = parameters.length > 0 ? 2 * parameters[0].size * count(shape.slice(1)) : 0;
    flops += forward * (inputLearns ? 3 : 2);
    learns.push(inputLearns || parameters.length > 0);
  }
  return flops;
}

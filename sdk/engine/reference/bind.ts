/** One layer of a network tied to its arrays. */
import type { Network, Node, Parameter } from '../../nn/network.js';
import { count } from '../../nn/value.js';
import { dropoutKey } from '../dropout.js';
import { addBackward, addForward } from './add.js';
import { avgPool2dBackward, avgPool2dForward } from './avg-pool2d.js';
import { type BatchNorm, batchNormBackward, batchNormForward, moveStatistics } from './batch-norm.js';
import { concatBackward, concatForward } from './concat.js';
import { conv2dBackward, conv2dForward } from './conv2d.js';
import { denseBackward, denseForward } from './dense.js';
import { dropoutBackward, dropoutForward } from './dropout.js';
import { maxPool2dBackward, maxPool2dForward } from './max-pool2d.js';
import type { Real } from './real.js';
import { reluBackward, reluForward } from './relu.js';
import { softmaxBackward, softmaxForward } from './softmax.js';
import { windowsOn } from './windows.js';

/** That a pass is one of training, and what dropout chooses by. */
export interface Training {
  readonly seed: number;
  /** Optimizer steps taken before this one. */
  readonly step: number;
}

/** A layer that can be run. */
export interface BoundLayer {
  forward(training: Training | undefined): void;
  backward(training: Training): void;
  moveStatistics?(): void;
}

/** What the layers of a network read and write. */
export interface Arrays {
  /** Samples. */
  readonly n: number;
  /** `[n, …]` for each node */
  readonly values: readonly Real[];
  readonly dvalues: readonly Float64Array[];
  /** In the network's order. */
  readonly parameters: Real;
  readonly gradients: Float64Array;
}

/** Ties the layer of node `index` to its part of the arrays. */
export function bindLayer(network: Network, index: number, arrays: Arrays): BoundLayer {
  const node = network.nodes[index];
  const { layer } = node;
  if (layer.kind === 'input') return { forward() {}, backward() {} };

  const { n } = arrays;
  const xs = node.inputs.map((from) => arrays.values[from]);
  const dxs = node.inputs.map((from) => arrays.dvalues[from]);
  const ends = { out: arrays.values[index], dout: arrays.dvalues[index] };
  const flow = { x: xs[0], dx: dxs[0], ...ends };
  const { shape } = network.nodes[node.inputs[0]];
  const [channels, height, width] = shape;
  const image = { channels, height, width };
  const features = count(shape);
  switch (layer.kind) {
    case 'conv2d':
    case 'depthwiseConv2d': {
      const groups = layer.kind === 'conv2d' ? 1 : channels;
      const sizes = { outChannels: node.shape[0], groups, kernelSize: layer.kernelSize };
      const conv = { ...image, ...sizes, ...windowsOn(image, layer), ...flow, ...weights(node, arrays) };
      return run(conv, conv2dForward, conv2dBackward);
    }
    case 'dense': {
      const dense = { features, outFeatures: layer.outFeatures, ...flow, ...weights(node, arrays) };
      return run(dense, denseForward, denseBackward);
    }
    case 'relu':
      return run(flow, reluForward, reluBackward);
    case 'softmax':
      return run({ features, ...flow }, softmaxForward, softmaxBackward);
    case 'maxPool2d':
      return run({ ...image, ...windowsOn(image, layer), ...flow }, maxPool2dForward, maxPool2dBackward);
    case 'avgPool2d':
      return run({ ...image, ...windowsOn(image, layer), ...flow }, avgPool2dForward, avgPool2dBackward);
    case 'flatten':
      // A flattened image is its channels one after another.
      return run({ n, xs, dxs, ...ends }, concatForward, concatBackward);
    case 'dropout': {
      const dropout = { rate: layer.rate, features, ...flow };
      const key = ({ seed, step }: Training): number => dropoutKey(seed, step, index);
      return {
        forward: (training) => dropoutForward(dropout, training && key(training)),
        backward: (training) => dropoutBackward(dropout, key(training)),
      };
    }
    case 'batchNorm': {
      const { epsilon, momentum } = layer;
      const statistics = { mean: new Float64Array(channels), variance: new Float64Array(channels) };
      const sizes = { channels, places: features / channels, epsilon, momentum };
      const norm = { ...sizes, ...flow, ...normParameters(node, arrays), ...statistics };
      return {
        forward: (training) => batchNormForward(norm, training !== undefined),
        backward: () => batchNormBackward(norm),
        moveStatistics: () => moveStatistics(norm),
      };
    }
    case 'add':
      return run({ xs, dxs, ...ends }, addForward, addBackward);
    case 'concat':
      return run({ n, xs, dxs, ...ends }, concatForward, concatBackward);
    default:
      throw layer satisfies never;
  }
}

/** A layer that is the same in training and otherwise. */
function run<L>(layer: L, forward: (layer: L) => void, backward: (layer: L) => void): BoundLayer {
  return { forward: () => forward(layer), backward: () => backward(layer) };
}

/** A bias that is not there is 0, and nobody reads its gradient. */
function weights(
  { parameters: [weight, bias] }: Node,
  { parameters, gradients }: Arrays,
): { weight: Real; bias: Real; dweight: Float64Array; dbias: Float64Array } {
  const [outputs] = weight.shape;
  return {
    weight: part(parameters, weight),
    dweight: part(gradients, weight),
    bias: bias ? part(parameters, bias) : new Float64Array(outputs),
    dbias: bias ? part(gradients, bias) : new Float64Array(outputs),
  };
}

function normParameters(
  { parameters: [gamma, beta, mean, variance] }: Node,
  { parameters, gradients }: Arrays,
): Pick<BatchNorm, 'gamma' | 'dgamma' | 'beta' | 'dbeta' | 'movingMean' | 'movingVariance'> {
  return {
    gamma: part(parameters, gamma),
    dgamma: part(gradients, gamma),
    beta: part(parameters, beta),
    dbeta: part(gradients, beta),
    movingMean: part(parameters, mean),
    movingVariance: part(parameters, variance),
  };
}

function part(all: Float64Array, parameter: Parameter): Float64Array;
function part(all: Real, parameter: Parameter): Real;
function part(all: Real, { offset, size }: Parameter): Real {
  return all.subarray(offset, offset + size);
}

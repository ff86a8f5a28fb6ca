/** A network's layers tied to arrays: one sample goes forward through them, its gradient backward. */

import type { Network, Node } from '../../nn/network.js';
import { count } from '../../nn/value.js';
import { conv2dBackward, conv2dForward } from './conv2d.js';
import { denseBackward, denseForward } from './dense.js';
import { maxPool2dBackward, maxPool2dForward } from './max-pool2d.js';
import { precisionOf, type Real, reals } from './real.js';
import { reluBackward, reluForward } from './relu.js';

/** A network that can be run, a sample at a time. */
export interface Graph {
  /** Write a sample here, in the shape of the network's input, … */
  readonly input: Real;
  /** … call this, … */
  forward(): void;
  /** … and read the network's output here. */
  readonly output: Real;
  /** Write the gradient of the loss with respect to the output here, … */
  readonly doutput: Float64Array;
  /** … and call this, … */
  backward(): void;
  /** … which adds to the gradient with respect to the parameters, one after another in the network's order. */
  readonly gradients: Float64Array;
}

/** Ties `network` to `parameters`, which it goes on reading; what layers make has their precision. */
export function graph(network: Network, parameters: Real): Graph {
  const precision = precisionOf(parameters);
  const values = network.nodes.map((node) => reals(precision, count(node.shape)));
  const dvalues = values.map((value) => new Float64Array(value.length));
  const gradients = new Float64Array(network.parameterCount);
  const layers = network.nodes.map((_, i) => bind(network, i, { values, dvalues, parameters, gradients }));
  const last = layers.length - 1;
  return {
    input: values[0],
    output: values[last],
    doutput: dvalues[last],
    gradients,
    forward() {
      for (const layer of layers) layer.forward();
    },
    backward() {
      // Every reader of a value adds to its gradient.
      for (let i = 0; i < last; i++) dvalues[i].fill(0);
      for (let i = last; i >= 0; i--) layers[i].backward();
    },
  };
}

interface Bound {
  forward(): void;
  backward(): void;
}

/** `values` and `dvalues`: one per node. */
interface Arrays {
  readonly values: readonly Real[];
  readonly dvalues: readonly Float64Array[];
  readonly parameters: Real;
  readonly gradients: Float64Array;
}

function bind(network: Network, index: number, arrays: Arrays): Bound {
  const node = network.nodes[index];
  const { layer } = node;
  if (layer.kind === 'input') return { forward() {}, backward() {} };

  const [from] = node.inputs;
  const [channels, height, width] = network.nodes[from].shape;
  const image = { channels, height, width };
  const flow = {
    x: arrays.values[from],
    dx: arrays.dvalues[from],
    out: arrays.values[index],
    dout: arrays.dvalues[index],
  };
  switch (layer.kind) {
    case 'conv2d': {
      const { outChannels, kernelSize } = layer;
      const [kernelHeight, kernelWidth] = kernelSize;
      const conv = { ...image, outChannels, kernelHeight, kernelWidth, ...flow, ...weights(node, arrays) };
      return { forward: () => conv2dForward(conv), backward: () => conv2dBackward(conv) };
    }
    case 'dense': {
      const dense = { ...flow, ...weights(node, arrays) };
      return { forward: () => denseForward(dense), backward: () => denseBackward(dense) };
    }
    case 'relu':
      return { forward: () => reluForward(flow), backward: () => reluBackward(flow) };
    case 'maxPool2d': {
      const pool = { ...image, kernelSize: layer.kernelSize[0], ...flow };
      return { forward: () => maxPool2dForward(pool), backward: () => maxPool2dBackward(pool) };
    }
    case 'flatten':
      return { forward: () => flow.out.set(flow.x), backward: () => add(flow.dx, flow.dout) };
    default:
      throw new Error(`not there yet: ${layer.kind}`);
  }
}

function weights(
  { parameters: [weight, bias] }: Node,
  { parameters, gradients }: Arrays,
): { weight: Real; bias: Real; dweight: Float64Array; dbias: Float64Array } {
  return {
    weight: parameters.subarray(weight.offset, weight.offset + weight.size),
    bias: parameters.subarray(bias.offset, bias.offset + bias.size),
    dweight: gradients.subarray(weight.offset, weight.offset + weight.size),
    dbias: gradients.subarray(bias.offset, bias.offset + bias.size),
  };
}

function add(to: Float64Array, from: Float64Array): void {
  for (let i = 0; i < from.length; i++) to[i] += from[i];
}

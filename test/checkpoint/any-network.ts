/** Networks of every kind of layer, with parameters and images: what files of other frameworks must compute as we do. */
import { type Random, seededRandom } from '../../sdk/base/random.js';
import type { Float32Tensor } from '../../sdk/checkpoint/tensor-file.js';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { add, batchNorm, concat, dense, dropout, flatten, input, relu, softmax } from '../../sdk/nn/layers.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import type { Layer, Value } from '../../sdk/nn/value.js';
import type { WindowOptions } from '../../sdk/nn/window.js';

/** One network that has every kind of layer, and pools whose padding Keras does not have. */
export function everyLayer(): Network {
  const x = input([2, 11, 9]);
  const stem = relu(
    batchNorm(conv2d(x, { name: 'conv1', outChannels: 4, kernelSize: [3, 4], padding: [1, 2] }), { name: 'bn1' }),
  );
  const deep = depthwiseConv2d(stem, {
    name: 'dw1',
    kernelSize: 3,
    multiplier: 2,
    stride: 2,
    padding: 'same',
    bias: false,
  });
  const down = maxPool2d(conv2d(stem, { name: 'conv2', outChannels: 8, kernelSize: 1 }), {
    kernelSize: 3,
    stride: 2,
    padding: 1,
  });
  const mean = avgPool2d(dropout(add(deep, down), { rate: 0.3 }), { kernelSize: [3, 2], stride: [2, 1], padding: 1 });
  const flat = concat(flatten(concat(mean, relu(mean))), globalMaxPool2d(deep), globalAvgPool2d(stem));
  const wide = batchNorm(dense(flat, { name: 'fc1', outFeatures: 12 }), { name: 'bn2', epsilon: 0.01, momentum: 0.5 });
  const last = dense(add(wide, relu(wide), flatten(wide)), { name: 'fc2', outFeatures: 5, bias: false });
  return network('every-layer', softmax(last));
}

/** Kinds of layers that {@link everyLayer} has; for a test that it has them all. */
export function kindsOf({ nodes }: Network): ReadonlySet<Layer['kind']> {
  return new Set(nodes.map(({ layer }) => layer.kind));
}

/** Any small network that reads images: three to eight image layers with branches, then up to four of a vector. */
export function anyNetwork(seed: number): Network {
  const random = seededRandom(seed, 'network');
  const oneOf = <T>(...choices: readonly T[]): T => choices[random.below(choices.length)];
  let x = input([oneOf(1, 2, 3), 5 + random.below(7), 5 + random.below(7)]);
  let before = x;
  for (let i = 3 + random.below(6); i > 0; i--) {
    const next = imageLayer(oneOf, { x, before, name: `layer${i}` });
    before = x;
    x = next;
  }
  let y = oneOf(flatten, flatten, globalAvgPool2d, globalMaxPool2d)(x);
  if (oneOf(true, false)) y = concat(y, flatten(before));
  for (let i = random.below(5); i > 0; i--) y = vectorLayer(oneOf, { x: y, name: `fc${i}` });
  return network('any', y);
}

type OneOf = <T>(...choices: readonly T[]) => T;

function imageLayer(oneOf: OneOf, { x, before, name }: { x: Value; before: Value; name: string }): Value {
  const [, rows, columns] = x.shape;
  const kernelSize = [Math.min(oneOf(1, 2, 3, 4), rows), Math.min(oneOf(1, 2, 3, 5), columns)] as const;
  const around = kernelSize.map((size) => oneOf(0, size >> 1, size - 1));
  const window: WindowOptions = {
    kernelSize,
    stride: [oneOf(1, 1, 2, 3), oneOf(1, 1, 2)],
    padding: oneOf<'valid' | 'same' | readonly [number, number]>('valid', 'same', [around[0], around[1]]),
  };
  const same: WindowOptions = { kernelSize, padding: 'same' };
  const isLike = before.shape.slice(1).join() === x.shape.slice(1).join();
  return oneOf<() => Value>(
    () => conv2d(x, { name, ...window, outChannels: oneOf(1, 3, 4), bias: oneOf(true, false) }),
    () => depthwiseConv2d(x, { name, ...window, multiplier: oneOf(1, 2), bias: oneOf(true, false) }),
    () => maxPool2d(x, window),
    () => avgPool2d(x, window),
    () => batchNorm(x, { name, epsilon: oneOf(1e-3, 1e-5) }),
    () => dropout(relu(x), { rate: 0.5 }),
    () => add(x, relu(x), batchNorm(x, { name })),
    () => concat(isLike ? before : relu(x), conv2d(x, { name, ...same, outChannels: 2 })),
  )();
}

function vectorLayer(oneOf: OneOf, { x, name }: { x: Value; name: string }): Value {
  return oneOf<() => Value>(
    () => dense(x, { name, outFeatures: oneOf(1, 4, 7), bias: oneOf(true, false) }),
    () => batchNorm(x, { name }),
    () => concat(relu(x), flatten(x)),
    () => add(x, softmax(x)),
    () => dropout(x, { rate: 0.1 }),
  )();
}

/** Parameters that keep values near their size from layer to layer; no bias, mean or shift is 0, no variance below ½. */
export function drawParameters(net: Network, seed: number): ReadonlyMap<string, Float32Tensor> {
  const random = seededRandom(seed, 'parameters');
  return new Map(
    net.parameters.map(({ name, shape, size }) => [
      name,
      { shape, data: Float32Array.from({ length: size }, valueOf(name, shape, random)) },
    ]),
  );
}

function valueOf(name: string, shape: readonly number[], random: Random): () => number {
  if (name.endsWith('.moving_variance')) return () => 0.5 + random.uniform();
  if (name.endsWith('.gamma')) return () => 1 + 0.2 * random.normal();
  if (shape.length === 1) return () => 0.1 * random.normal();
  const fanIn = shape.slice(1).reduce((product, size) => product * size, 1);
  return () => Math.sqrt(2 / fanIn) * random.normal();
}

/** Images of a network's input, one after another, each `[channels, rows, columns]`, of numbers in [0, 1]. */
export function drawImages({ inputShape }: Network, count: number, seed: number): Float32Array {
  const random = seededRandom(seed, 'images');
  const size = inputShape.reduce((product, n) => product * n, 1);
  return Float32Array.from({ length: count * size }, () => random.below(256) / 255);
}

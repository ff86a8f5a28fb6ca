/** LeNet-5 and its relatives. */

import { conv2d } from './convolution.js';
import { normal, xavierUniform } from './initializers.js';
import { dense, dropout, flatten, input, relu } from './layers.js';
import { type Network, network } from './network.js';
import { maxPool2d } from './pooling.js';
import type { Value, WeightOptions } from './value.js';

/** What images a classifier is for. */
export interface ClassifierOptions {
  readonly height?: number;
  readonly width?: number;
  readonly classes?: number;
  readonly channels?: number;
}

/** What LeNet-5 can be asked for. */
export interface LeNetOptions extends ClassifierOptions {
  readonly sigma?: number;
}

/**
 * LeNet-5 as MindSpore's MNIST example builds it, for 32×32 images (or others of at least 16×16): two 5×5 convolutions (6 and 16 channels), each
 * with ReLU and 2×2 max-pooling, then dense layers of 120, 84 and `classes`. 61 706 parameters with the defaults.
 * After LeCun et al. 1998, http://yann.lecun.com/exdb/publis/pdf/lecun-98.pdf
 *
 * @param options classes (default 10), channels of the image (default 1), its height and width (default 32), sigma of the weights' N(0, σ²) (default 0.02)
 * @example
 * LeNet5({ classes: 10 }).parameterCount; // 61706
 */
export function LeNet5({
  classes = 10,
  channels = 1,
  height = 32,
  width = 32,
  sigma = 0.02,
}: LeNetOptions = {}): Network {
  const weights = (name: string): WeightOptions => ({ name, initializer: normal(sigma) });
  let x = input([channels, height, width]);
  x = maxPool2d(relu(conv2d(x, { ...weights('conv1'), outChannels: 6, kernelSize: 5 })), { kernelSize: 2 });
  x = maxPool2d(relu(conv2d(x, { ...weights('conv2'), outChannels: 16, kernelSize: 5 })), { kernelSize: 2 });
  x = relu(dense(flatten(x), { ...weights('fc1'), outFeatures: 120 }));
  x = relu(dense(x, { ...weights('fc2'), outFeatures: 84 }));
  return network('lenet', dense(x, { ...weights('fc3'), outFeatures: classes }));
}

/**
 * LeNet-300-100 (LeCun et al. 1998, section III.C.4), as pruning studies have it: dense layers of 300, 100 and `classes` with ReLU
 * between, named as in Caffe's model files. 266 610 parameters with the defaults.
 *
 * @param options classes (default 10), channels (default 1), height and width (default 28)
 */
export function LeNet300100({ classes = 10, channels = 1, height = 28, width = 28 }: ClassifierOptions = {}): Network {
  let x = flatten(input([channels, height, width]));
  x = relu(dense(x, { ...xavier('ip1'), outFeatures: 300 }));
  x = relu(dense(x, { ...xavier('ip2'), outFeatures: 100 }));
  return network('lenet300-100', dense(x, { ...xavier('ip3'), outFeatures: classes }));
}

/**
 * LeNet-5 as Caffe's MNIST example builds it, its layers named as in its model files: two 5×5 convolutions (20 and 50 channels), each with 2×2
 * max-pooling and no ReLU, then dense layers of 500, with ReLU, and `classes`. 431 080 parameters with the defaults.
 *
 * @param options classes (default 10), channels (default 1), height and width (default 28, at least 16)
 */
export function CaffeLeNet5({ classes = 10, channels = 1, height = 28, width = 28 }: ClassifierOptions = {}): Network {
  let x = input([channels, height, width]);
  x = maxPool2d(conv2d(x, { ...xavier('conv1'), outChannels: 20, kernelSize: 5 }), { kernelSize: 2 });
  x = maxPool2d(conv2d(x, { ...xavier('conv2'), outChannels: 50, kernelSize: 5 }), { kernelSize: 2 });
  x = relu(dense(flatten(x), { ...xavier('ip1'), outFeatures: 500 }));
  return network('lenet5-caffe', dense(x, { ...xavier('ip2'), outFeatures: classes }));
}

/**
 * The LeNet of Keras's MNIST examples: two 5×5 convolutions of 32 channels and two 3×3 of 64, all with `same` padding and ReLU, after each pair 2×2
 * max-pooling and dropout of ¼; a dense layer of 128 with ReLU and dropout of ½; `classes`. 484 714 parameters with the defaults.
 *
 * @param options classes (default 10), channels (default 1), height and width (default 28)
 */
export function KerasLeNet({ classes = 10, channels = 1, height = 28, width = 28 }: ClassifierOptions = {}): Network {
  const conv = (from: Value, name: string, outChannels: number, kernelSize: number): Value =>
    relu(conv2d(from, { ...xavier(name), outChannels, kernelSize, padding: 'same' }));
  let x = input([channels, height, width]);
  x = conv(conv(x, 'conv1', 32, 5), 'conv2', 32, 5);
  x = dropout(maxPool2d(x, { kernelSize: 2 }), { rate: 0.25 });
  x = conv(conv(x, 'conv3', 64, 3), 'conv4', 64, 3);
  x = dropout(maxPool2d(x, { kernelSize: 2 }), { rate: 0.25 });
  x = dropout(relu(dense(flatten(x), { ...xavier('fc1'), outFeatures: 128 })), { rate: 0.5 });
  return network('lenet-keras', dense(x, { ...xavier('fc2'), outFeatures: classes }));
}

function xavier(name: string): WeightOptions {
  return { name, initializer: xavierUniform() };
}

/** LeNet-5 and, later, its relatives. */
import { normal } from './initializers.js';
import { conv2d, dense, flatten, input, maxPool2d, relu, type WeightOptions } from './layers.js';
import { type Network, network } from './network.js';

/** What a LeNet can be asked for. */
export interface LeNetOptions {
  readonly height?: number;
  readonly width?: number;
  readonly classes?: number;
  readonly channels?: number;
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

/** Networks by the names that the command line gives them, and what each wants of its images. */
import { mnistTransforms } from '../dataset/mnist.js';
import { rescale, resize, type Transform } from '../dataset/transforms.js';
import { CaffeLeNet5, type ClassifierOptions, KerasLeNet, LeNet5, LeNet300100 } from './lenet.js';
import type { Network } from './network.js';

/** What `--network` may say. */
export const NETWORK_NAMES = ['lenet5', 'lenet300-100', 'lenet5-caffe', 'lenet-keras'] as const;
/** One of {@link NETWORK_NAMES}. */
export type NetworkName = (typeof NETWORK_NAMES)[number];

/**
 * Builds a network by name, with the transforms that take bytes to what it was made to read: LeNet-5 normalised 32×32 images, the
 * others 28×28 ones, Caffe's as bytes / 256, Keras's as bytes / 255.
 *
 * @param options classes (default 10), channels (default 1), height and width (default: the network's own)
 * @example
 * buildNetwork('lenet300-100').network.parameterCount; // 266610
 */
export function buildNetwork(
  name: NetworkName,
  options: { readonly [K in keyof ClassifierOptions]: ClassifierOptions[K] | undefined } = {},
): { readonly network: Network; readonly transforms: readonly Transform[] } {
  const { build, transforms, size } = KINDS[name];
  const { classes = 10, channels = 1, height = size, width = size } = options;
  return { network: build({ classes, channels, height, width }), transforms: transforms(height, width) };
}

interface Kind {
  readonly build: (options: ClassifierOptions) => Network;
  readonly transforms: (height: number, width: number) => readonly Transform[];
  /** Rows and columns. */
  readonly size: number;
}

const by =
  (divisor: number) =>
  (height: number, width: number): readonly Transform[] => [resize(height, width), rescale(1 / divisor)];

const KINDS: Readonly<Record<NetworkName, Kind>> = {
  lenet5: { build: LeNet5, transforms: mnistTransforms, size: 32 },
  'lenet300-100': { build: LeNet300100, transforms: by(256), size: 28 },
  'lenet5-caffe': { build: CaffeLeNet5, transforms: by(256), size: 28 },
  'lenet-keras': { build: KerasLeNet, transforms: by(255), size: 28 },
};

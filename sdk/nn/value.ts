/**
 * A network while it is being written down: each layer function takes the values it reads and returns the value it
 * makes. Nothing is computed, only shapes are checked, so that a mistake is found when the network is built and names
 * its layer. Shapes leave the batch out: an image is `[channels, height, width]`, a vector `[features]`.
 */
import { NetworkError } from '../base/errors.js';
import { heUniform, type Initializer, zeros } from './initializers.js';

/** What a layer computes. A parameter's layout is PyTorch's and MindSpore's. */
export type Layer =
  | { readonly kind: 'input' }
  | ({ readonly kind: 'conv2d'; readonly outChannels: number } & Window)
  | ({ readonly kind: 'depthwiseConv2d'; readonly multiplier: number } & Window)
  | { readonly kind: 'dense'; readonly outFeatures: number }
  | { readonly kind: 'relu' }
  | { readonly kind: 'softmax' }
  | ({ readonly kind: 'maxPool2d' } & Window)
  | ({ readonly kind: 'avgPool2d' } & Window)
  | { readonly kind: 'flatten' }
  | { readonly kind: 'dropout'; readonly rate: number }
  | { readonly kind: 'batchNorm'; readonly epsilon: number; readonly momentum: number }
  | { readonly kind: 'add' }
  | { readonly kind: 'concat' };

/** How a layer goes over an image. Pairs are rows, then columns. */
export interface Window {
  readonly kernelSize: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: Padding;
}

/** Rows and columns around an image that are not there. */
export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** A parameter before it has values: its place in the checkpoint, its shape, how it starts. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
  /** Whether the optimizer changes it. Batch normalisation keeps its moving mean and variance itself. */
  readonly trainable: boolean;
}

/** What a layer makes: one array per sample, and where it comes from. */
export interface Value {
  readonly shape: readonly number[];
  readonly layer: Layer;
  readonly name: string | undefined;
  readonly inputs: readonly Value[];
  readonly parameters: readonly ParameterSpec[];
}

/** Settings that layers with weights share. */
export interface WeightOptions {
  /** Names the parameters: `conv1` makes `conv1.weight` and `conv1.bias`. */
  readonly name: string;
  /** How the weights start; biases start at zero. Default: He's uniform. */
  readonly initializer?: Initializer;
  /** Whether there is a bias. Default true. */
  readonly bias?: boolean;
}

/** Weight and bias of a layer: `conv1.weight` in this shape, whose first size is that of `conv1.bias`. */
export function weightAndBias(
  shape: readonly number[],
  { name, initializer = heUniform(), bias = true }: WeightOptions,
): readonly ParameterSpec[] {
  const weight = { name: `${name}.weight`, shape, initializer, trainable: true };
  return bias ? [weight, { name: `${name}.bias`, shape: [shape[0]], initializer: zeros(), trainable: true }] : [weight];
}

/** A layer without a name or parameters. */
export function plain(layer: Layer, shape: readonly number[], inputs: readonly Value[]): Value {
  return { shape, layer, name: undefined, inputs, parameters: [] };
}

/** How many numbers an array of this shape holds; 1 for a scalar. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** @throws NetworkError `E_SHAPE` for a vector */
export function requireImage(layer: string, x: Value): readonly [number, number, number] {
  if (x.shape.length !== 3) {
    throw new NetworkError('E_SHAPE', `${layer}: reads an image [channels, height, width], not ${show(x.shape)}`);
  }
  return [x.shape[0], x.shape[1], x.shape[2]];
}

/** @throws NetworkError `E_NAME` without a name, which its parameters need */
export function requireName(layer: Layer['kind'], name: unknown): void {
  if (typeof name === 'string' && name !== '') return;
  throw new NetworkError('E_NAME', `${layer}: needs a name for its parameters, such as name: '${layer}1'`);
}

/** @throws NetworkError `E_SHAPE` unless it is a whole number of at least `least` */
export function requireSize(layer: string, what: string, size: number, least = 1): void {
  if (!Number.isInteger(size) || size < least) {
    throw new NetworkError('E_SHAPE', `${layer}: ${what} must be a whole number of at least ${least}, not ${size}`);
  }
}

/** A shape for a message. */
export function show(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

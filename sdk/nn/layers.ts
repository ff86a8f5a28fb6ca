/**
 * Layers as data. A layer function takes the value it reads and returns the value it makes; nothing is
 * computed, only shapes are checked, so that a mistake is found when the network is built and names its layer.
 * Shapes leave the batch out: an image is `[channels, height, width]`, a vector `[features]`.
 */
import { NetworkError } from '../base/errors.js';
import { heUniform, type Initializer, zeros } from './initializers.js';

/** What a layer computes. A parameter's layout is PyTorch's and MindSpore's. */
export type Layer =
  | { readonly kind: 'input' }
  | { readonly kind: 'conv2d'; readonly outChannels: number; readonly kernelSize: readonly [number, number] }
  | { readonly kind: 'dense'; readonly outFeatures: number }
  | { readonly kind: 'relu' }
  | { readonly kind: 'maxPool2d'; readonly kernelSize: number }
  | { readonly kind: 'flatten' };

/** A parameter before it has values: its place in the checkpoint, its shape, how it starts. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly initializer: Initializer;
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
}

/**
 * What a network reads.
 *
 * @param shape `[channels, height, width]` or `[features]`
 */
export function input(shape: readonly number[]): Value {
  for (const size of shape) requireSize('input', 'every dimension', size);
  return { shape, layer: { kind: 'input' }, name: 'input', inputs: [], parameters: [] };
}

/**
 * Convolution without padding, stride 1: `[in, h, w]` → `[outChannels, h − kh + 1, w − kw + 1]`, with bias.
 * Like every framework's, it is a cross-correlation: the kernel is not flipped. Weight `[out, in, kh, kw]`.
 *
 * @throws NetworkError `E_SHAPE` when the input is no image or is smaller than the kernel
 * @example
 * conv2d(input([1, 32, 32]), { name: 'conv1', outChannels: 6, kernelSize: 5 }).shape; // [6, 28, 28]
 */
export function conv2d(
  x: Value,
  {
    name,
    outChannels,
    kernelSize,
    initializer = heUniform(),
  }: WeightOptions & { readonly outChannels: number; readonly kernelSize: number | readonly [number, number] },
): Value {
  const [channels, height, width] = requireImage(name, x);
  const [kh, kw] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
  requireSize(name, 'outChannels', outChannels);
  requireSize(name, 'kernelSize', kh);
  requireSize(name, 'kernelSize', kw);
  if (kh > height || kw > width) {
    throw new NetworkError('E_SHAPE', `${name}: a ${kh}×${kw} kernel does not fit into its ${height}×${width} input`);
  }
  return {
    shape: [outChannels, height - kh + 1, width - kw + 1],
    layer: { kind: 'conv2d', outChannels, kernelSize: [kh, kw] },
    name,
    inputs: [x],
    parameters: [
      { name: `${name}.weight`, shape: [outChannels, channels, kh, kw], initializer },
      { name: `${name}.bias`, shape: [outChannels], initializer: zeros() },
    ],
  };
}

/**
 * Fully connected layer: `[in]` → `[outFeatures]`, with bias. Weight `[out, in]`.
 *
 * @throws NetworkError `E_SHAPE` when the input is an image: flatten it first
 * @example
 * dense(input([84]), { name: 'fc3', outFeatures: 10 }).shape; // [10]
 */
export function dense(
  x: Value,
  { name, outFeatures, initializer = heUniform() }: WeightOptions & { readonly outFeatures: number },
): Value {
  if (x.shape.length !== 1) {
    throw new NetworkError('E_SHAPE', `${name}: a dense layer reads a vector, not ${show(x.shape)}; flatten it first`);
  }
  requireSize(name, 'outFeatures', outFeatures);
  return {
    shape: [outFeatures],
    layer: { kind: 'dense', outFeatures },
    name,
    inputs: [x],
    parameters: [
      { name: `${name}.weight`, shape: [outFeatures, x.shape[0]], initializer },
      { name: `${name}.bias`, shape: [outFeatures], initializer: zeros() },
    ],
  };
}

/** max(x, 0), element by element; its gradient at 0 is 0. */
export function relu(x: Value): Value {
  return { shape: x.shape, layer: { kind: 'relu' }, name: undefined, inputs: [x], parameters: [] };
}

/**
 * The largest of each `kernelSize` × `kernelSize` window, windows side by side; rows and columns left over at
 * the end are dropped. The gradient goes to the first of equal largest values, row by row.
 *
 * @throws NetworkError `E_SHAPE` when the input is no image or is smaller than the window
 */
export function maxPool2d(x: Value, { kernelSize }: { readonly kernelSize: number }): Value {
  const [channels, height, width] = requireImage('maxPool2d', x);
  requireSize('maxPool2d', 'kernelSize', kernelSize);
  if (kernelSize > height || kernelSize > width) {
    throw new NetworkError(
      'E_SHAPE',
      `maxPool2d: a ${kernelSize}×${kernelSize} window does not fit into ${show(x.shape)}`,
    );
  }
  return {
    shape: [channels, Math.floor(height / kernelSize), Math.floor(width / kernelSize)],
    layer: { kind: 'maxPool2d', kernelSize },
    name: undefined,
    inputs: [x],
    parameters: [],
  };
}

/** `[channels, height, width]` → `[channels · height · width]`, channels first as PyTorch and MindSpore do. */
export function flatten(x: Value): Value {
  return { shape: [count(x.shape)], layer: { kind: 'flatten' }, name: undefined, inputs: [x], parameters: [] };
}

/** How many numbers an array of this shape holds; 1 for a scalar. */
export function count(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

function requireImage(layer: string, x: Value): readonly [number, number, number] {
  if (x.shape.length !== 3) {
    throw new NetworkError('E_SHAPE', `${layer}: reads an image [channels, height, width], not ${show(x.shape)}`);
  }
  return [x.shape[0], x.shape[1], x.shape[2]];
}

function requireSize(layer: string, what: string, size: number): void {
  if (!Number.isInteger(size) || size < 1) {
    throw new NetworkError('E_SHAPE', `${layer}: ${what} must be a whole number of at least 1, not ${size}`);
  }
}

function show(shape: readonly number[]): string {
  return `[${shape.join(', ')}]`;
}

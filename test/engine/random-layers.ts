/** Random layers of small networks. Each reads what another made, mostly the last one, and some read several. */
import * as fc from 'fast-check';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { add, batchNorm, concat, dense, dropout, relu, softmax } from '../../sdk/nn/layers.js';
import { avgPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import { count, type Value } from '../../sdk/nn/value.js';
import type { WindowOptions } from '../../sdk/nn/window.js';

/** Appends a layer of this name to the values there are; the value it was to read, where a layer of several has nothing to join. */
export type Append = (values: readonly Value[], name: string) => Value;

/** The most numbers of one sample that values are joined to, lest they grow from layer to layer. */
const LARGEST_JOIN = 1500;

const upTo = (max: number): fc.Arbitrary<number> => fc.integer({ min: 1, max });
const pairOf = (size: fc.Arbitrary<number>): fc.Arbitrary<[number, number]> => fc.tuple(size, size);
/** Mostly true. */
const bias = fc.nat(3).map((n) => n > 0);
/** How many values before the last one a layer reads: mostly 0. */
const back = fc.nat(7).map((n) => Math.max(0, n - 4));
const anywhere = {
  stride: pairOf(upTo(3)),
  padding: fc.oneof(fc.constantFrom('valid' as const, 'same' as const), pairOf(fc.nat(2))),
};
/** Half of the windows lie as LeNet-5's do. */
const window = fc.oneof(
  fc.record({ kernelSize: pairOf(upTo(5)) }),
  fc.record({ kernelSize: pairOf(upTo(5)), ...anywhere }),
);
const pool = fc.oneof(fc.record({ kernelSize: upTo(3) }), fc.record({ kernelSize: pairOf(upTo(3)), ...anywhere }));
// A small epsilon would enlarge what is but rounding, where a channel hardly varies over a small batch.
const norm = fc.record({ epsilon: fc.constantFrom(0.1, 1), momentum: fc.constantFrom(0.5, 0.9) });
const rate = fc.constantFrom(0, 0.1, 0.25, 0.5);

const onBoth = {
  relu: reading(fc.constant({}), relu),
  dropout: reading(fc.record({ rate }), dropout),
  batchNorm: reading(norm, batchNorm),
  add: joining(add, ([x], y) => String(x.shape) === String(y.shape)),
  concat: joining(concat, fitsBeside),
};

/** Every kind of layer from image to image: kernels 1 to 5, often not square, strides 1 to 3, every padding. */
export const onImages = {
  conv2d: reading(fc.record({ outChannels: upTo(9), bias, window }), (x, { window: drawn, ...options }) =>
    conv2d(x, { ...options, ...fitted(drawn, x) }),
  ),
  depthwiseConv2d: reading(fc.record({ multiplier: upTo(2), bias, window }), (x, { window: drawn, ...options }) =>
    depthwiseConv2d(x, { ...options, ...fitted(drawn, x) }),
  ),
  maxPool2d: reading(pool, (x, drawn) => maxPool2d(x, fitted(drawn, x))),
  avgPool2d: reading(pool, (x, drawn) => avgPool2d(x, fitted(drawn, x))),
  ...onBoth,
};

/** Every kind of layer from vector to vector. */
export const onVectors = {
  dense: reading(fc.record({ outFeatures: upTo(20), bias }), dense),
  softmax: reading(fc.constant({}), softmax),
  ...onBoth,
};

/** Any layer from image to image, the commoner ones more often. */
export const imageLayer = weighted(onImages, { conv2d: 6, relu: 4, depthwiseConv2d: 3, maxPool2d: 3, dropout: 1 });
/** Any layer from vector to vector, the commoner ones more often. */
export const vectorLayer = weighted(onVectors, { dense: 6, relu: 4, softmax: 1, dropout: 1 });

/** Each as often as its weight says, or 2. */
function weighted<Kind extends string>(
  layers: Readonly<Record<Kind, fc.Arbitrary<Append>>>,
  weights: { readonly [K in Kind]?: number },
): fc.Arbitrary<Append> {
  const entries = Object.entries<fc.Arbitrary<Append>>(layers);
  return fc.oneof(...entries.map(([kind, arbitrary]) => ({ arbitrary, weight: Reflect.get(weights, kind) ?? 2 })));
}

/** A layer that reads one value. */
function reading<T>(
  options: fc.Arbitrary<T>,
  layer: (x: Value, options: T & { readonly name: string }) => Value,
): fc.Arbitrary<Append> {
  return fc.tuple(options, back).map(
    ([drawn, n]) =>
      (values, name) =>
        layer(readBy(n, values), { ...drawn, name }),
  );
}

/** A layer that reads two or three different values, or one value twice. */
function joining(
  layer: (...inputs: readonly Value[]) => Value,
  fits: (inputs: readonly Value[], other: Value) => boolean,
): fc.Arbitrary<Append> {
  const picks = fc.array(fc.nat(9), { minLength: 1, maxLength: 2 });
  return fc.tuple(picks, back).map(([drawn, n]) => (values) => {
    const inputs = [readBy(n, values)];
    for (const pick of drawn) {
      const fitting = values.filter((value) => !inputs.includes(value) && fits(inputs, value));
      if (fitting.length > 0) inputs.push(fitting[pick % fitting.length]);
    }
    if (inputs.length === 1 && drawn[0] < 4 && fits(inputs, inputs[0])) inputs.push(inputs[0]);
    return inputs.length > 1 ? layer(...inputs) : inputs[0];
  });
}

function readBy(n: number, values: readonly Value[]): Value {
  return values[Math.max(0, values.length - 1 - n)];
}

function fitsBeside(inputs: readonly Value[], other: Value): boolean {
  const numbers = [...inputs, other].reduce((sum, { shape }) => sum + count(shape), 0);
  return String(inputs[0].shape.slice(1)) === String(other.shape.slice(1)) && numbers <= LARGEST_JOIN;
}

/** A window made to fit: less padding than kernel, and no kernel beyond the image and its padding. */
function fitted({ kernelSize, padding, ...rest }: WindowOptions, { shape: [, height, width] }: Value): WindowOptions {
  const [rows, columns] = typeof kernelSize === 'number' ? [kernelSize, kernelSize] : kernelSize;
  if (padding === 'same') return { ...rest, kernelSize, padding };
  const [above, left] = typeof padding === 'object' ? padding : [0, 0];
  const around = [Math.min(above, rows - 1), Math.min(left, columns - 1)] as const;
  const kernel = [Math.min(rows, height + 2 * around[0]), Math.min(columns, width + 2 * around[1])] as const;
  return { ...rest, kernelSize: kernel, padding: around };
}

/** Each layer alone: numbers worked out by hand, then gradients against finite differences over random shapes. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { type Conv2d, conv2dBackward, conv2dForward } from '../../sdk/engine/reference/conv2d.js';
import { type Dense, denseBackward, denseForward } from '../../sdk/engine/reference/dense.js';
import { maxPool2dBackward, maxPool2dForward } from '../../sdk/engine/reference/max-pool2d.js';
import type { Real } from '../../sdk/engine/reference/real.js';
import { reluBackward, reluForward } from '../../sdk/engine/reference/relu.js';
import { relativeDifference } from './closeness.js';

test('a convolution multiplies the kernel, not flipped, with each place of the image and adds the bias', async (t) => {
  const layer = conv2dArrays({ channels: 1, height: 2, width: 3, outChannels: 1, kernelHeight: 2, kernelWidth: 2 });
  layer.x.set([1, 2, 3, 4, 5, 6]);
  layer.weight.set([1, 10, 100, 1000]);
  layer.bias.set([0.5]);
  conv2dForward(layer);
  t.same([...layer.out], [1 + 20 + 400 + 5000 + 0.5, 2 + 30 + 500 + 6000 + 0.5]);

  layer.dout.set([1, 2]);
  conv2dBackward(layer);
  t.same([...layer.dbias], [3]);
  t.same([...layer.dweight], [1 + 4, 2 + 6, 4 + 10, 5 + 12]);
  t.same([...layer.dx], [1, 10 + 2, 20, 100, 1000 + 200, 2000]);
});

test('a convolution adds up the input channels and keeps the output channels apart', async (t) => {
  const layer = conv2dArrays({ channels: 2, height: 1, width: 1, outChannels: 2, kernelHeight: 1, kernelWidth: 1 });
  layer.x.set([3, 5]);
  layer.weight.set([1, 10, 100, 1000]);
  conv2dForward(layer);
  t.same([...layer.out], [53, 5300]);

  layer.dout.set([1, 2]);
  conv2dBackward(layer);
  t.same([...layer.dweight], [3, 5, 6, 10]);
  t.same([...layer.dx], [1 + 200, 10 + 2000]);
});

test('a dense layer is weight · x + bias', async (t) => {
  const layer = denseArrays(2, 3);
  layer.x.set([2, 3]);
  layer.weight.set([1, 0, 0, 1, 10, 100]);
  layer.bias.set([0, 1, 2]);
  denseForward(layer);
  t.same([...layer.out], [2, 4, 322]);

  layer.dout.set([1, 0, 2]);
  denseBackward(layer);
  t.same([...layer.dbias], [1, 0, 2]);
  t.same([...layer.dweight], [2, 3, 0, 0, 4, 6]);
  t.same([...layer.dx], [1 + 20, 200]);
});

test('ReLU lets through what is above 0, and its gradient at 0 is 0', async (t) => {
  const layer = { x: Float64Array.of(-1, 0, 2), dx: zeros(3), out: zeros(3), dout: Float64Array.of(5, 6, 7) };
  reluForward(layer);
  t.same([...layer.out], [0, 0, 2]);
  reluBackward(layer);
  t.same([...layer.dx], [0, 0, 7]);
});

test('pooling takes the largest of each window, and drops the rows and columns left over', async (t) => {
  const image = { channels: 1, height: 3, width: 5, kernelSize: 2 };
  const x = Float64Array.of(1, 2, 7, 3, 99, 4, 3, 5, 6, 99, 99, 99, 99, 99, 99);
  const layer = { ...image, x, dx: zeros(15), out: zeros(2), dout: Float64Array.of(10, 20) };
  maxPool2dForward(layer);
  t.same([...layer.out], [4, 7]);
  maxPool2dBackward(layer);
  t.same([...layer.dx], [0, 0, 20, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test("pooling's gradient goes to the first of equal largest values, row by row", async (t) => {
  const image = { channels: 1, height: 2, width: 2, kernelSize: 2 };
  const layer = { ...image, x: Float64Array.of(1, 3, 3, 3), dx: zeros(4), out: zeros(1), dout: Float64Array.of(1) };
  maxPool2dBackward(layer);
  t.same([...layer.dx], [0, 1, 0, 0]);
});

test('what is not a number passes through ReLU and pooling, to be seen in the loss', async (t) => {
  const relu = { x: Float64Array.of(Number.NaN), dx: zeros(1), out: zeros(1), dout: zeros(1) };
  reluForward(relu);
  t.same([...relu.out], [Number.NaN]);
  const image = { channels: 1, height: 2, width: 2, kernelSize: 2 };
  const pool = { ...image, x: Float64Array.of(1, Number.NaN, 3, 4), dx: zeros(4), out: zeros(1), dout: zeros(1) };
  maxPool2dForward(pool);
  t.same([...pool.out], [Number.NaN]);
});

const size = fc.integer({ min: 1, max: 4 });
const seed = fc.nat();

test("a convolution's gradients are those of finite differences", async () => {
  const sizes = fc.record({
    channels: size,
    outChannels: size,
    kernelHeight: size,
    kernelWidth: size,
    outHeight: size,
    outWidth: size,
  });
  fc.assert(
    fc.property(sizes, seed, ({ outHeight, outWidth, ...rest }, from) => {
      const height = outHeight + rest.kernelHeight - 1;
      const width = outWidth + rest.kernelWidth - 1;
      const layer = conv2dArrays({ ...rest, height, width });
      fill(from, [layer.x, layer.weight, layer.bias]);
      compare(
        layer,
        () => conv2dForward(layer),
        () => conv2dBackward(layer),
      );
    }),
  );
});

test("a dense layer's gradients are those of finite differences", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 20 }), seed, (inputs, outputs, from) => {
      const layer = denseArrays(inputs, outputs);
      fill(from, [layer.x, layer.weight, layer.bias]);
      compare(
        layer,
        () => denseForward(layer),
        () => denseBackward(layer),
      );
    }),
  );
});

test("ReLU's gradient is that of finite differences", async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), seed, (length, from) => {
      const layer = { x: spaced(from, length), dx: zeros(length), out: zeros(length), dout: zeros(length) };
      compare(
        layer,
        () => reluForward(layer),
        () => reluBackward(layer),
      );
    }),
  );
});

test("pooling's gradient is that of finite differences", async () => {
  const sizes = fc.record({ channels: size, kernelSize: size, outHeight: size, outWidth: size, rest: fc.nat(3) });
  fc.assert(
    fc.property(sizes, seed, ({ channels, kernelSize, outHeight, outWidth, rest }, from) => {
      const left = rest % kernelSize;
      const [height, width] = [outHeight * kernelSize + left, outWidth * kernelSize + left];
      const inputs = channels * height * width;
      const outputs = channels * outHeight * outWidth;
      const arrays = { x: spaced(from, inputs), dx: zeros(inputs), out: zeros(outputs), dout: zeros(outputs) };
      const layer = { channels, height, width, kernelSize, ...arrays };
      compare(
        layer,
        () => maxPool2dForward(layer),
        () => maxPool2dBackward(layer),
      );
    }),
  );
});

interface Arrays {
  readonly x: Real;
  readonly dx: Float64Array;
  readonly out: Real;
  readonly dout: Float64Array;
  readonly weight?: Conv2d['weight'];
  readonly dweight?: Float64Array;
  readonly bias?: Conv2d['bias'];
  readonly dbias?: Float64Array;
}

/** Compares each gradient of Σ dout · out with central differences, which are exact where layers are linear. */
function compare(layer: Arrays, forward: () => void, backward: () => void): void {
  fill(1, [layer.dout]);
  const weighted = (): number => {
    forward();
    return layer.dout.reduce((sum, d, i) => sum + d * layer.out[i], 0);
  };
  const pairs = [
    [layer.x, layer.dx],
    [layer.weight, layer.dweight],
    [layer.bias, layer.dbias],
  ] as const;
  // Gradients add up: what was there before must still be in them.
  for (const [, gradient] of pairs) gradient?.fill(0.25);
  backward();
  for (const [values = zeros(0), gradient = zeros(0)] of pairs) {
    const expected = [...differences(values, weighted)].map((g) => g + 0.25);
    const apart = relativeDifference(gradient, expected, 1);
    if (!(apart < 1e-9)) throw new Error(`a gradient of ${gradient} should be ${expected}: ${apart} apart`);
  }
}

function* differences(values: { [i: number]: number; readonly length: number }, f: () => number): Generator<number> {
  const h = 1e-3;
  for (let i = 0; i < values.length; i++) {
    const kept = values[i];
    values[i] = kept + h;
    const above = f();
    values[i] = kept - h;
    const below = f();
    values[i] = kept;
    yield (above - below) / (2 * h);
  }
}

function conv2dArrays(
  sizes: Pick<Conv2d, 'channels' | 'height' | 'width' | 'outChannels' | 'kernelHeight' | 'kernelWidth'>,
): Conv2d {
  const { channels, height, width, outChannels, kernelHeight, kernelWidth } = sizes;
  const inputs = channels * height * width;
  const weights = outChannels * channels * kernelHeight * kernelWidth;
  const outputs = outChannels * (height - kernelHeight + 1) * (width - kernelWidth + 1);
  return { ...sizes, ...weightArrays(weights, outChannels), ...flow(inputs, outputs) };
}

function denseArrays(inputs: number, outputs: number): Dense {
  return { ...weightArrays(inputs * outputs, outputs), ...flow(inputs, outputs) };
}

function weightArrays(weights: number, biases: number): Pick<Dense, 'weight' | 'dweight' | 'bias' | 'dbias'> {
  return { weight: zeros(weights), dweight: zeros(weights), bias: zeros(biases), dbias: zeros(biases) };
}

function flow(inputs: number, outputs: number): Pick<Dense, 'x' | 'dx' | 'out' | 'dout'> {
  return { x: zeros(inputs), dx: zeros(inputs), out: zeros(outputs), dout: zeros(outputs) };
}

function zeros(length: number): Float64Array {
  return new Float64Array(length);
}

function fill(from: number, arrays: readonly { [i: number]: number; readonly length: number }[]): void {
  const random = seededRandom(from, 'layer');
  for (const array of arrays) for (let i = 0; i < array.length; i++) array[i] = random.normal();
}

/** Random values of which no two, and none and 0, are nearer than 0.05: no difference steps over a kink. */
function spaced(from: number, length: number): Float64Array {
  const random = seededRandom(from, 'apart');
  const values = Float64Array.from({ length }, (_, i) => (i - Math.floor(length / 2)) / 10 + 0.05);
  const keys = Array.from({ length }, () => random.uniform());
  return values.map((_, i) => values[keys.filter((key) => key < keys[i]).length]);
}

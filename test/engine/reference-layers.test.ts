/** Each layer alone, with numbers worked out by hand. */
import { test } from 'tap';
import { dropoutKey, isKept } from '../../sdk/engine/dropout.js';
import { addBackward, addForward } from '../../sdk/engine/reference/add.js';
import { concatBackward, concatForward } from '../../sdk/engine/reference/concat.js';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { dense, dropout, flatten, input, relu, softmax } from '../../sdk/nn/layers.js';
import { avgPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import { relativeDifference } from './closeness.js';
import { type SingleLayer, singleLayer } from './single-layer.js';

const training = { seed: 1, step: 0 };

test('a convolution multiplies the kernel, not flipped, with each place of the image and adds the bias', async (t) => {
  const layer = singleLayer(conv2d(input([1, 2, 3]), { name: 'conv', outChannels: 1, kernelSize: 2 }));
  layer.parameters.set([1, 10, 100, 1000, 0.5]);
  t.same(forward(layer, [1, 2, 3, 4, 5, 6]), [1 + 20 + 400 + 5000 + 0.5, 2 + 30 + 500 + 6000 + 0.5]);
  t.same(backward(layer, [1, 2]), [1, 10 + 2, 20, 100, 1000 + 200, 2000]);
  t.same([...layer.gradients], [1 + 4, 2 + 6, 4 + 10, 5 + 12, 3]);
});

test('a convolution adds up the input channels and keeps the output channels and samples apart', async (t) => {
  const layer = singleLayer(conv2d(input([2, 1, 1]), { name: 'conv', outChannels: 2, kernelSize: 1, bias: false }), 2);
  layer.parameters.set([1, 10, 100, 1000]);
  t.same(forward(layer, [3, 5, 7, 9]), [53, 5300, 97, 9700]);
  t.same(backward(layer, [1, 2, 0, 1]), [1 + 200, 10 + 2000, 100, 1000]);
  t.same([...layer.gradients], [3, 5, 6 + 7, 10 + 9]);
});

test('a convolution steps by its stride from the padding on, which is 0', async (t) => {
  const options = { name: 'conv', outChannels: 1, kernelSize: 2, stride: 2, padding: 1, bias: false };
  const layer = singleLayer(conv2d(input([1, 3, 3]), options));
  layer.parameters.set([1, 10, 100, 1000]);
  t.same(forward(layer, [1, 2, 3, 4, 5, 6, 7, 8, 9]), [1000, 200 + 3000, 40 + 7000, 5 + 60 + 800 + 9000]);
  t.same(backward(layer, [1, 2, 3, 4]), [1000, 200, 2000, 30, 4, 40, 3000, 400, 4000]);
  t.same([...layer.gradients], [4 * 5, 3 * 4 + 4 * 6, 2 * 2 + 4 * 8, 1 * 1 + 2 * 3 + 3 * 7 + 4 * 9]);
});

test("`same` padding puts an odd column at the end, as MindSpore's and Keras's does", async (t) => {
  const options = { name: 'conv', outChannels: 1, kernelSize: [1, 2], padding: 'same', bias: false } as const;
  const layer = singleLayer(conv2d(input([1, 1, 4]), options));
  layer.parameters.set([1, 10]);
  t.same(forward(layer, [1, 2, 3, 4]), [21, 32, 43, 4]);
});

test('a depthwise convolution gives each channel kernels of its own', async (t) => {
  const layer = singleLayer(depthwiseConv2d(input([2, 1, 2]), { name: 'dw', kernelSize: [1, 2], multiplier: 2 }));
  layer.parameters.set([1, 2, 3, 4, 5, 6, 7, 8, 0.1, 0.2, 0.3, 0.4]);
  t.same(forward(layer, [1, 10, 100, 1000]), [21.1, 43.2, 6500.3, 8700.4]);
  t.same(backward(layer, [1, 2, 3, 4]), [1 + 6, 2 + 8, 15 + 28, 18 + 32]);
  t.same([...layer.gradients], [1, 10, 2, 20, 300, 3000, 400, 4000, 1, 2, 3, 4]);
});

test('a dense layer is weight · x + bias, for each sample', async (t) => {
  const layer = singleLayer(dense(input([2]), { name: 'fc', outFeatures: 3 }), 2);
  layer.parameters.set([1, 0, 0, 1, 10, 100, 0, 1, 2]);
  t.same(forward(layer, [2, 3, 4, 5]), [2, 4, 322, 4, 6, 542]);
  t.same(backward(layer, [1, 0, 2, 0, 1, 0]), [1 + 20, 200, 0, 1]);
  t.same([...layer.gradients], [2, 3, 4, 5, 4, 6, 1, 1, 2]);
});

test('a dense layer without bias is weight · x', async (t) => {
  const layer = singleLayer(dense(input([2]), { name: 'fc', outFeatures: 1, bias: false }));
  layer.parameters.set([1, 10]);
  t.same(forward(layer, [2, 3]), [32]);
  t.same(backward(layer, [1]), [1, 10]);
  t.same([...layer.gradients], [2, 3]);
});

test('ReLU lets through what is above 0, and its gradient at 0 is 0', async (t) => {
  const layer = singleLayer(relu(input([3])));
  t.same(forward(layer, [-1, 0, 2]), [0, 0, 2]);
  t.same(backward(layer, [5, 6, 7]), [0, 0, 7]);
});

test('flattening puts channels first, then rows', async (t) => {
  const layer = singleLayer(flatten(input([2, 1, 2])), 2);
  t.same(forward(layer, [1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 4, 5, 6, 7, 8]);
  t.same(backward(layer, [1, 2, 3, 4, 5, 6, 7, 8]), [1, 2, 3, 4, 5, 6, 7, 8]);
});

test('max-pooling takes the largest of each window, and drops the rows and columns left over', async (t) => {
  const layer = singleLayer(maxPool2d(input([1, 3, 5]), { kernelSize: 2 }));
  t.same(forward(layer, [1, 2, 7, 3, 99, 4, 3, 5, 6, 99, 99, 99, 99, 99, 99]), [4, 7]);
  t.same(backward(layer, [10, 20]), [0, 0, 20, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
});

test("max-pooling's gradient goes to the first of equal largest values, row by row", async (t) => {
  const layer = singleLayer(maxPool2d(input([1, 2, 2]), { kernelSize: 2 }));
  forward(layer, [1, 3, 3, 3]);
  t.same(backward(layer, [1]), [0, 1, 0, 0]);
});

test('max-pooling never chooses padding, and a value in two windows collects both gradients', async (t) => {
  const layer = singleLayer(maxPool2d(input([1, 1, 2]), { kernelSize: [1, 2], stride: 1, padding: [0, 1] }));
  t.same(forward(layer, [-1, -2]), [-1, -1, -2]);
  t.same(backward(layer, [1, 10, 100]), [11, 100]);
});

test('average-pooling leaves padding out of the mean', async (t) => {
  const layer = singleLayer(avgPool2d(input([1, 1, 3]), { kernelSize: [1, 2], padding: [0, 1] }), 2);
  t.same(forward(layer, [1, 3, 8, 2, 4, 6]), [1, 5.5, 2, 5]);
  t.same(backward(layer, [2, 4, 1, 1]), [2, 2, 2, 1, 0.5, 0.5]);
});

test('windows of average-pooling may lie over one another, or apart', async (t) => {
  const over = singleLayer(avgPool2d(input([1, 1, 3]), { kernelSize: [1, 2], stride: 1 }));
  t.same(forward(over, [1, 3, 8]), [2, 5.5]);
  t.same(backward(over, [2, 4]), [1, 3, 2]);
  const apart = singleLayer(avgPool2d(input([1, 1, 3]), { kernelSize: 1, stride: 2 }));
  t.same(forward(apart, [1, 3, 8]), [1, 8]);
  t.same(backward(apart, [2, 4]), [2, 0, 4]);
});

test('softmax shares out 1 by e to the power of each feature', async (t) => {
  const layer = singleLayer(softmax(input([2])), 2);
  // A large number overflows nothing.
  const out = forward(layer, [0, Math.log(3), 1000, 1000]);
  t.ok(relativeDifference(out, [0.25, 0.75, 0.5, 0.5]) < 1e-15, String(out));
  const dx = backward(layer, [1, 0, 1, 1]);
  t.ok(relativeDifference(dx, [0.25 * 0.75, -0.25 * 0.75, 0, 0]) < 1e-15, String(dx));
});

test('dropout keeps numbers by the hash of seed, step, layer, sample and feature, and scales them', async (t) => {
  const layer = singleLayer(dropout(input([2, 5, 2]), { rate: 0.2 }), 3);
  const step = { seed: 7, step: 3 };
  const kept = Array.from({ length: 60 }, (_, i) =>
    isKept(dropoutKey(7, 3, 1), 0.2, { sample: Math.floor(i / 20), feature: i % 20 }),
  );
  t.ok(kept.includes(true) && kept.includes(false));
  layer.x.fill(4);
  layer.forward(step);
  t.same(
    [...layer.out],
    kept.map((is) => (is ? 4 / (1 - 0.2) : 0)),
  );
  layer.dout.fill(8);
  layer.backward(step);
  t.same(
    [...layer.dx],
    kept.map((is) => (is ? 8 / (1 - 0.2) : 0)),
  );
  layer.forward(undefined);
  t.ok(
    layer.out.every((value) => value === 4),
    'only while training',
  );
});

test('dropout at a rate of 0 leaves out nothing', async (t) => {
  const layer = singleLayer(dropout(input([100]), { rate: 0 }));
  t.ok(forward(layer, new Array<number>(100).fill(3)).every((value) => value === 3));
});

test('add sums any number of values, and each gets the whole gradient', async (t) => {
  const dxs = [1, 2, 3].map(() => new Float64Array(2));
  const xs = [Float64Array.of(1, 2), Float64Array.of(10, 20), Float64Array.of(100, 200)];
  const layer = { xs, dxs, out: new Float64Array(2), dout: Float64Array.of(3, 4) };
  addForward(layer);
  t.same([...layer.out], [111, 222]);
  addBackward(layer);
  for (const dx of dxs) t.same([...dx], [3, 4]);
});

test('concat puts values one after another in every sample, and each gets its part of the gradient', async (t) => {
  const xs = [Float64Array.of(1, 2, 5, 6), Float64Array.of(3, 7)];
  const dxs = xs.map(({ length }) => new Float64Array(length));
  const layer = { n: 2, xs, dxs, out: new Float64Array(6), dout: Float64Array.of(1, 2, 3, 4, 5, 6) };
  concatForward(layer);
  t.same([...layer.out], [1, 2, 3, 5, 6, 7]);
  concatBackward(layer);
  t.same([...dxs[0], ...dxs[1]], [1, 2, 4, 5, 3, 6]);
});

test('what is not a number passes through every layer that could hide it, to be seen in the loss', async (t) => {
  const image = input([1, 2, 2]);
  const x = [1, Number.NaN, 3, 4];
  for (const pool of [maxPool2d, avgPool2d])
    t.same(forward(singleLayer(pool(image, { kernelSize: 2 })), x), [Number.NaN]);
  t.same(forward(singleLayer(relu(input([1]))), [Number.NaN]), [Number.NaN]);
  t.ok(forward(singleLayer(softmax(input([4]))), x).every(Number.isNaN));
});

function forward(layer: SingleLayer, x: readonly number[]): number[] {
  layer.x.set(x);
  layer.forward(training);
  return [...layer.out];
}

function backward(layer: SingleLayer, dout: readonly number[]): number[] {
  layer.dout.set(dout);
  layer.backward(training);
  return [...layer.dx];
}

import { test } from 'tap';
import { CaffeLeNet5, KerasLeNet, LeNet5, LeNet300100 } from '../../sdk/nn/lenet.js';
import { initialParameters, type Network } from '../../sdk/nn/network.js';

test('LeNet-5 has 61 706 parameters, under the names that MindSpore gives them', async (t) => {
  const net = LeNet5();
  t.equal(net.parameterCount, 61_706);
  t.same(shapes(net), [
    ['conv1.weight', 6, 1, 5, 5],
    ['conv1.bias', 6],
    ['conv2.weight', 16, 6, 5, 5],
    ['conv2.bias', 16],
    ['fc1.weight', 120, 400],
    ['fc1.bias', 120],
    ['fc2.weight', 84, 120],
    ['fc2.bias', 84],
    ['fc3.weight', 10, 84],
    ['fc3.bias', 10],
  ]);
  t.same([net.inputShape, net.outputShape], [[1, 32, 32], [10]]);
});

test('LeNet-5 takes other channels and classes', async (t) => {
  const net = LeNet5({ channels: 3, classes: 100 });
  t.equal(net.parameterCount, 61_706 + 2 * 6 * 25 + 90 * 85);
  t.same([net.inputShape, net.outputShape], [[3, 32, 32], [100]]);
});

test("LeNet-5's weights start as N(0, σ²), its biases at 0", async (t) => {
  const net = LeNet5({ sigma: 0.1 });
  const values = initialParameters(net, 1);
  for (const { name, offset, size } of net.parameters) {
    const part = values.subarray(offset, offset + size);
    if (name.endsWith('.bias'))
      t.ok(
        part.every((value) => value === 0),
        name,
      );
    else t.ok(Math.abs(rootMeanSquare(part) / 0.1 - 1) < 4 / Math.sqrt(2 * size), name);
  }
});

test('LeNet-300-100 has 266 610 parameters in three dense layers', async (t) => {
  const net = LeNet300100();
  t.equal(net.parameterCount, 266_610);
  t.same(shapes(net), [
    ['ip1.weight', 300, 784],
    ['ip1.bias', 300],
    ['ip2.weight', 100, 300],
    ['ip2.bias', 100],
    ['ip3.weight', 10, 100],
    ['ip3.bias', 10],
  ]);
  t.equal(kinds(net).join(' '), 'input flatten dense relu dense relu dense');
});

test("Caffe's LeNet-5 has 431 080 parameters, under the names of its model file", async (t) => {
  const net = CaffeLeNet5();
  t.equal(net.parameterCount, 431_080);
  t.same(shapes(net), [
    ['conv1.weight', 20, 1, 5, 5],
    ['conv1.bias', 20],
    ['conv2.weight', 50, 20, 5, 5],
    ['conv2.bias', 50],
    ['ip1.weight', 500, 800],
    ['ip1.bias', 500],
    ['ip2.weight', 10, 500],
    ['ip2.bias', 10],
  ]);
  t.equal(kinds(net).join(' '), 'input conv2d maxPool2d conv2d maxPool2d flatten dense relu dense');
});

test("Keras's LeNet has 484 714 parameters, and dropout after each part", async (t) => {
  const net = KerasLeNet();
  t.equal(net.parameterCount, 484_714);
  t.same(
    net.nodes.flatMap(({ layer }) => (layer.kind === 'dropout' ? [layer.rate] : [])),
    [0.25, 0.25, 0.5],
  );
  t.same(
    net.nodes.flatMap(({ layer, shape }) => (layer.kind === 'conv2d' ? [shape] : [])),
    [
      [32, 28, 28],
      [32, 28, 28],
      [64, 14, 14],
      [64, 14, 14],
    ],
  );
});

test('the other LeNets take other channels, classes and sizes', async (t) => {
  const options = { channels: 3, classes: 7, height: 20, width: 24 };
  for (const build of [LeNet300100, CaffeLeNet5, KerasLeNet]) {
    const net = build(options);
    t.same([net.inputShape, net.outputShape], [[3, 20, 24], [7]], net.name);
  }
});

test("their weights start within Xavier's bounds, their biases at 0", async (t) => {
  const net = CaffeLeNet5();
  const values = initialParameters(net, 1);
  for (const { name, shape, offset, size } of net.parameters) {
    const largest = values.subarray(offset, offset + size).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const places = (shape[2] ?? 1) * (shape[3] ?? 1);
    const bound = shape.length === 1 ? 0 : Math.sqrt(6 / ((shape[0] + shape[1]) * places));
    t.ok(largest <= bound && largest >= 0.97 * bound, `${name}: ${largest} reaches ${bound}`);
  }
});

function shapes({ parameters }: Network): unknown[] {
  return parameters.map(({ name, shape }) => [name, ...shape]);
}

function kinds({ nodes }: Network): string[] {
  return nodes.map(({ layer }) => layer.kind);
}

function rootMeanSquare(values: Float32Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}

import { test } from 'tap';
import { NetworkError } from '../../sdk/base/errors.js';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { normal } from '../../sdk/nn/initializers.js';
import { add, batchNorm, concat, dense, dropout, flatten, input, relu, softmax } from '../../sdk/nn/layers.js';
import { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import { count, type Value } from '../../sdk/nn/value.js';

const image = input([3, 8, 6]);

test('shapes follow from layer to layer', async (t) => {
  t.same(conv2d(image, { name: 'conv', outChannels: 4, kernelSize: [3, 2] }).shape, [4, 6, 5]);
  t.same(conv2d(image, { name: 'conv', outChannels: 4, kernelSize: 1 }).shape, [4, 8, 6]);
  t.same(relu(image).shape, [3, 8, 6]);
  t.same(maxPool2d(image, { kernelSize: 3 }).shape, [3, 2, 2]);
  t.same(maxPool2d(image, { kernelSize: 4 }).shape, [3, 2, 1], 'what is left over is dropped');
  t.same(avgPool2d(image, { kernelSize: [4, 2] }).shape, [3, 2, 3]);
  t.same(avgPool2d(image, { kernelSize: 3, stride: 1 }).shape, [3, 6, 4]);
  t.same([globalAvgPool2d(image).shape, globalMaxPool2d(image).shape], [[3], [3]]);
  t.same(depthwiseConv2d(image, { name: 'dw', kernelSize: 3, multiplier: 2 }).shape, [6, 6, 4]);
  t.same(batchNorm(image, { name: 'norm' }).shape, [3, 8, 6]);
  t.same(dropout(image, { rate: 0.5 }).shape, [3, 8, 6]);
  t.same(softmax(input([5])).shape, [5]);
  t.same(add(image, relu(image), image).shape, [3, 8, 6]);
  t.same(concat(image, input([2, 8, 6]), image).shape, [8, 8, 6]);
  t.same(concat(input([2]), input([5])).shape, [7]);
  t.same(flatten(image).shape, [144]);
  t.same(dense(flatten(image), { name: 'fc', outFeatures: 7 }).shape, [7]);
  t.equal(count([]), 1);
});

test('a layer with parameters needs a name', async (t) => {
  // From JavaScript.
  for (const [kind, layer, x, options] of [
    ['conv2d', conv2d, image, { outChannels: 4, kernelSize: 3 }],
    ['depthwiseConv2d', depthwiseConv2d, image, { kernelSize: 3 }],
    ['dense', dense, input([9]), { outFeatures: 4, name: '' }],
    ['batchNorm', batchNorm, image, {}],
  ] as const) {
    t.throws(() => Reflect.apply(layer, undefined, [x, options]), {
      name: 'NetworkError',
      code: 'E_NAME',
      message: new RegExp(`^${kind}: needs a name`),
    });
  }
});

test('parameters have the layouts of MindSpore and PyTorch', async (t) => {
  t.same(shapes(conv2d(image, { name: 'conv', outChannels: 4, kernelSize: [5, 2] })), [
    ['conv.weight', 4, 3, 5, 2],
    ['conv.bias', 4],
  ]);
  t.same(shapes(dense(input([9]), { name: 'fc', outFeatures: 2 })), [
    ['fc.weight', 2, 9],
    ['fc.bias', 2],
  ]);
  t.same(shapes(depthwiseConv2d(image, { name: 'dw', kernelSize: [5, 2], multiplier: 2 })), [
    ['dw.weight', 6, 1, 5, 2],
    ['dw.bias', 6],
  ]);
  const norm = batchNorm(image, { name: 'norm' });
  t.same(shapes(norm), [
    ['norm.gamma', 3],
    ['norm.beta', 3],
    ['norm.moving_mean', 3],
    ['norm.moving_variance', 3],
  ]);
  t.same(
    norm.parameters.map(({ trainable }) => trainable),
    [true, true, false, false],
  );
  const without = [
    relu(image),
    maxPool2d(image, { kernelSize: 2 }),
    avgPool2d(image, { kernelSize: 2 }),
    flatten(image),
    dropout(image, { rate: 0.5 }),
    softmax(input([2])),
    add(image, image),
    concat(image, image),
  ];
  t.same(without.flatMap(shapes), []);
});

test('layers with weights can go without bias, and start as they are told', async (t) => {
  const options = { name: 'it', bias: false, initializer: normal(0.1) };
  for (const layer of [
    conv2d(image, { ...options, outChannels: 2, kernelSize: 1 }),
    depthwiseConv2d(image, { ...options, kernelSize: 1 }),
    dense(input([2]), { ...options, outFeatures: 2 }),
  ]) {
    t.same(
      layer.parameters.map(({ name, initializer, trainable }) => ({ name, initializer, trainable })),
      [{ name: 'it.weight', initializer: normal(0.1), trainable: true }],
    );
  }
});

test("batch normalisation's defaults are MindSpore's momentum and PyTorch's epsilon", async (t) => {
  const { layer, parameters } = batchNorm(image, { name: 'norm' });
  t.same(layer, { kind: 'batchNorm', epsilon: 1e-5, momentum: 0.9 });
  t.same(
    parameters.map(({ initializer }) => initializer),
    [{ kind: 'constant', value: 1 }, { kind: 'zeros' }, { kind: 'zeros' }, { kind: 'constant', value: 1 }],
  );
});

test('a mistake in a shape names its layer', async (t) => {
  const mistakes: readonly [() => Value, RegExp][] = [
    [() => conv2d(image, { name: 'conv9', outChannels: 4, kernelSize: 7 }), /^conv9: a 7×7 window .* \[3, 8, 6\]$/],
    [() => conv2d(image, { name: 'conv9', outChannels: 4, kernelSize: [9, 1] }), /^conv9: a 9×1 window/],
    [() => conv2d(flatten(image), { name: 'conv9', outChannels: 4, kernelSize: 1 }), /^conv9: .* not \[144\]/],
    [() => conv2d(image, { name: 'conv9', outChannels: 0, kernelSize: 1 }), /^conv9: outChannels .* not 0/],
    [() => conv2d(image, { name: 'conv9', outChannels: 1, kernelSize: 1.5 }), /^conv9: kernelSize .* not 1.5/],
    [() => dense(image, { name: 'fc9', outFeatures: 4 }), /^fc9: .* not \[3, 8, 6\]; flatten it first/],
    [() => dense(flatten(image), { name: 'fc9', outFeatures: -1 }), /^fc9: outFeatures .* not -1/],
    [() => maxPool2d(image, { kernelSize: 7 }), /^maxPool2d: a 7×7 window .* \[3, 8, 6\]/],
    [() => maxPool2d(flatten(image), { kernelSize: 1 }), /^maxPool2d: .* not \[144\]/],
    [() => maxPool2d(image, { kernelSize: 0 }), /^maxPool2d: kernelSize .* not 0/],
    [() => avgPool2d(flatten(image), { kernelSize: 1 }), /^avgPool2d: .* not \[144\]/],
    [() => globalAvgPool2d(flatten(image)), /^globalAvgPool2d: .* not \[144\]/],
    [() => globalMaxPool2d(flatten(image)), /^globalMaxPool2d: .* not \[144\]/],
    [() => depthwiseConv2d(flatten(image), { name: 'dw9', kernelSize: 1 }), /^dw9: .* not \[144\]/],
    [() => depthwiseConv2d(image, { name: 'dw9', kernelSize: 1, multiplier: 0 }), /^dw9: multiplier .* not 0/],
    [() => softmax(image), /^softmax: .* not \[3, 8, 6\]; flatten it first/],
    [() => add(image), /^add: needs at least two values, not 1/],
    [() => add(image, input([3, 6, 8])), /^add: .*\[3, 8, 6\] and \[3, 6, 8\]/],
    [() => concat(), /^concat: needs at least two values, not 0/],
    [() => concat(image, input([3, 8, 7])), /^concat: \[3, 8, 6\] and \[3, 8, 7\] differ in more than channels/],
    [() => concat(image, input([3])), /^concat: \[3, 8, 6\] and \[3\] differ/],
    [() => input([3, 0, 6]), /^input: every dimension .* not 0/],
    [() => input([Number.NaN]), /^input: .* not NaN/],
  ];
  for (const [make, message] of mistakes) t.throws(make, { name: NetworkError.name, code: 'E_SHAPE', message });
});

test('a rate or a setting outside its range is refused', async (t) => {
  for (const rate of [-0.1, 1, Number.NaN]) {
    t.throws(() => dropout(image, { rate }), { name: NetworkError.name, code: 'E_RATE', message: /below 1, not/ });
  }
  for (const setting of [
    { epsilon: 0 },
    { epsilon: 1e-50 },
    { epsilon: Infinity },
    { epsilon: Number.NaN },
    { momentum: -0.1 },
    { momentum: 1 },
  ]) {
    t.throws(() => batchNorm(image, { name: 'norm9', ...setting }), {
      name: NetworkError.name,
      code: 'E_BATCH_NORM',
      message: /^norm9: /,
    });
  }
});

function shapes({ parameters }: Value): unknown[] {
  return parameters.map(({ name, shape }) => [name, shape].flat());
}

import { test } from 'tap';
import { NetworkError } from '../../sdk/base/errors.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';
import { count, type Value } from '../../sdk/nn/value.js';

const image = input([3, 8, 6]);

test('shapes follow from layer to layer', async (t) => {
  t.same(conv2d(image, { name: 'conv', outChannels: 4, kernelSize: [3, 2] }).shape, [4, 6, 5]);
  t.same(conv2d(image, { name: 'conv', outChannels: 4, kernelSize: 1 }).shape, [4, 8, 6]);
  t.same(relu(image).shape, [3, 8, 6]);
  t.same(maxPool2d(image, { kernelSize: 3 }).shape, [3, 2, 2]);
  t.same(maxPool2d(image, { kernelSize: 4 }).shape, [3, 2, 1], 'what is left over is dropped');
  t.same(flatten(image).shape, [144]);
  t.same(dense(flatten(image), { name: 'fc', outFeatures: 7 }).shape, [7]);
  t.equal(count([]), 1);
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
  t.same([relu(image), maxPool2d(image, { kernelSize: 2 }), flatten(image)].flatMap(shapes), []);
});

test('a mistake in a shape names its layer', async (t) => {
  const mistakes: readonly [() => Value, RegExp][] = [
    [() => conv2d(image, { name: 'conv9', outChannels: 4, kernelSize: 7 }), /^conv9: a 7×7 kernel .* 8×6 input/],
    [() => conv2d(image, { name: 'conv9', outChannels: 4, kernelSize: [9, 1] }), /^conv9: a 9×1 kernel/],
    [() => conv2d(flatten(image), { name: 'conv9', outChannels: 4, kernelSize: 1 }), /^conv9: .* not \[144\]/],
    [() => conv2d(image, { name: 'conv9', outChannels: 0, kernelSize: 1 }), /^conv9: outChannels .* not 0/],
    [() => conv2d(image, { name: 'conv9', outChannels: 1, kernelSize: 1.5 }), /^conv9: kernelSize .* not 1.5/],
    [() => dense(image, { name: 'fc9', outFeatures: 4 }), /^fc9: .* not \[3, 8, 6\]; flatten it first/],
    [() => dense(flatten(image), { name: 'fc9', outFeatures: -1 }), /^fc9: outFeatures .* not -1/],
    [() => maxPool2d(image, { kernelSize: 7 }), /^maxPool2d: a 7×7 window .* \[3, 8, 6\]/],
    [() => maxPool2d(flatten(image), { kernelSize: 1 }), /^maxPool2d: .* not \[144\]/],
    [() => maxPool2d(image, { kernelSize: 0 }), /^maxPool2d: kernelSize .* not 0/],
    [() => input([3, 0, 6]), /^input: every dimension .* not 0/],
    [() => input([Number.NaN]), /^input: .* not NaN/],
  ];
  for (const [make, message] of mistakes) t.throws(make, { name: NetworkError.name, code: 'E_SHAPE', message });
});

function shapes({ parameters }: Value): unknown[] {
  return parameters.map(({ name, shape }) => [name, shape].flat());
}

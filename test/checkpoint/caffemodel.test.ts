import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { decodeCaffemodel } from '../../sdk/checkpoint/caffemodel.js';
import { encodeCaffemodel } from '../../sdk/checkpoint/caffemodel-writer.js';
import { parametersOf } from '../../sdk/checkpoint/optimizer-state.js';
import { messageField, numberField, textField } from '../../sdk/checkpoint/protobuf.js';
import type { Float32Tensor } from '../../sdk/checkpoint/tensor-file.js';
import { blob, doubleBlob, layerField, net, oldBlob, shapeField, v1Field } from './caffe.js';
import { codeOf, floats, plain } from './files.js';

const read = (bytes: Uint8Array): Record<string, Float32Tensor> =>
  Object.fromEntries(parametersOf(decodeCaffemodel(bytes, 'x.caffemodel')));
const messageOf = (bytes: Uint8Array): string => {
  try {
    decodeCaffemodel(bytes, 'x.caffemodel');
    return 'none';
  } catch (error) {
    return String(error);
  }
};
const normalisation = [blob([2], 2, 4), blob([2], 6, 8), blob([1], 2)];

test('the layers of a model are read by their names; those without arrays are passed over', async (t) => {
  const bytes = net(
    { name: 'data', type: 'Data', tops: ['data', 'label'] },
    { name: 'conv1', type: 'Convolution', blobs: [blob([1, 1, 1, 2], 1, -2), blob([1], 0.5)] },
    { name: 'ip1', type: 'InnerProduct', blobs: [blob([2, 1], 3, 4)], more: numberField(10, 1) },
    { name: 'loss', type: 'SoftmaxWithLoss', bottoms: ['ip1', 'label'], tops: ['loss'] },
  );
  t.strictSame(read(bytes), {
    'conv1.weight': floats([1, 1, 1, 2], 1, -2),
    'conv1.bias': floats([1], 0.5),
    'ip1.weight': floats([2, 1], 3, 4),
  });
});

test('models of before 2015 lose the ones before their sizes, and their numbers may stand one by one', async (t) => {
  const bytes = Buffer.concat([
    ...v1Field('conv1', 4, [oldBlob([2, 1, 1, 1], 1, 2), oldBlob([1, 1, 1, 2], 3, 4)]),
    ...v1Field('pool1', 17, []),
    ...v1Field('ip1', 14, [oldBlob([1, 1, 1, 3], 5, 6, 7), oldBlob([1, 1, 1, 1], 8)]),
  ]);
  t.strictSame(read(bytes), {
    'conv1.weight': floats([2, 1, 1, 1], 1, 2),
    'conv1.bias': floats([2], 3, 4),
    'ip1.weight': floats([1, 3], 5, 6, 7),
    'ip1.bias': floats([1], 8),
  });
});

test('numbers in double precision, and packed and single ones together, are read in their order', async (t) => {
  const bytes = net({ name: 'ip1', type: 'InnerProduct', blobs: [doubleBlob([1, 3], 1, 2, 3)] });
  t.strictSame(read(bytes), { 'ip1.weight': floats([1, 3], 1, 2, 3) });
  const large = net({ name: 'ip1', type: 'InnerProduct', blobs: [doubleBlob([1, 2], 1, 1e300)] });
  t.equal(
    codeOf(() => read(large)),
    'E_CKPT_RANGE',
  );
});

test('a weight that is kept as [in, out] is turned', async (t) => {
  const more = messageField(117, [...numberField(1, 2), ...numberField(6, 1)]);
  const bytes = net({ name: 'ip1', type: 'InnerProduct', blobs: [blob([3, 2], 1, 2, 3, 4, 5, 6)], more });
  t.strictSame(read(bytes), { 'ip1.weight': floats([2, 3], 1, 3, 5, 2, 4, 6) });
});

test('a BatchNorm and the Scale that reads it are one normalisation, moments divided by their factor', async (t) => {
  const whole = {
    'bn1.gamma': floats([2], 10, 20),
    'bn1.beta': floats([2], 30, 40),
    'bn1.moving_mean': floats([2], 1, 2),
    'bn1.moving_variance': floats([2], 3, 4),
  };
  const scaling = [blob([2], 10, 20), blob([2], 30, 40)];
  for (const [top, after] of [
    ['conv1', 'conv1'],
    ['a', 'b'],
  ]) {
    const bytes = net(
      { name: 'bn1', type: 'BatchNorm', bottoms: ['conv1'], tops: [top], blobs: normalisation },
      { name: 'other', type: 'ReLU', bottoms: ['conv2'], tops: ['conv2'] },
      { name: 'any', type: 'Scale', bottoms: [top], tops: [after], blobs: scaling },
    );
    t.strictSame(read(bytes), whole);
  }
  const alone = net({
    name: 'bn1',
    type: 'BatchNorm',
    tops: ['a'],
    blobs: [...normalisation.slice(0, 2), blob([1], 0)],
  });
  t.strictSame(read(alone), {
    'bn1.gamma': floats([2], 1, 1),
    'bn1.beta': floats([2], 0, 0),
    'bn1.moving_mean': floats([2], 0, 0),
    'bn1.moving_variance': floats([2], 0, 0),
  });
});

test('a Scale that reads what no BatchNorm made is refused', async (t) => {
  const scale = { name: 's', type: 'Scale', bottoms: ['a'], tops: ['a'], blobs: [blob([2], 1, 1)] };
  const batchNorm = { name: 'bn1', type: 'BatchNorm', bottoms: ['a'], tops: ['a'], blobs: normalisation };
  const refused = /^CheckpointError: x\.caffemodel: the layer "s", of the type "Scale", .* what no BatchNorm made/;
  t.match(messageOf(net(scale)), refused);
  t.match(messageOf(net(batchNorm, { name: 'r', type: 'ReLU', bottoms: ['a'], tops: ['a'] }, scale)), refused);
  t.match(messageOf(net(batchNorm, { ...scale, tops: ['b'] }, scale)), refused, 'nor one that another Scale has read');
  t.match(messageOf(net(batchNorm, { ...scale, blobs: [blob([3], 1, 1, 1)] })), /of another size than the BatchNorm/);
});

test('a layer of a type that is not known here is refused by name, with what it would need', async (t) => {
  t.match(
    messageOf(net({ name: 'act', type: 'PReLU', blobs: [blob([1], 0.25)] })),
    /x\.caffemodel: the layer "act", of the type "PReLU", holds parameters, .* layers of the type "PReLU"; it has Convolution, /,
  );
  t.match(messageOf(Buffer.concat([...v1Field('up', 39, [oldBlob([1, 1, 1, 1], 1)])])), /the type "Deconvolution"/);
  const beforeV1 = Buffer.concat([...messageField(2, messageField(1, textField(1, 'conv1')))]);
  t.match(messageOf(beforeV1), /until 2013; .*upgrade_net_proto_binary/);
});

test('arrays that do not make a layer are refused, naming it', async (t) => {
  const two = blob([2], 1, 2);
  for (const [type, blobs, message] of [
    ['Convolution', [two], /"a\.weight" has the shape \[2\] where 4 dimensions belong/],
    [
      'InnerProduct',
      [blob([2, 1], 1, 2), blob([1, 2], 1, 2), two],
      /the layer "a" .* 3 arrays in place of weight, bias/,
    ],
    ['InnerProduct', [blob([2, 1], 1, 2), blob([2, 2], 1, 2, 3, 4)], /"a\.bias" has the shape \[2, 2\]/],
    ['BatchNorm', [two, two], /2 arrays in place of moving_mean/],
    ['BatchNorm', [two, blob([1], 1), blob([1], 1)], /sizes that do not belong together/],
    ['InnerProduct', [shapeField([2, 3])], /"a\.weight" has 0 bytes, and its shape \[2,3\] of Float32 needs 24/],
    ['InnerProduct', [blob([2, 3], 1)], /has 4 bytes, and its shape \[2,3\]/],
  ] as const) {
    t.match(messageOf(net({ name: 'a', type, blobs })), message);
  }
  const twice = { name: 'a', type: 'InnerProduct', blobs: [blob([1, 1], 1)] };
  t.equal(
    codeOf(() => read(net(twice, twice))),
    'E_CKPT_DUPLICATE',
  );
  t.equal(
    codeOf(() => read(Buffer.concat([...layerField({ ...twice, name: '' })]))),
    'E_CKPT_FORMAT',
  );
  t.equal(
    codeOf(() => read(Buffer.alloc(0))),
    'E_CKPT_TRUNCATED',
  );
});

const layer: fc.Arbitrary<readonly (readonly [string, Float32Tensor])[]> = fc
  .tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(2, 4, 0), fc.boolean(), fc.infiniteStream(fc.float()))
  .map(([out, rank, hasBias, numbers]) => {
    const fill = (...shape: number[]) =>
      floats(shape, ...Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => numbers.next().value));
    const bias = hasBias ? [['bias', fill(out)] as const] : [];
    if (rank > 0) return [['weight', fill(out, ...[3, 2, 1].slice(0, rank - 1))] as const, ...bias];
    return ['moving_mean', 'moving_variance', 'gamma', 'beta'].map((suffix) => [suffix, fill(out)] as const);
  });

test('what is written is read, and written again as the same bytes', async () => {
  fc.assert(
    fc.property(fc.array(layer, { maxLength: 5 }), (layers) => {
      const parameters = new Map(
        layers.flatMap((arrays, i) => arrays.map(([suffix, tensor]) => [`a/層${i}.${suffix}`, tensor] as const)),
      );
      const bytes = encodeCaffemodel(parameters);
      const again = parametersOf(decodeCaffemodel(bytes, 'x'));
      const sorted = (of: ReadonlyMap<string, Float32Tensor>) =>
        plain({ tensors: new Map([...of].sort(([a], [b]) => (a < b ? -1 : 1))), texts: new Map() });
      return (
        JSON.stringify(sorted(again)) === JSON.stringify(sorted(parameters)) &&
        Buffer.compare(encodeCaffemodel(again), bytes) === 0
      );
    }),
    { numRuns: 500, seed: 1 },
  );
});

test('what a Caffe model cannot hold is not written', async (t) => {
  const refused = (...names: readonly (readonly [string, number[]])[]): string =>
    codeOf(() =>
      encodeCaffemodel(
        new Map(
          names.map(([name, shape]) => [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }]),
        ),
      ),
    );
  t.equal(refused(['w', [1, 1]]), 'E_CKPT_NAME', 'no layer');
  t.equal(refused(['.weight', [1, 1]]), 'E_CKPT_NAME');
  t.equal(refused(['a.weight', [1, 1, 1]]), 'E_CKPT_NAME', 'three dimensions');
  t.equal(refused(['a.bias', [1]]), 'E_CKPT_NAME', 'a bias alone');
  t.equal(refused(['a.weight', [1, 1]], ['a.bias', [1, 1]]), 'E_CKPT_NAME');
  t.equal(refused(['a.gamma', [1]], ['a.beta', [1]]), 'E_CKPT_NAME', 'half a normalisation');
  const batchNorm = ['gamma', 'beta', 'moving_mean', 'moving_variance'].map((suffix) => [`a.${suffix}`, [1]] as const);
  t.equal(refused(...batchNorm), 'none');
  t.equal(refused(...batchNorm, ['a_scale.weight', [1, 1]]), 'E_CKPT_NAME', 'the name of the Scale is taken');
});

const REAL = join(packageRoot, '../shared/data');
for (const [name, shapes] of [
  ['lenet300100_iter_10000', { 'ip1.weight': [300, 784], 'ip2.weight': [100, 300], 'ip3.weight': [10, 100] }],
  [
    'lenet5_original',
    {
      'conv1.weight': [20, 1, 5, 5],
      'conv2.weight': [50, 20, 5, 5],
      'ip1.weight': [500, 800],
      'ip2.weight': [10, 500],
    },
  ],
] as const) {
  const path = join(REAL, `${name}.caffemodel`);
  test(`${name}, which Caffe wrote, is read`, {
    skip: !existsSync(path) && `no shared/data/${name}.caffemodel beside the repository`,
  }, async (t) => {
    const parameters = read(readFileSync(path));
    const weights = Object.entries(parameters).filter(([parameter]) => parameter.endsWith('.weight'));
    t.same(Object.fromEntries(weights.map(([parameter, { shape }]) => [parameter, shape])), shapes);
    for (const [weight, [out]] of Object.entries(shapes))
      t.same(parameters[weight.replace('weight', 'bias')].shape, [out]);
    t.ok(Object.values(parameters).every(({ data }) => data.every((value) => Math.abs(value) < 2)));
  });
}

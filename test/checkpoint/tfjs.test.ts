/** TensorFlow.js layers models: what is written, and what is read of everyone's. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import { readTfjs, writeTfjs } from '../../sdk/checkpoint/tfjs.js';
import { topologyOf } from '../../sdk/checkpoint/tfjs-topology.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { add, dense, flatten, input } from '../../sdk/nn/layers.js';
import { network } from '../../sdk/nn/network.js';
import { avgPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import type { Value } from '../../sdk/nn/value.js';
import { arbitraryCase } from '../engine/random-network.js';
import { codeOf, floats, plain } from './files.js';
import { asFile, drawParameters, everyLayer } from './networks.js';
import { type Layer, modelFiles, readModel } from './tfjs-models.js';

const vectorInput = (features: number): Layer => ({
  class: 'InputLayer',
  name: 'in',
  batch_input_shape: [null, features],
});
const imageInput = (...shape: number[]): Layer => ({
  class: 'InputLayer',
  name: 'in',
  batch_input_shape: [null, ...shape],
});

test('what is written is read, bit for bit, and written again as the same files', async (t) => {
  const drawn = fc.sample(arbitraryCase(), { numRuns: 30, seed: 11 }).map((found) => found.network);
  for (const [seed, net] of [everyLayer(), ...drawn].entries()) {
    const parameters = drawParameters(net, seed);
    const folder = t.testdir({ a: {}, b: {} });
    const [first, second] = ['a', 'b'].map((name) => join(folder, name, 'model.json'));
    await writeTfjs(first, asFile(parameters), net);
    const read = await readTfjs(first);
    t.same(plain(read), plain(asFile(parameters)), net.name);
    await writeTfjs(second, read, net);
    const [a, b] = ['a', 'b'].map((name) => filesOf(join(folder, name)));
    t.same(a, b);
  }
});

test('weights are cut into files of 4 MiB', async (t) => {
  const net = network('wide', dense(input([1200]), { name: 'fc', outFeatures: 1000 }));
  const folder = t.testdir();
  await writeTfjs(join(folder, 'model.json'), asFile(drawParameters(net, 1)), net);
  const shards = readdirSync(folder).filter((name) => name.endsWith('.bin'));
  t.match(shards[0], /^group1-[0-9a-f]{16}-shard1of2\.bin$/);
  t.same(
    shards.map((name) => readFileSync(join(folder, name)).length),
    [4 << 20, 1201 * 4000 - (4 << 20)],
  );
  t.same((await readTfjs(join(folder, 'model.json'))).tensors.get('fc.weight')?.shape, [1000, 1200]);
});

test('another model in its place takes the old files with it, and nothing else', async (t) => {
  const net = network('small', dense(input([3]), { name: 'fc', outFeatures: 2 }));
  const folder = t.testdir({ 'group1-shard1of1.bin': 'of someone else' });
  const path = join(folder, 'model.json');
  const [one, two] = [drawParameters(net, 1), drawParameters(net, 2)];
  await writeTfjs(path, asFile(one), net);
  await writeTfjs(join(folder, 'other.json'), asFile(one), net);
  await writeTfjs(path, asFile(two), net);
  t.equal(readdirSync(folder).length, 5, 'two models, a file of weights each, and the other file');
  t.same(plain(await readTfjs(path)), plain(asFile(two)));
  t.same(plain(await readTfjs(join(folder, 'other.json'))), plain(asFile(one)), 'beside it');
  await writeTfjs(path, asFile(two), net);
  t.same(plain(await readTfjs(path)), plain(asFile(two)), 'written over itself');
});

test('what cannot be written whole leaves the old model', async (t) => {
  const net = network('small', dense(input([3]), { name: 'fc', outFeatures: 2 }));
  const folder = t.testdir({ 'model.json': {} });
  await t.rejects(writeTfjs(join(folder, 'model.json'), asFile(drawParameters(net, 1)), net), StorageError);
  t.same(readdirSync(folder), ['model.json'], 'and no file of weights');
  const lacking = new Map([...drawParameters(net, 1)].slice(1));
  await t.rejects(writeTfjs(join(folder, 'b.json'), asFile(lacking), net), { code: 'E_CKPT_MISSING' });
});

test('a parameter becomes a weight of its layer, transposed', async (t) => {
  const conv = conv2d(input([1, 1, 2]), { name: 'conv', outChannels: 2, kernelSize: [1, 2], bias: false });
  const net = network('tiny', dense(flatten(conv), { name: 'fc', outFeatures: 1 }));
  const folder = t.testdir();
  const path = join(folder, 'model.json');
  const parameters = new Map([
    ['conv.weight', floats([2, 1, 1, 2], 1, 2, 3, 4)],
    ['fc.weight', floats([1, 2], 5, 6)],
    ['fc.bias', floats([1], 7)],
  ]);
  await writeTfjs(path, { ...asFile(parameters), texts: new Map([['note', 'left out']]) }, net);
  const json: { weightsManifest: { paths: string[]; weights: unknown }[] } = JSON.parse(readFileSync(path, 'utf8'));
  const [{ paths, weights }] = json.weightsManifest;
  t.same(weights, [
    { name: 'conv/kernel', shape: [1, 2, 1, 2], dtype: 'float32' },
    { name: 'fc/kernel', shape: [2, 1], dtype: 'float32' },
    { name: 'fc/bias', shape: [1], dtype: 'float32' },
  ]);
  const bytes = new Uint8Array(readFileSync(join(folder, paths[0])));
  t.same([...new Float32Array(bytes.buffer)], [1, 3, 2, 4, 5, 6, 7]);
});

test('padding is what Keras calls same, zeros before a convolution, or pools of what lies inside', async (t) => {
  const classes = (last: Value): string[] =>
    topologyOf(network('n', last))
      .config.layers.slice(1)
      .map((layer) => layer.class_name);
  const x = input([1, 8, 8]);
  const options = { name: 'conv', outChannels: 1, kernelSize: 3 };
  t.same(classes(conv2d(x, { ...options, padding: 1 })), ['Conv2D']);
  t.same(
    classes(conv2d(x, { ...options, padding: 1, stride: 2 })),
    ['ZeroPadding2D', 'Conv2D'],
    'Keras pads below alone',
  );
  t.same(classes(avgPool2d(x, { kernelSize: 3, stride: 2, padding: 'same' })), ['AveragePooling2D']);
  t.notOk(
    classes(maxPool2d(x, { kernelSize: 3, stride: 2, padding: 1 })).includes('ZeroPadding2D'),
    'zeros might be the largest',
  );
});

test('layers have names of their own, whatever those with weights are called', async (t) => {
  const x = dense(input([2]), { name: 'input', outFeatures: 2 });
  const net = network('n', add(x, x, dense(x, { name: 'add2', outFeatures: 2 })));
  const names = topologyOf(net).config.layers.map(({ name }) => name);
  t.equal(new Set(names).size, names.length);
  t.ok(names.includes('input') && names.includes('add2'));
  t.equal(
    codeOf(() => topologyOf(network('n', dense(x, { name: '層', outFeatures: 2 })))),
    'E_CKPT_NAME',
  );
});

test('a dense kernel that reads a flattened image is put into our order, through whatever passes it on', async (t) => {
  // Rows as Keras counts them: (row, column, channel) of an image of 1 × 2 places and 3 channels.
  const weight = async (...between: Layer[]): Promise<unknown> => {
    const layers = [imageInput(1, 2, 3), ...between, { class: 'Dense', name: 'fc', units: 1, use_bias: false }];
    const { tensors } = await readModel(t.testdir(), layers, { 'fc/kernel': floats([6, 1], 0, 1, 2, 3, 4, 5) });
    return tensors.get('fc.weight');
  };
  const ours = floats([1, 6], 0, 3, 1, 4, 2, 5);
  const theirs = floats([1, 6], 0, 1, 2, 3, 4, 5);
  const [flat, permute]: Layer[] = [{ class: 'Flatten' }, { class: 'Permute', dims: [3, 1, 2] }];
  t.same(await weight(flat), ours);
  t.same(await weight({ class: 'Dropout', rate: 0.5 }, flat, { class: 'ReLU' }, { class: 'Dropout', rate: 0.5 }), ours);
  t.same(await weight({ class: 'Reshape', target_shape: [-1] }, { class: 'Activation', activation: 'softmax' }), ours);
  t.same(await weight(permute, flat), theirs, 'channels first already');
  t.same(
    await weight({ class: 'Reshape', target_shape: [1, 1, 6] }, flat).catch(({ code }) => code),
    'E_CKPT_UNSUPPORTED',
  );
});

test('features that are put together keep each its own order', async (t) => {
  const layers: Layer[] = [
    imageInput(1, 2, 2),
    { class: 'Flatten', name: 'flat', from: ['in'] },
    { class: 'GlobalMaxPooling2D', name: 'most', from: ['in'] },
    { class: 'Concatenate', name: 'all', axis: -1, from: ['most', 'flat', 'flat'] },
    { class: 'BatchNormalization', name: 'bn', axis: [1], center: false, from: ['all'] },
    { class: 'Dense', name: 'fc', units: 1, use_bias: false, from: ['bn'] },
  ];
  const ten = floats([10], 0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
  const ours = [0, 1, 2, 4, 3, 5, 6, 8, 7, 9];
  const { tensors } = await readModel(t.testdir(), layers, {
    'bn/gamma': ten,
    'bn/moving_mean': ten,
    'bn/moving_variance': ten,
    'fc/kernel': { ...ten, shape: [10, 1] },
  });
  t.same(tensors.get('fc.weight'), floats([1, 10], ...ours));
  t.same(tensors.get('bn.gamma'), floats([10], ...ours));
  t.same(tensors.get('bn.moving_mean'), floats([10], ...ours));
  t.same(tensors.get('bn.beta'), { shape: [10], data: new Float32Array(10) }, 'as without one');
});

test('names may say which model a layer is in, or end as TensorFlow names do', async (t) => {
  const layers = [vectorInput(1), { class: 'Dense', name: 'a/fc_1', units: 1 }];
  const kernel = floats([1, 1], 1);
  const bias = floats([1], 2);
  for (const prefix of ['', 'sequential/', 'sequential_1/model/']) {
    const { tensors } = await readModel(t.testdir(), layers, {
      [`${prefix}a/fc_1/kernel:0`]: kernel,
      [`${prefix}a/fc_1/bias`]: bias,
    });
    t.same(
      [...tensors],
      [
        ['a/fc_1.weight', kernel],
        ['a/fc_1.bias', bias],
      ],
    );
  }
});

test('Keras 3, Keras 2 and TensorFlow.js may spell a model each in its way', async (t) => {
  const weights = { 'fc/kernel': floats([2, 1], 1, 2) };
  const dense1 = { units: 1, use_bias: false };
  const models = {
    'Keras 3': {
      class_name: 'Functional',
      config: {
        layers: [
          { class_name: 'InputLayer', config: { batch_shape: [null, 2], name: 'in' }, name: 'in', inbound_nodes: [] },
          {
            class_name: 'Dense',
            name: 'fc',
            config: { ...dense1, activation: 'linear' },
            inbound_nodes: [
              { args: [{ class_name: '__keras_tensor__', config: { keras_history: ['in', 0, 0] } }], kwargs: {} },
            ],
          },
        ],
      },
    },
    'Keras 2': {
      keras_version: '2.4.0',
      model_config: {
        class_name: 'Model',
        config: {
          layers: [
            { class_name: 'Dense', name: 'fc', config: dense1, inbound_nodes: [[['in', 0, 0, {}]]] },
            { class_name: 'InputLayer', name: 'in', config: { batch_input_shape: [null, 2] }, inbound_nodes: [] },
          ],
        },
      },
    },
    'Keras 1': {
      class_name: 'Sequential',
      config: [{ class_name: 'Dense', config: { name: 'fc', ...dense1, batch_input_shape: [null, 2] } }],
    },
    'TensorFlow.js': {
      className: 'Sequential',
      config: {
        layers: [{ className: 'Dense', config: { name: 'fc', units: 1, useBias: false, batchInputShape: [null, 2] } }],
      },
    },
  };
  for (const [name, modelTopology] of Object.entries(models)) {
    const folder = t.testdir();
    modelFiles(folder, { modelTopology }, weights);
    const { tensors } = await readTfjs(join(folder, 'model.json'));
    t.same(tensors.get('fc.weight'), floats([1, 2], 1, 2), name);
  }
});

test('weights without a topology are read by name, their layouts by rank', async (t) => {
  const folder = t.testdir();
  modelFiles(
    folder,
    {},
    {
      'model/conv/kernel': floats([1, 2, 1, 2], 1, 2, 3, 4),
      'dw/depthwise_kernel': floats([1, 1, 2, 2], 1, 2, 3, 4),
      'fc/kernel': floats([2, 1], 1, 2),
      'fc/bias': floats([1], 3),
      lonely: floats([], 4),
    },
  );
  const { tensors } = await readTfjs(join(folder, 'model.json'));
  t.same(
    [...tensors],
    [
      ['conv.weight', floats([2, 1, 1, 2], 1, 3, 2, 4)],
      ['dw.weight', floats([4, 1, 1, 1], 1, 2, 3, 4)],
      ['fc.weight', floats([1, 2], 1, 2)],
      ['fc.bias', floats([1], 3)],
      ['lonely', floats([], 4)],
    ],
  );
});

test('weights may be of any type, and quantized', async (t) => {
  const folder = t.testdir();
  mkdirSync(join(folder, 'deep'));
  writeFileSync(join(folder, 'deep', 'a.bin'), Uint8Array.of(0, 0x3c, 0, 1, 255, 1, 0, 2, 0));
  writeFileSync(join(folder, 'b.bin'), Uint8Array.of(0, 0xc0, 1, 0, 0xff, 0xff, 0xff, 0xff));
  const weights = [
    { name: 'half', shape: [1], dtype: 'float16' },
    {
      name: 'byte',
      shape: [3],
      dtype: 'float32',
      quantization: { dtype: 'uint8', scale: 0.5, min: -1, original_dtype: 'float32' },
    },
    { name: 'short', shape: [2], dtype: 'int32', quantization: { dtype: 'uint16', scale: 2.25, min: 0 } },
    { name: 'quarter', shape: [], dtype: 'float32', quantization: { dtype: 'float16' } },
    { name: 'truth', shape: [1], dtype: 'bool' },
    { name: 'small', shape: [1], dtype: 'uint8' },
    { name: 'iter', shape: [1], dtype: 'int32', group: 'optimizer' },
  ];
  const weightsManifest = [
    { paths: ['deep/a.bin'], weights: weights.slice(0, 3) },
    { paths: ['b.bin'], weights: weights.slice(3) },
  ];
  writeFileSync(
    join(folder, 'model.json'),
    JSON.stringify({ format: 'layers-model', modelTopology: null, weightsManifest }),
  );
  const { tensors } = await readTfjs(join(folder, 'model.json'));
  t.same(
    [...tensors],
    [
      ['half', floats([1], 1)],
      ['byte', floats([3], -1, -0.5, 126.5)],
      ['short', { shape: [2], data: Int32Array.of(2, 5) }],
      ['quarter', floats([], -2)],
      ['truth', { shape: [1], data: Int32Array.of(1) }],
      ['small', { shape: [1], data: Int32Array.of(0) }],
    ],
  );
});

/** What a folder holds, by name. */
function filesOf(folder: string): Record<string, string> {
  return Object.fromEntries(readdirSync(folder).map((name) => [name, readFileSync(join(folder, name), 'hex')]));
}

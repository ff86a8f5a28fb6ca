/** What a TensorFlow.js model may do to us, whatever is in it: be read, or be refused by name. */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { CheckpointError } from '../../sdk/base/errors.js';
import { seededRandom } from '../../sdk/base/random.js';
import { readTfjs, writeTfjs } from '../../sdk/checkpoint/tfjs.js';
import { floats } from './files.js';
import { asFile, drawParameters, everyLayer } from './networks.js';
import { functional, type Layer, readModel } from './tfjs-models.js';

/** More with MINDTS_MUTATIONS=100000. */
const MUTATIONS = Number(process.env['MINDTS_MUTATIONS'] ?? 1500);

const image: Layer = { class: 'InputLayer', name: 'in', batch_input_shape: [null, 8, 8, 2] };
const vector: Layer = { class: 'InputLayer', name: 'in', batch_input_shape: [null, 4] };
const conv: Layer = { class: 'Conv2D', name: 'conv', filters: 1, kernel_size: [3, 3] };
const fc: Layer = { class: 'Dense', name: 'fc', units: 1 };

test('a layer that networks here do not have is refused, by its name and class', async (t) => {
  const refused: readonly (readonly [what: RegExp, ...layers: Layer[]])[] = [
    [/"up", a "Conv2DTranspose": is not among the layers/, image, { class: 'Conv2DTranspose', name: 'up', filters: 1 }],
    [/"memory", a "LSTM"/, vector, { class: 'LSTM', name: 'memory', units: 3 }],
    [/"conv".*dilation 2×2/, image, { ...conv, dilation_rate: [2, 2] }],
    [/"conv".*2 groups/, image, { ...conv, groups: 2 }],
    [/"conv".*channels_first/, image, { ...conv, data_format: 'channels_first' }],
    [/"conv".*activation "tanh"/, image, { ...conv, activation: 'tanh' }],
    [/"conv".*activation of its own/, image, { ...conv, activation: { class_name: 'LeakyReLU' } }],
    [/"conv".*softmax of a vector/, image, { ...conv, activation: 'softmax' }],
    [/"conv".*reads an image/, vector, conv],
    [/"conv".*reads an image/, image, { class: 'Permute', dims: [3, 1, 2] }, conv],
    [/"fc".*put a Flatten before it/, image, fc],
    [/"six".*max\(x, 0\)/, vector, { class: 'ReLU', name: 'six', max_value: 6 }],
    [/"bn".*axis 1/, image, { class: 'BatchNormalization', name: 'bn', axis: 1 }],
    [/"again".*\[4, 4, 8\]/, image, { class: 'Reshape', name: 'again', target_shape: [4, 4, 8] }],
    [/"other".*second input/, image, { class: 'InputLayer', name: 'other', from: [], batch_input_shape: [null, 4] }],
    [/"in".*inputShape/, { ...image, batch_input_shape: [null, null, null, 3] }],
    [/"in".*inputShape/, { class: 'InputLayer', name: 'in' }],
    [/layer 2 is a model in the model/, image, { class: 'Functional', name: 'inner' }],
    [
      /"sum".*different orders/,
      image,
      { class: 'Flatten', name: 'a', from: ['in'] },
      { class: 'Permute', name: 'p', dims: [3, 1, 2], from: ['in'] },
      { class: 'Flatten', name: 'b', from: ['p'] },
      { class: 'Add', name: 'sum', from: ['a', 'b'] },
    ],
  ];
  for (const [message, ...layers] of refused) {
    await t.rejects(readModel(t.testdir(), layers), { code: 'E_CKPT_UNSUPPORTED', message }, String(message));
  }
});

test('layers that do not fit one another, or are not there, are refused', async (t) => {
  const refused: readonly (readonly [code: string, ...layers: Layer[]])[] = [
    ['E_CKPT_SHAPE', image, { ...conv, kernel_size: [9, 9] }],
    ['E_CKPT_SHAPE', image, { ...conv, kernel_size: [0, 1] }],
    ['E_CKPT_SHAPE', image, { class: 'MaxPooling2D', strides: [0, 1] }],
    [
      'E_CKPT_SHAPE',
      image,
      {
        class: 'Cropping2D',
        cropping: [
          [4, 4],
          [0, 0],
        ],
      },
    ],
    ['E_CKPT_SHAPE', image, { class: 'Permute', dims: [1, 1, 2] }],
    ['E_CKPT_SHAPE', image, { class: 'Reshape', target_shape: [-1, -1] }],
    ['E_CKPT_SHAPE', image, { class: 'Flatten', name: 'a' }, { class: 'Add', from: ['in', 'a'] }],
    ['E_CKPT_SHAPE', image, { class: 'Flatten', name: 'a' }, { class: 'Concatenate', from: ['in', 'a'] }],
    [
      'E_CKPT_SHAPE',
      image,
      { class: 'Cropping2D', name: 'a', cropping: 1 },
      { class: 'Concatenate', from: ['in', 'a'] },
    ],
    ['E_CKPT_FORMAT', image, { class: 'Conv2D', kernel_size: 3 }],
    ['E_CKPT_FORMAT', image, { ...conv, padding: 'causal' }],
    ['E_CKPT_FORMAT', image, { ...conv, filters: -1 }],
    ['E_CKPT_FORMAT', image, { ...conv, filters: 1.5 }],
    ['E_CKPT_FORMAT', image, { class: 'ReLU', from: ['nobody'] }],
    ['E_CKPT_FORMAT', image, { class: 'ReLU', name: 'a', from: ['b'] }, { class: 'ReLU', name: 'b', from: ['a'] }],
    ['E_CKPT_FORMAT', image, { class: 'ReLU', name: 'a', from: ['a'] }],
    ['E_CKPT_FORMAT', image, { class: 'ReLU', name: 'in', from: ['in'] }],
    ['E_CKPT_LIMIT', { ...vector, batch_input_shape: [null, 2 ** 40] }],
    ['E_CKPT_LIMIT', image, { ...conv, filters: 2 ** 31, padding: 'same' }],
    ['E_CKPT_LIMIT', vector, { class: 'Concatenate', from: Array.from({ length: 2000 }, () => 'in') }],
    ['E_CKPT_MISSING', image, conv],
  ];
  for (const [code, ...layers] of refused) {
    await t.rejects(readModel(t.testdir(), layers), { code }, JSON.stringify(layers.slice(1)).slice(0, 200));
  }
});

test('a value put together with itself again and again takes no memory', async (t) => {
  const flat: Layer = { class: 'Flatten', name: 'x0' };
  const doubled = (i: number): Layer => ({ class: 'Concatenate', name: `x${i + 1}`, from: [`x${i}`, `x${i}`] });
  const layers = (n: number): Layer[] => [image, flat, ...Array.from({ length: n }, (_, i) => doubled(i))];
  await t.resolves(readModel(t.testdir(), layers(10)));
  await t.rejects(readModel(t.testdir(), layers(60)), { code: 'E_CKPT_LIMIT' });
  await t.rejects(readModel(t.testdir(), [vector, { ...flat, class: 'ReLU' }, ...layers(60).slice(2)]), {
    code: 'E_CKPT_LIMIT',
  });
});

test('weights that are not those of the layers are refused', async (t) => {
  const kernel = floats([4, 1], 1, 2, 3, 4);
  const bias = floats([1], 5);
  const refused = {
    E_CKPT_MISSING: { 'fc/kernel': kernel },
    E_CKPT_SHAPE: { 'fc/kernel': { ...kernel, shape: [1, 4] }, 'fc/bias': bias },
    E_CKPT_DUPLICATE: { 'fc/kernel': kernel, 'fc/bias': bias, 'model/fc/bias': bias },
    E_CKPT_FORMAT: { 'fc/kernel': kernel, 'fc/bias': bias, 'gone/bias': bias },
  };
  for (const [code, weights] of Object.entries(refused)) {
    await t.rejects(readModel(t.testdir(), [vector, fc], weights), { code });
  }
  await t.rejects(readModel(t.testdir(), [vector, fc], { 'fc/kernel': kernel, 'fc/bias': bias, 'fc/gamma': bias }), {
    code: 'E_CKPT_FORMAT',
  });
  await t.rejects(readModel(t.testdir(), [vector, fc], { 'fc/kernel': kernel, 'fc/bias': bias, bias }), {
    code: 'E_CKPT_FORMAT',
  });
});

test('a model.json that is none, or a graph model, is refused', async (t) => {
  const weightsManifest: unknown[] = [];
  const graph = { format: 'graph-model', modelTopology: { node: [] }, weightsManifest };
  const refused: readonly (readonly [code: string, text: string])[] = [
    ['E_CKPT_UNSUPPORTED', JSON.stringify(graph)],
    ['E_CKPT_UNSUPPORTED', JSON.stringify({ ...graph, format: null })],
    ['E_CKPT_UNSUPPORTED', JSON.stringify({ modelTopology: { class_name: 'Mine', config: [] }, weightsManifest })],
    ['E_CKPT_FORMAT', ''],
    ['E_CKPT_FORMAT', '{'],
    ['E_CKPT_FORMAT', '{"__proto__":null}'],
    ['E_CKPT_FORMAT', 'null'],
    ['E_CKPT_FORMAT', '[]'],
    ['E_CKPT_FORMAT', '['.repeat(1_000_000)],
    ['E_CKPT_FORMAT', JSON.stringify({ modelTopology: {}, weightsManifest })],
    [
      'E_CKPT_FORMAT',
      JSON.stringify({ modelTopology: { class_name: 'Model', config: { layers: [null] } }, weightsManifest }),
    ],
    [
      'E_CKPT_FORMAT',
      JSON.stringify({
        modelTopology: functional([
          { class: 'ReLU', name: 'a' },
          { class: 'ReLU', name: 'a' },
        ]),
        weightsManifest,
      }),
    ],
  ];
  const path = join(t.testdir(), 'model.json');
  for (const [code, text] of refused) {
    writeFileSync(path, text);
    await t.rejects(readTfjs(path), { code }, text.slice(0, 80));
  }
  const nested = '['.repeat(1_000_000) + ']'.repeat(1_000_000);
  writeFileSync(
    path,
    JSON.stringify({ weightsManifest }).replace('{', `{"modelTopology":{"class_name":"Model","config":${nested}},`),
  );
  await t.rejects(readTfjs(path), { code: 'E_CKPT_FORMAT' }, 'nested a million deep');
  truncateSync(path, 1 << 30);
  await t.rejects(readTfjs(path), { code: 'E_CKPT_LIMIT' }, 'a gigabyte');
  await t.rejects(readTfjs(`${path}x`), { code: 'E_CKPT_READ' });
  await t.rejects(readTfjs(join(path, '..')), { code: 'E_CKPT_READ' });
});

test('files of weights lie beside the model, hold what they should, and are named once', async (t) => {
  const folder = t.testdir({ '4.bin': 'abcd', '5.bin': 'abcde', sub: { '4.bin': 'abcd' } });
  const outer = join(folder, 'sub');
  mkdirSync(join(outer, 'folder.bin'));
  const read = async (paths: readonly string[], spec: object = { shape: [1], dtype: 'float32' }): Promise<string> => {
    const weightsManifest = [{ paths, weights: [{ name: 'a', ...spec }] }];
    writeFileSync(join(outer, 'model.json'), JSON.stringify({ weightsManifest }));
    return readTfjs(join(outer, 'model.json')).then(
      () => 'read',
      (error: unknown) => (error instanceof CheckpointError ? error.code : String(error)),
    );
  };
  t.equal(await read(['4.bin']), 'read');
  for (const path of [
    '../4.bin',
    join(folder, '4.bin'),
    'file:///4.bin',
    'https://example.com/4.bin',
    '..\\4.bin',
    'C:4.bin',
    'a\0',
    '',
    '.',
    'x/../4.bin',
    './4.bin',
    '/',
  ]) {
    t.equal(await read([path]), 'E_CKPT_PATH', JSON.stringify(path));
  }
  t.equal(await read(['gone.bin']), 'E_CKPT_READ');
  t.equal(await read(['x'.repeat(5000)]), 'E_CKPT_READ');
  t.equal(await read(['folder.bin'], { shape: [1024], dtype: 'float32' }), 'E_CKPT_READ');
  t.equal(await read(['4.bin', '4.bin'], { shape: [2], dtype: 'float32' }), 'E_CKPT_FORMAT');
  t.equal(await read([]), 'E_CKPT_TRUNCATED');
  t.equal(await read(['4.bin'], { shape: [2], dtype: 'float32' }), 'E_CKPT_TRUNCATED');
  t.equal(await read(['4.bin'], { shape: [3], dtype: 'uint8' }), 'E_CKPT_FORMAT');
  t.equal(await read(['4.bin'], { shape: [2 ** 50], dtype: 'uint8' }), 'E_CKPT_LIMIT');
  t.equal(await read(['4.bin'], { shape: Array.from({ length: 40 }, () => 2 ** 50), dtype: 'uint8' }), 'E_CKPT_FORMAT');
  t.equal(await read(['4.bin'], { shape: [-1], dtype: 'uint8' }), 'E_CKPT_FORMAT');
  t.equal(await read(['4.bin'], { shape: [1], dtype: 'string' }), 'E_CKPT_TYPE');
  t.equal(
    await read(['4.bin'], { shape: [4], dtype: 'bool', quantization: { dtype: 'uint8', scale: 1, min: 0 } }),
    'E_CKPT_TYPE',
  );
  t.equal(await read(['4.bin'], { shape: [4], dtype: 'float32', quantization: { dtype: 'uint8' } }), 'E_CKPT_FORMAT');
  t.equal(
    await read(['4.bin'], { shape: [4], dtype: 'float32', quantization: { dtype: 'uint8', scale: 1e300, min: 0 } }),
    'E_CKPT_RANGE',
  );
  t.equal(
    await read(['4.bin'], { shape: [4], dtype: 'int32', quantization: { dtype: 'uint8', scale: 1e8, min: 0 } }),
    'E_CKPT_RANGE',
  );
});

test(`${MUTATIONS} damaged models are read or refused, never anything else`, async (t) => {
  const net = everyLayer();
  const folder = t.testdir();
  const ours = join(folder, 'model.json');
  await writeTfjs(ours, asFile(drawParameters(net, 1)), net);
  const text = readFileSync(ours, 'utf8');
  const parsed: { modelTopology: object; weightsManifest: { paths: string[] }[] } = JSON.parse(text);
  const shard = join(folder, parsed.weightsManifest[0].paths[0]);
  const weights = readFileSync(shard);
  const random = seededRandom(1, 'mutations');
  const codes = new Map<string, number>();
  for (let i = 0; i < MUTATIONS; i++) {
    writeFileSync(
      ours,
      random.below(3) === 0 ? flipped(Buffer.from(text), random.below) : mutatedJson(text, random.below),
    );
    const isDamaged = random.below(20) === 0;
    if (isDamaged) writeFileSync(shard, flipped(weights, random.below).subarray(random.below(3) === 0 ? 1 : 0));
    const code = await readTfjs(ours).then(
      () => 'none',
      (error: unknown) => {
        if (error instanceof CheckpointError) return error.code;
        throw error;
      },
    );
    codes.set(code, (codes.get(code) ?? 0) + 1);
    if (isDamaged) writeFileSync(shard, weights);
  }
  t.ok((codes.get('none') ?? 0) > MUTATIONS / 100, 'some are still models');
  t.ok(codes.size >= 8, `the damage is told apart: ${[...codes].join(' ')}`);
});

/** One to three changed bits. */
function flipped(bytes: Buffer, below: (n: number) => number): Buffer {
  const result = Buffer.from(bytes);
  for (let changes = 1 + below(3); changes > 0; changes--) result[below(result.length)] ^= 1 << below(8);
  return result;
}

/** One or two values of the text put in place of others, or extreme ones: the text stays JSON. */
function mutatedJson(text: string, below: (n: number) => number): string {
  const tokens = text.split(/("(?:[^"\\]|\\.)*"|-?\d[\d.e+-]*|true|false|null)/);
  const extremes = [
    '0',
    '-1',
    '1e300',
    '9007199254740991',
    '4294967296',
    '1.5',
    'null',
    'true',
    '""',
    '[]',
    '{}',
    '"__proto__"',
    '"valid"',
    '[1,2]',
  ];
  for (let changes = 1 + below(2); changes > 0; changes--) {
    const at = 2 * below(tokens.length >> 1) + 1;
    const isKey = tokens[at + 1].startsWith(':');
    if (isKey) tokens[at] = '"x"';
    else tokens[at] = below(2) === 0 ? extremes[below(extremes.length)] : tokens[2 * below(tokens.length >> 1) + 1];
  }
  return tokens.join('');
}

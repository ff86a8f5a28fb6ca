/** Files of networks that pruning took units out of are read by the network's name. */
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { makeDigits } from '../../datasets/digits.js';
import { seededRandom } from '../../sdk/base/random.js';
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { convertCheckpoint } from '../../sdk/checkpoint/convert.js';
import { narrowedTo } from '../../sdk/checkpoint/narrowed.js';
import { fromArrays } from '../../sdk/dataset/dataset.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { initialParameters, type Network } from '../../sdk/nn/network.js';
import { buildNetwork, type NetworkName } from '../../sdk/nn/networks.js';
import { unitsOf, withUnits } from '../../sdk/nn/units.js';
import { finish } from '../../sdk/pruning/finish.js';
import { Model } from '../../sdk/train/model.js';
import { parametersAlone } from '../../sdk/train/snapshot.js';
import { floats } from './files.js';

const PRUNED: readonly NetworkName[] = ['lenet5', 'lenet300-100', 'lenet5-caffe'];

function checkpointOf(network: Network, parameters: Float32Array): Checkpoint {
  return parametersAlone(network, { parameters, slots: [], step: 0 }, 0);
}

/** Two files of one pruned network: with all parameters, and without dead units. */
async function pruned(t: Test, name: NetworkName): Promise<{ readonly dense: string; readonly compact: string }> {
  const { network } = buildNetwork(name);
  const random = seededRandom(1, 'narrowed', name);
  const values = Float32Array.from({ length: network.parameterCount }, () => random.normal() / 8);
  const mask = new Uint8Array(network.parameterCount);
  for (const { shape, offset, size } of network.parameters) {
    // Of each unit of a layer all weights go, or a few.
    const perUnit = size / shape[0];
    for (let unit = 0; unit < shape[0]; unit++) {
      const part = shape[0] > 10 || shape.length === 4 ? random.below(2) / 2 : 1;
      for (let i = 0; i < perUnit; i++) mask[offset + unit * perUnit + i] = Number(random.uniform() < part);
    }
  }
  const { values: baked, compact } = finish(network, values, mask);
  if (compact === undefined) throw new Error(`${name}: no unit is dead`);
  const [dense, small] = ['dense.ckpt', 'compact.ckpt'].map((file) => join(t.testdirName, name, file));
  await saveCheckpoint(dense, checkpointOf(network, baked));
  await saveCheckpoint(small, checkpointOf(compact.network, compact.values));
  return { dense, compact: small };
}

async function logits(name: NetworkName, path: string): Promise<Float32Array> {
  const { network, transforms } = buildNetwork(name);
  const checkpoint = await loadCheckpoint(path);
  const { train } = makeDigits({ train: 100, test: 0 });
  const data = fromArrays({ ...train, height: 28, width: 28, classes: 10, transforms });
  const model = new Model({ network: narrowedTo(network, checkpoint), engine: nativeEngine({ threads: 1 }) });
  model.load(checkpoint);
  return (await model.predict(data)).logits;
}

for (const name of PRUNED) {
  test(`${name} without its dead units says the same of every image`, async (t) => {
    t.testdir();
    const { dense, compact } = await pruned(t, name);
    const [before, after] = [await logits(name, dense), await logits(name, compact)];
    const largest = before.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const off = before.reduce((most, value, i) => Math.max(most, Math.abs(value - after[i])), 0);
    t.ok(off <= 1e-6 * largest, `off by ${off} of ${largest}`);

    for (const format of ['json', 'onnx', 'mtsp', 'caffemodel', 'safetensors']) {
      const to = join(t.testdirName, `a.${format}`);
      const { network: found } = await convertCheckpoint(compact, to);
      const writesNetwork = format === 'json' || format === 'onnx';
      t.equal(found?.name, writesNetwork ? buildNetwork(name).network.name : undefined);
      if (format === 'onnx') continue;
      t.same(await logits(name, to), after, `and as ${format}`);
    }
  });
}

/** Of LeNet-300-100, as the published network has them. */
const FEWER = new Map([
  ['ip1', 59],
  ['ip2', 35],
]);

test('units are taken from a file of the network’s own names alone, and where they are fewer', async (t) => {
  const { network } = buildNetwork('lenet300-100');
  const of = (units: Record<string, number>): Checkpoint => {
    const other = withUnits(network, new Map(Object.entries(units)));
    return checkpointOf(other, initialParameters(other, 1));
  };
  const small = narrowedTo(network, of({ ip1: 59, ip2: 35 }));
  t.same(
    [...unitsOf(small)],
    [
      ['ip1', 59],
      ['ip2', 35],
      ['ip3', 10],
    ],
  );
  t.equal(narrowedTo(network, of({})), network);
  t.equal(narrowedTo(network, of({ ip1: 301, ip2: 35 })), network, 'more units than it has');
  t.equal(narrowedTo(network, of({ ip3: 9 })), network, 'classes are no units');
  const { parameters } = of({ ip1: 59 });
  const less = new Map([...parameters].filter(([name]) => name !== 'ip2.bias'));
  t.equal(narrowedTo(network, { parameters: less }), network, 'a parameter is not there');
  t.equal(narrowedTo(network, { parameters: new Map([...parameters, ['ip1.weight', floats([0, 784])]]) }), network);
  t.equal(
    narrowedTo(network, {
      parameters: new Map([...parameters, ['ip1.weight', { shape: [59], data: new Float32Array(59) }]]),
    }),
    network,
  );
});

test('shapes that do not fit each other are refused, naming the one that does not', async (t) => {
  const { network } = buildNetwork('lenet300-100');
  const other = withUnits(network, FEWER);
  const { parameters } = checkpointOf(other, initialParameters(other, 1));
  const broken = {
    parameters: new Map([...parameters, ['ip2.weight', { shape: [35, 60], data: new Float32Array(2100) }]]),
    optimizer: new Map(),
    epoch: 0,
    step: 0,
  };
  const wrong = {
    code: 'E_CKPT_SHAPE',
    message: /: "ip2\.weight" has the shape \[35, 60\], and this network wants \[35, 59\]; was it/,
  };
  const model = new Model({ network: narrowedTo(network, broken) });
  t.throws(() => model.load(broken), wrong);
  const path = join(t.testdir(), 'a.ckpt');
  await saveCheckpoint(path, broken);
  await t.rejects(convertCheckpoint(path, join(t.testdirName, 'a.json'), { network: 'lenet300-100' }), wrong);
});

test('whoever cannot use such a file says who can', async (t) => {
  const { network } = buildNetwork('lenet300-100');
  const other = withUnits(network, FEWER);
  const checkpoint = checkpointOf(other, initialParameters(other, 1));
  const message =
    /these parameters fit --network lenet300-100 as pruning leaves it, ip1 59 of 300 units, ip2 35 of 100: inference and ckpt take such a file, training and pruning the pruned\.ckpt beside it$/;
  for (const name of ['lenet300-100', 'lenet5'] as const) {
    t.throws(() => new Model(buildNetwork(name)).load(checkpoint), { message });
  }
});

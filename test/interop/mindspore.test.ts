/** MindSpore reads what we write, and we read what it writes. Needs MindSpore 2.4 or later in a Python. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { t as tap, test } from 'tap';
import { type Checkpoint, loadCheckpoint, saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { buildNetwork } from '../../sdk/nn/networks.js';
import { floats } from '../checkpoint/files.js';
import { asInput, classesOf, drawImages, drawParameters, predictions } from '../checkpoint/networks.js';
import { relativeDifference } from '../engine/closeness.js';

const python = process.env['MINDTS_TEST_PYTHON'] ?? 'python3';
const script = join(import.meta.dirname, 'mindspore_ckpt.py');
const hasMindSpore =
  spawnSync(python, ['-c', 'import importlib.util as u; exit(u.find_spec("mindspore") is None)']).status === 0;
const skip = hasMindSpore ? false : `${python} has no MindSpore; set MINDTS_TEST_PYTHON to one that has`;
const run = (...args: string[]): string =>
  execFileSync(python, [script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });

// MindSpore's convolution on CPUs takes minutes for 1000 images.
tap.setTimeout(1_200_000);

const range = (...shape: number[]): ReturnType<typeof floats> =>
  floats(shape, ...Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i / 8));
const parameters = new Map([
  ['conv1.weight', range(2, 1, 3, 3)],
  ['conv1.bias', range(2)],
  ['fc.weight', range(2, 3)],
  ['fc.bias', range(2)],
]);
const checkpoint: Checkpoint = {
  parameters,
  optimizer: new Map([
    ...Array.from(parameters, ([name, { shape }]) => [`moments.${name}`, range(...shape)] as const),
    ['learning_rate', floats([], 0.5)],
    ['momentum', floats([], 0.75)],
  ]),
  epoch: 2,
  step: 99,
  state: { note: '日本 😀' },
};

test('MindSpore loads our files into a network and its optimizer', { skip }, async (t) => {
  const folder = t.testdir();
  const paths = ['a.ckpt', 'a.safetensors'].map((name) => join(folder, name));
  for (const path of paths) await saveCheckpoint(path, checkpoint);
  const results: { entries: Record<string, unknown>; missing: string[] }[] = JSON.parse(run('read', ...paths));
  for (const [i, { entries, missing }] of results.entries()) {
    t.same(missing, ['global_step'], 'the one thing a MindSpore optimizer has and we do not');
    for (const [name, { shape, data }] of [...checkpoint.parameters, ...checkpoint.optimizer]) {
      t.same(entries[name], { type: 'Float32', shape, data: [...data] }, name);
    }
    t.same(entries['epoch_num'], { type: 'Int64', shape: [], data: [2] });
    t.same(entries['step_num'], { type: 'Int64', shape: [], data: [99] });
    if (i === 0) t.equal(entries['mindts.state'], '{"note":"日本 😀"}', 'the text of a .ckpt');
  }
});

test('we load what MindSpore saves, in both formats, with and without its checksum', { skip }, async (t) => {
  const folder = t.testdir();
  run('write', folder);
  for (const name of ['momentum.ckpt', 'crc.ckpt', 'momentum.safetensors']) {
    const loaded = await loadCheckpoint(join(folder, name));
    t.same(loaded.parameters.get('fc.bias'), floats([2], 0, 0.25));
    t.same(loaded.optimizer.get('moments.conv1.weight')?.data.subarray(0, 2), Float32Array.of(100, 100.25));
    t.same([loaded.epoch, loaded.step], [3, 77]);
  }
});

test('MindSpore predicts as we do with the LeNets that we write, and we with those that it writes', {
  skip,
}, async (t) => {
  const folder = t.testdir();
  const count = 1000;
  const names = ['lenet5-caffe', 'lenet-keras'] as const;
  for (const name of names) {
    const { network } = buildNetwork(name);
    const ours = { parameters: drawParameters(network, 1), optimizer: new Map(), epoch: 1, step: 2 };
    await saveCheckpoint(join(folder, `${name}.ckpt`), ours);
    // One channel: rows and columns lie alike in both orders.
    writeFileSync(join(folder, `${name}.in`), new Uint8Array(asInput(drawImages(network, count, 2)).buffer));
  }
  execFileSync(python, [join(import.meta.dirname, 'mindspore_lenet.py'), folder], { stdio: 'ignore' });
  for (const name of names) {
    const { network } = buildNetwork(name);
    for (const file of [name, `${name}-theirs`]) {
      const { parameters } = await loadCheckpoint(join(folder, `${file}.ckpt`));
      const images = drawImages(network, count, 2);
      const ours = await predictions(network, parameters, { images, engine: nativeEngine({ threads: 2 }) });
      const theirs = new Float32Array(new Uint8Array(readFileSync(join(folder, `${file}.out`))).buffer);
      const difference = relativeDifference(ours, theirs);
      t.ok(difference < 1e-5, `${file}: ${difference}`);
      t.same(classesOf(ours, 10), classesOf(theirs, 10), `${file}: the same classes`);
    }
  }
});

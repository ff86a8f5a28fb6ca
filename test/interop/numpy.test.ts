/**
 * The seed's files beside a real numpy, and its roles played by Python (seed_roles.py), each beside ours. Needs numpy in a Python;
 * MINDTS_TEST_PYTHON may name several, with commas between.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { buildNetwork } from '../../sdk/nn/networks.js';
import { encodeMaskedModel } from '../../sdk/pruning/compat/model.js';
import { decodeAnswer, decodeNpy, encodeAnswer, encodeNpy } from '../../sdk/pruning/compat/npy.js';
import { fullMask, prunedLayers } from '../../sdk/pruning/pruned-layers.js';
import { snapshotOf } from '../../sdk/pruning/surgery.js';
import { Model } from '../../sdk/train/model.js';
import { type Running, start } from '../cli/command.js';
import { prepareRoot } from '../cli/prune-cluster.js';

const [python, ...more] = (process.env['MINDTS_TEST_PYTHON'] ?? 'python3').split(',').filter(hasNumpy);
const skip = python === undefined ? 'no numpy here; set MINDTS_TEST_PYTHON to a Python that has it' : false;
const root = tap.testdir();

function hasNumpy(name: string): boolean {
  return spawnSync(name, ['-c', 'import numpy']).status === 0;
}

const NUMPY = `
from __future__ import print_function
import numpy as np
answer, vector, number = [np.load(name + '.npy', allow_pickle=True) for name in ('ours', 'vector', 'number')]
assert answer.shape == (2,) and (answer[0] == vector).all()
print(answer[0].dtype, type(answer[1]).__name__, answer[1], number.dtype, number.shape)
for name, kind in (('float', float), ('scalar', np.float64)):
    both = np.empty(2, dtype=object)
    both[0], both[1] = vector, kind(0.1)
    np.save(name + '.npy', both)
np.save('again.npy', vector)
np.save('zero.npy', np.float32(0.5))
`;

test('numpy reads what we write, and we read what it writes', { skip }, async (t) => {
  for (const one of [python, ...more]) {
    const folder = t.testdir();
    const vector = [0.001, 2.5, 9.9999, -1, 1e-300];
    writeFileSync(join(folder, 'ours.npy'), encodeAnswer({ vector, fitness: 0.1 }));
    writeFileSync(join(folder, 'vector.npy'), encodeNpy(Float64Array.from(vector), [vector.length]));
    writeFileSync(join(folder, 'number.npy'), encodeNpy(Float32Array.of(0.5), []));
    const told = execFileSync(one, ['-c', NUMPY], { cwd: folder, encoding: 'utf8' });
    t.equal(told, 'float64 float 0.1 float32 ()\n', one);
    for (const name of ['float.npy', 'scalar.npy']) {
      t.same(decodeAnswer(readFileSync(join(folder, name)), name), { vector, fitness: 0.1 }, `${one}, ${name}`);
    }
    t.same(decodeNpy(readFileSync(join(folder, 'again.npy')), 'again.npy'), vector);
    t.same(decodeNpy(readFileSync(join(folder, 'zero.npy')), 'zero.npy'), [0.5]);
  }
});

const HOW = [
  '--iterations=60',
  '--prune_stop=40',
  '--search_every=20',
  '--search_budget=40',
  '--search_images=100',
  '--delta=1',
  '--gamma=0',
  '--rate_max=2',
  '--learning_rate=0.01',
  '--retrain_learning_rate=0.01',
];

function workOf(t: Test): string {
  return join(root, `work-${t.name.replace(/\W/g, '')}`);
}

/** A role of ours, or one of Python's. */
function play(t: Test, role: 'main' | 'trainer' | 'search' | 'evaluator', by: 'ours' | 'python'): Running {
  const work = workOf(t);
  const stage = join(`${work}-${role}`);
  for (const folder of [work, stage]) mkdirSync(folder, { recursive: true });
  const data = ['--data_url', join(root, 'digits'), '--threads', '1'];
  const dense = ['--network', 'lenet300-100', '--ckpt_url', join(root, 'dense.ckpt')];
  const own = { main: dense, trainer: [...data, ...dense, '--train_url', `${work}-out`], search: [], evaluator: data }[
    role
  ];
  const running =
    by === 'ours'
      ? start([`prune_${role}`, '--compat_files', '--patience', '20', '--work_url', work, ...own, ...HOW], {
          cache: join(root, 'cache'),
        })
      : start([role, work, join(root, 'masked.caffemodel')], {
          cache: join(root, 'cache'),
          program: python,
          file: join(packageRoot, 'test', 'interop', 'seed_roles.py'),
          env: { ...process.env, STAGE: stage },
        });
  t.teardown(() => running.child.kill('SIGKILL'));
  return running;
}

/** Of all that end: that they end well; what they say. */
async function allEnd(t: Test, roles: Readonly<Record<string, Running>>): Promise<Readonly<Record<string, string>>> {
  const said = Object.entries(roles).map(async ([role, { ended }]): Promise<[string, string]> => {
    const { code, stdout, stderr } = await ended;
    t.equal(code, 0, `${role}: ${stderr}`);
    return [role, stdout + stderr];
  });
  return Object.fromEntries(await Promise.all(said));
}

tap.before(async () => {
  if (skip) return;
  await prepareRoot(root);
  const { network } = buildNetwork('lenet300-100');
  const { parameters } = new Model({ network, engine: nativeEngine({ threads: 1 }), seed: 1 }).state;
  const snapshot = snapshotOf(parameters, fullMask(parameters.length), prunedLayers(network));
  writeFileSync(join(root, 'masked.caffemodel'), encodeMaskedModel(network, snapshot));
});

test('our main and trainer work with Python’s search and evaluator', { skip }, async (t) => {
  const main = play(t, 'main', 'ours');
  play(t, 'evaluator', 'python');
  const said = await allEnd(t, { main, trainer: play(t, 'trainer', 'ours'), search: play(t, 'search', 'python') });
  t.match(said['main'], '60 of 60 iterations');
  t.match(said['trainer'], /round 0: [\d.]+× with[\s\S]*round 1: [\d.]+× with/);
  t.match(said['search'], 'search: 2 rounds');
});

test('our search and evaluator work with Python’s main and trainer', { skip }, async (t) => {
  const trainer = play(t, 'trainer', 'python');
  const main = play(t, 'main', 'python');
  const evaluator = play(t, 'evaluator', 'ours');
  const said = await allEnd(t, { main, trainer, search: play(t, 'search', 'ours'), evaluator });
  t.match(said['main'], 'main: 42');
  t.match(said['trainer'], /^trainer: \[\[[\d.]+, -1\.0, [\d.]+\], \[[\d.]+, -1\.0, [\d.]+\]\]/, 'ip2 takes no part');
  t.match(said['evaluator'], /[1-9]\d* candidates were evaluated here/);
});

test('our search asks Python’s evaluator, whose surgery keeps what ours does', { skip }, async (t) => {
  const main = play(t, 'main', 'ours');
  play(t, 'evaluator', 'python');
  const said = await allEnd(t, { main, trainer: play(t, 'trainer', 'ours'), search: play(t, 'search', 'ours') });
  for (const round of [0, 1]) {
    // Python's best fitness, and what the trainer makes of the same rates.
    const best = [...said['search'].matchAll(new RegExp(`round ${round}, generation \\d+: best ([\\d.]+×)`, 'g'))].at(
      -1,
    );
    const made = new RegExp(`round ${round}: ([\\d.]+×) with`).exec(said['trainer']);
    t.ok(made, said['trainer']);
    t.equal(best?.[1], made?.[1], `round ${round}`);
  }
});

test('our evaluator answers Python’s search', { skip }, async (t) => {
  const roles = {
    main: play(t, 'main', 'ours'),
    evaluator: play(t, 'evaluator', 'ours'),
    search: play(t, 'search', 'python'),
  };
  const said = await allEnd(t, { ...roles, trainer: play(t, 'trainer', 'ours') });
  t.match(said['search'], 'search: 2 rounds');
  t.match(said['evaluator'], '42 candidates were evaluated here', 'each once');
  t.match(said['trainer'], /round 1: [\d.]+× with/);
  t.notMatch(readdirSync(workOf(t)).join(' '), /solution/);
});

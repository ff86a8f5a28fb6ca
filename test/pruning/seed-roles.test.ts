import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import tap, { type Test, test } from 'tap';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { alone } from '../../sdk/pruning/alone.js';
import { seedEvaluator } from '../../sdk/pruning/compat/evaluator.js';
import { answerFile, SEED_FILES, type SeedFolder, seedFolder } from '../../sdk/pruning/compat/folder.js';
import { seedMain } from '../../sdk/pruning/compat/main.js';
import { decodeMaskedModel, encodeMaskedModel } from '../../sdk/pruning/compat/model.js';
import { decodeNpy, encodeAnswer, encodeNpy } from '../../sdk/pruning/compat/npy.js';
import { seedSearch } from '../../sdk/pruning/compat/search.js';
import { seedTrainer } from '../../sdk/pruning/compat/trainer.js';
import { until } from '../../sdk/pruning/farm/pace.js';
import { identityOf } from '../../sdk/pruning/identity.js';
import { type Pruned, prune } from '../../sdk/pruning/prune.js';
import { fullMask, prunedLayers } from '../../sdk/pruning/pruned-layers.js';
import { snapshotOf } from '../../sdk/pruning/surgery.js';
import type { TrainerOptions } from '../../sdk/pruning/trainer.js';
import { quickSettings, smallNetwork, trained } from './trained.js';

const small = await trained();
const engine = nativeEngine({ threads: 1 });
const layers = prunedLayers(small.network).map(({ name }) => name);
/** All candidates meet the constraint, all layers take part: then the seed's files say all that there is to say. */
const settings = await quickSettings({
  schedule: 'olmp',
  masked: 'learn',
  delta: 1,
  gamma: 0,
  rate_min: 1e-4,
  rate_max: 2,
  learning_rate: 0.01,
  retrain_learning_rate: 0.01,
});
const options: TrainerOptions = { ...small, engine, settings };
let expected: Pruned;

tap.before(async () => {
  const surroundings = await alone({ folder: tap.testdir() });
  expected = await prune(options, { surroundings, identity: identityOf(options) });
  await surroundings.close();
});

/** A folder whose roles wait for two seconds at most. */
function workFolder(t: Test, patienceMs = 20_000): Promise<SeedFolder> {
  return seedFolder(join(t.testdir(), 'work'), { patienceMs });
}

/** Runs a trainer to its end, and says what it has made. */
async function trainerOf(folder: SeedFolder, how: Partial<TrainerOptions> = {}, signal?: AbortSignal): Promise<Pruned> {
  let made: Pruned | undefined;
  const finish = async (pruned: Pruned): Promise<void> => void (made = pruned);
  await seedTrainer(folder, { ...options, ...how }, { signal, finish });
  if (made === undefined) throw new Error('it made nothing');
  return made;
}

/** Waits for a file, as a role written by hand does. */
function appears(folder: SeedFolder, name: string): Promise<Buffer> {
  return until(() => folder.read(name), { pace: folder.pace, what: name });
}

function sameBits(t: Test, made: Pruned): void {
  t.same(made.mask, expected.mask, 'the same mask');
  t.same(made.values, expected.values, 'the same parameters');
  t.ok(expected.rounds.found > 2, 'there was something to find');
  t.ok(expected.mask.includes(0), 'something was pruned');
}

test('by the seed’s files, too, four roles come to what one machine comes to, and all end', async (t) => {
  const folder = await workFolder(t);
  const [done, made, rounds, first, second] = await Promise.all([
    seedMain(folder, settings),
    trainerOf(folder),
    seedSearch(folder, { layers, settings }).catch((error: unknown) => String(error)),
    seedEvaluator(folder, { ...options }),
    seedEvaluator(folder, { ...options }),
  ]);
  t.equal(done, settings.iterations);
  sameBits(t, made);
  t.match(String(rounds), /^4$|the run there is over/, 'the search has heard the end, from the trainer or from main');
  t.ok(first + second >= 4 * 25, 'the evaluators have shared the candidates');
  t.notMatch(readdirSync(folder.url).join(' '), /solution|over|crates/, 'what was read is gone');
});

test('a trainer that is stopped while the search is at work goes on from its last turn', async (t) => {
  const folder = await workFolder(t);
  const controller = new AbortController();
  const others = Promise.all([
    seedMain(folder, settings),
    seedSearch(folder, { layers, settings }).catch(String),
    seedEvaluator(folder, { ...options }),
  ]);
  const killed = trainerOf(folder, {}, controller.signal);
  await appears(folder, SEED_FILES.state);
  await appears(folder, SEED_FILES.start);
  controller.abort(new Error('enough'));
  await t.rejects(killed);
  const made = await trainerOf(folder);
  await others;
  t.same(made.moments[0], expected.moments[0], 'the first turn is not repeated');
  t.same(
    made.moments.map(({ iteration }) => iteration),
    expected.moments.map(({ iteration }) => iteration),
  );
  t.equal(made.rounds.searched, expected.rounds.searched);
});

test('a trainer does not believe a search whose rates miss the constraint', async (t) => {
  const folder = await workFolder(t);
  const strict = { ...settings, delta: 0.01, iterations: 10, prune_stop: 10 };
  const search = (async () => {
    await appears(folder, SEED_FILES.start);
    t.equal(String(await folder.read(SEED_FILES.start)), "[[0.001, 0.001],['fc1', 'fc2']]");
    t.equal(decodeNpy((await folder.read(SEED_FILES.accuracy)) ?? Buffer.of(), 'accuracy').length, 1);
    t.equal(decodeNpy((await folder.read(SEED_FILES.images)) ?? Buffer.of(), 'data').length, 40 * 28 * 28);
    await folder.write(SEED_FILES.rates, encodeNpy(Float64Array.of(9, 9), [2]));
    await folder.write(SEED_FILES.over, Buffer.from('complete!'));
  })();
  const [made] = await Promise.all([trainerOf(folder, { settings: strict }), seedMain(folder, strict), search]);
  t.equal(made.rounds.found, 0);
  t.notOk(made.mask.includes(0), 'nothing is pruned');
});

test('the search takes answers by their numbers, in any order, and leaves those alone that are not to its questions', async (t) => {
  const folder = await workFolder(t);
  const foreign = encodeAnswer({ vector: [1, 1], fitness: 0.0001 });
  await folder.write('fit_solution_123456789.npy', foreign);
  await folder.write('fit_else.npy', Buffer.from('nothing of ours'));
  await folder.write(SEED_FILES.start, Buffer.from("[[0.5, 0.5],['fc1', 'fc2']]"));
  const searching = seedSearch(folder, { layers, settings });
  const asked: (readonly number[])[] = [];
  const fitnessOf = (vector: readonly number[]): number => Math.min(1, vector.reduce((sum, rate) => sum + rate, 0) / 8);
  while (!(await folder.has(SEED_FILES.over))) {
    const names = (await folder.list('')).filter((name) => name.startsWith('solution'));
    for (const name of names.toReversed()) {
      const bytes = await folder.read(name);
      if (bytes === undefined) continue;
      const vector = decodeNpy(bytes, name);
      await folder.remove(name);
      if (asked.length === 0) await folder.write(`fit_${name}`, encodeAnswer({ vector: [7, 7], fitness: 0 }));
      asked.push(vector);
      await folder.write(`fit_${name}`, encodeAnswer({ vector, fitness: fitnessOf(vector) }));
    }
  }
  const rates = decodeNpy((await folder.read(SEED_FILES.rates)) ?? Buffer.of(), 'rates');
  t.equal(fitnessOf(rates), Math.min(...asked.map(fitnessOf)), 'the best of those that were asked');
  t.same(await folder.read('fit_solution_123456789.npy'), foreign);
  t.ok(await folder.has('fit_else.npy'));
  await folder.write(SEED_FILES.start, Buffer.from('exit'));
  t.equal(await searching, 1);
});

test('candidates that were taken and are never answered are asked again', async (t) => {
  const folder = await workFolder(t, 3000);
  await folder.write(SEED_FILES.start, Buffer.from("[[0.5, 0.5],['fc1', 'fc2']]"));
  const searching = seedSearch(folder, { layers, settings });
  const stolen = new Set<string>();
  while (!(await folder.has(SEED_FILES.over))) {
    for (const name of (await folder.list('')).filter((one) => one.startsWith('solution'))) {
      const bytes = await folder.read(name);
      if (bytes === undefined) continue;
      const isFirst = stolen.size === 0;
      if (isFirst) stolen.add(name);
      await folder.remove(name);
      const answer = encodeAnswer({ vector: decodeNpy(bytes, name), fitness: 0.5 });
      if (!isFirst) await folder.write(`fit_${name}`, answer);
    }
  }
  t.equal(stolen.size, 1);
  await folder.write(SEED_FILES.start, Buffer.from('exit'));
  t.equal(await searching, 1);
});

test('where nothing meets the constraint, the search says of every layer that it stays as it is', async (t) => {
  const folder = await workFolder(t);
  await folder.write(SEED_FILES.start, Buffer.from("[[0.5],['fc2']]"));
  const searching = seedSearch(folder, { layers, settings });
  while (!(await folder.has(SEED_FILES.over))) {
    for (const name of (await folder.list('')).filter((one) => one.startsWith('solution'))) {
      const bytes = await folder.read(name);
      if (bytes === undefined) continue;
      const vector = decodeNpy(bytes, name);
      t.equal(vector[0], -1, 'a layer that takes no part stays as it is');
      await folder.remove(name);
      await folder.write(`fit_${name}`, encodeAnswer({ vector, fitness: 1.1 }));
    }
  }
  t.same(decodeNpy((await folder.read(SEED_FILES.rates)) ?? Buffer.of(), 'rates'), [-1, -1]);
  await folder.write(SEED_FILES.start, Buffer.from('exit'));
  await searching;
});

test('a fitness that is no part of the parameters counts as a missed constraint, and the search goes on', async (t) => {
  const folder = await workFolder(t);
  await folder.write(SEED_FILES.start, Buffer.from("[[0.5, 0.5],['fc1', 'fc2']]"));
  const searching = seedSearch(folder, { layers, settings });
  const none = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -5];
  let asked = 0;
  let good: readonly number[] = [];
  while (!(await folder.has(SEED_FILES.over))) {
    for (const name of (await folder.list('')).filter((one) => one.startsWith('solution'))) {
      const bytes = await folder.read(name);
      if (bytes === undefined) continue;
      const vector = decodeNpy(bytes, name);
      await folder.remove(name);
      const isGood = ++asked === 7;
      if (isGood) good = vector;
      await folder.write(`fit_${name}`, encodeAnswer({ vector, fitness: isGood ? 0.5 : none[asked % none.length] }));
    }
  }
  t.same(decodeNpy((await folder.read(SEED_FILES.rates)) ?? Buffer.of(), 'rates'), good);
  await folder.write(SEED_FILES.start, Buffer.from('exit'));
  t.equal(await searching, 1);
});

test('an evaluator refuses an accuracy that is none', async (t) => {
  const folder = await workFolder(t, 0);
  for (const numbers of [[], [Number.NaN], [0.9, 0.9], [97.7]]) {
    await folder.write(SEED_FILES.accuracy, encodeNpy(Float64Array.from(numbers), [numbers.length]));
    await folder.write('solution_1.npy', encodeNpy(Float64Array.of(1, 2), [2]));
    const told = { code: 'E_NPY_FORMAT', message: 'accuracy.npy' };
    await t.rejects(seedEvaluator(folder, { ...options }), told, `[${numbers}]`);
  }
});

test('a role that is not answered says which file of whose it has waited for', async (t) => {
  const folder = await workFolder(t, 30);
  const silent = (name: string) => ({ code: 'E_FARM_SILENT', message: name });
  await t.rejects(seedMain(folder, settings), silent('report.txt from the trainer'));
  await folder.clear();
  await t.rejects(trainerOf(folder), silent('new_itr.txt from the main'));
  await t.rejects(seedSearch(folder, { layers, settings }), silent('ncs_start.txt from the trainer'));
  await t.rejects(seedEvaluator(folder, { ...options }), silent('candidates'));
  await folder.write(SEED_FILES.turn, Buffer.from('1001'));
  await t.rejects(trainerOf(folder), silent('ncs_over.txt from the search'));
  await t.rejects(seedSearch(folder, { layers, settings }), silent('answers of the evaluators'));
  await folder.remove(SEED_FILES.accuracy);
  await t.rejects(seedEvaluator(folder, { ...options }), silent('accuracy.npy from the trainer'));
});

test('a file that is half there is waited for; one that stays so is named', async (t) => {
  const whole = encodeNpy(Float64Array.of(1, 2), [2]);
  const patient = await workFolder(t);
  await patient.write('solution_1.npy', whole.subarray(0, 100));
  t.equal(await patient.look('solution_1.npy', decodeNpy), undefined);
  await patient.write('solution_1.npy', whole);
  t.same(await patient.look('solution_1.npy', decodeNpy), [1, 2]);
  const hasty = await seedFolder(patient.url, { patienceMs: 0 });
  await hasty.write(SEED_FILES.report, Buffer.from(''));
  await t.rejects(seedMain({ ...hasty, clear: async () => {} }, settings), {
    code: 'E_SEED_TEXT',
    message: 'report.txt',
  });
  await hasty.write('solution_1.npy', whole.subarray(0, 100));
  await t.rejects(seedEvaluator(hasty, { ...options }), { code: 'E_NPY_TRUNCATED', message: 'solution_1.npy' });
});

test('nothing in a file is evaluated', async (t) => {
  const folder = await workFolder(t, 0);
  const proof = join(t.testdirName, 'proof');
  await folder.write(SEED_FILES.start, Buffer.from(`__import__('os').system('touch ${proof}')`));
  await t.rejects(seedSearch(folder, { layers, settings }), { code: 'E_SEED_TEXT', message: 'ncs_start.txt' });
  t.notOk(existsSync(proof));
});

test('files of another network are refused', async (t) => {
  const folder = await workFolder(t, 0);
  await folder.write(SEED_FILES.start, Buffer.from("[[0.001, 0.001],['ip1', 'ip2']]"));
  await t.rejects(seedSearch(folder, { layers, settings }), { code: 'E_SETTINGS', message: '"ip1"' });
  await folder.write(SEED_FILES.accuracy, encodeNpy(Float64Array.of(0.9), []));
  await folder.write(SEED_FILES.model, Buffer.from([0x0a, 0]));
  await folder.write('solution_1.npy', encodeNpy(Float64Array.of(1, 2), [2]));
  await t.rejects(seedEvaluator(folder, { ...options }), { code: 'E_CKPT_NETWORK', message: 'no layer fc1' });
  const snapshot = snapshotOf(small.parameters, fullMask(small.parameters.length), prunedLayers(small.network));
  await folder.write(SEED_FILES.model, encodeMaskedModel(small.network, snapshot));
  await folder.write('solution_2.npy', encodeNpy(Float64Array.of(1, 2, 3), [3]));
  await t.rejects(seedEvaluator(folder, { ...options }), { code: 'E_SETTINGS', message: '3 rates' });
});

test('a model keeps its masks and statistics, and bits that carry a rate are bits', async (t) => {
  const network = smallNetwork();
  const mask = fullMask(small.parameters.length).fill(0, 3, 500);
  const snapshot = snapshotOf(small.parameters, mask, prunedLayers(network));
  const bytes = encodeMaskedModel(network, snapshot);
  t.same(decodeMaskedModel(bytes, network, 'a'), { values: small.parameters, mask, statistics: snapshot.statistics });
  // As Caffe saves between two iterations: 1 + c for 1, −c for 0, in a layer's first bit.
  const laden = Buffer.from(bytes);
  const one = laden.indexOf(Buffer.from(Float32Array.of(1, 1, 1, 0, 0).buffer));
  t.ok(one > 0, 'the mask of fc1 is found');
  laden.writeFloatLE(1.001, one);
  laden.writeFloatLE(-0.001, one + 12);
  t.same(decodeMaskedModel(laden, network, 'a').mask, mask);
});

test('the seed’s roles know one schedule, no rates below 0 and no caps', async (t) => {
  const folder = await workFolder(t, 0);
  for (const [choice, said] of [
    [{ schedule: 'gradual' as const }, '--schedule olmp'],
    [{ rate_min: -1 }, '--rate_min'],
    [{ caps: { fc1: 0.5 } }, '--caps'],
  ] as const) {
    const other = { ...settings, ...choice };
    await t.rejects(seedSearch(folder, { layers, settings: other }), { code: 'E_SETTINGS', message: said });
  }
});

test('main removes what an earlier run left, and nothing else', async (t) => {
  const folder = await workFolder(t, 0);
  for (const name of [
    'exit.txt',
    'solution_5.npy',
    'taken_0123456789ab_solution_6.npy',
    'thesis.txt',
    'solution.npy',
  ]) {
    await folder.write(name, Buffer.from('x'));
  }
  await folder.write(answerFile(5), Buffer.from('x'));
  await folder.clear();
  t.same(readdirSync(folder.url), ['solution.npy', 'thesis.txt']);
});

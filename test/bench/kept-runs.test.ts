import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { findInputs, type Inputs } from '../../bench/pruning/inputs.js';
import { keepRun, readOutcome } from '../../bench/pruning/kept.js';
import { runOnce } from '../../bench/pruning/runs.js';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { packageRoot } from '../../sdk/base/package.js';
import { type Ended, run } from '../cli/command.js';

const root = tap.testdir();
const flags = ['--iterations', '200', '--search_every', '50', '--search_budget', '20', '--search_images', '100'];
const one = { network: 'lenet300-100', flags: [...flags, '--target_ratio', '5', '--threads', '1'] } as const;
let inputs: Inputs;

tap.before(async () => {
  process.env['MINDTS_CACHE'] = join(root, 'cache');
  const [data, folder] = [join(root, 'data'), join(root, 'folder')];
  await writeDigits(join(root, 'digits'), { train: 1000, test: 200 });
  for (const name of [data, folder]) await mkdir(name);
  await makeZip(join(root, 'digits'), join(data, 'MNISTData.zip'));
  inputs = await findInputs(folder, data);
});

test('where a published network is missing it is trained, and no target that speaks of it is judged', async (t) => {
  t.equal(inputs.isPublished, false);
  t.equal(inputs.zip, 'MNISTData.zip');
  t.equal(await inputs.checkpointOf('lenet300-100'), 'lenet300-100.ckpt');
});

test('a full run is kept with its log, its report and its curves, which name no place of this machine', async (t) => {
  const results = join(root, 'results');
  for (const seed of [2, 1]) await keepRun(await runOnce(one, { inputs, seed }), results);
  t.same(readdirSync(results), ['README.md', 'lenet300-100-5-seed1', 'lenet300-100-5-seed2']);
  const kept = join(results, 'lenet300-100-5-seed1');
  t.same(readdirSync(kept), ['curves.svg', 'log.txt', 'prune.json']);
  for (const name of readdirSync(kept)) {
    const content = readFileSync(join(kept, name), 'utf8');
    for (const place of [root, packageRoot, process.execPath]) t.notOk(content.includes(place), `${name}: ${place}`);
  }
  const log = readFileSync(join(kept, 'log.txt'), 'utf8');
  t.match(log, /^mindts prune --network lenet300-100 --data_url MNISTData\.zip --ckpt_url lenet300-100\.ckpt /);
  t.match(log, /round 1: .*\n[^]*accuracy +\d+\.\d\d % on the test set/);

  const [a, b] = await Promise.all([1, 2].map((seed) => readOutcome(join(results, `lenet300-100-5-seed${seed}`))));
  const readme = readFileSync(join(results, 'README.md'), 'utf8');
  const rows = readme.split('\n').filter((line) => line.startsWith('| lenet300-100'));
  t.equal(rows.length, 3, readme);
  const middle = (50 * (a.accuracy + b.accuracy)).toFixed(2);
  t.match(rows[0], `| lenet300-100, target 5, 2 seeds | ${((a.ratio + b.ratio) / 2).toFixed(1)} ± `);
  t.match(rows[0], ` | ${middle} ± `);
  t.match(
    rows[1],
    `| lenet300-100-5-seed1 | ${a.kept} | ${a.ratio.toFixed(1)}× | ${(100 * a.accuracy).toFixed(2)} % |`,
  );
  t.match(rows[2], '| lenet300-100-5-seed2 |');
});

test('a report that is none is named', async (t) => {
  const results = join(root, 'damaged');
  const run = join(results, 'lenet300-100-5-seed9');
  await mkdir(run, { recursive: true });
  await writeFile(join(run, 'prune.json'), '{"network":"lenet300-100"}');
  await t.rejects(readOutcome(run), /lenet300-100-5-seed9.prune\.json: is not what mindts prune writes: .*ratio/s);
  await rm(results, { recursive: true });
});

test('a run that fails is an error with what it said last', async (t) => {
  const wrong = { ...one, flags: ['--rates', '11'] };
  await t.rejects(runOnce(wrong, { inputs, seed: 1 }), /exit code \d: mindts: --rates: 11 is out of bounds/);
});

/** A benchmark as a person would start it. */
function bench(file: string, ...args: readonly string[]): Promise<Ended> {
  return run(args, { cache: join(root, 'cache'), file: join(packageRoot, 'dist', 'bench', 'pruning', file) });
}

test('bench:prune and bench:searches refuse what they cannot do, in one line', async (t) => {
  const figure = await bench('main.js', '--only', 'lenet300,speed');
  t.equal(figure.code, 2);
  t.match(figure.stderr, /--only speed: no such figure; there are candidates_dense, .*lenet5_350\n$/);
  const budget = await bench('searches.js', '--budgets', '160,many');
  t.equal(budget.code, 2);
  t.match(budget.stderr, /--budgets 160,many: whole numbers from 10, with commas between\n$/);
});

test('bench:searches prints what every search found, or tables', async (t) => {
  const quick = ['--quick', '--seeds', '2', '--budgets', '20,40'];
  const tables = await bench('searches.js', ...quick);
  t.equal(tables.code, 0, tables.stderr);
  t.equal(tables.stdout.match(/^\| Rastrigin.* \| (20|40) \| /gm)?.length, 4, tables.stdout);
  const found = JSON.parse((await bench('searches.js', ...quick, '--json')).stdout);
  t.same(
    found.map(({ budget }: { budget: number }) => budget),
    [20, 40, 20, 40],
  );
  t.equal(found[0].found['cma-es'].length, 2);
});

import { existsSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { parse } from 'yaml';
import { writeDigits } from '../../datasets/digits.js';
import { packageRoot } from '../../sdk/base/package.js';
import { loadCheckpoint, saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { mnist } from '../../sdk/dataset/mnist.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { buildNetwork, type NetworkName } from '../../sdk/nn/networks.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { Model } from '../../sdk/train/model.js';
import { run, start } from './command.js';

const QUICK = [
  '--iterations',
  '200',
  '--search_every',
  '20',
  '--search_budget',
  '40',
  '--search_images',
  '100',
  '--threads',
  '1',
  '--retrain_learning_rate',
  '0.02',
];
const root = tap.testdir();

/** Trains a network on the digits, and saves it. */
async function learn(name: NetworkName): Promise<void> {
  const { network, transforms } = buildNetwork(name);
  const data = await mnist(join(root, 'digits'), { split: 'train', classes: 10, transforms });
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 });
  const model = new Model({ network, optimizer, engine: nativeEngine({ threads: 1 }), seed: 1 });
  await model.train(data, { epochs: 3, batchSize: 32 });
  await saveCheckpoint(join(root, `${name}.ckpt`), model.checkpoint());
}

function flags(out: string, network: NetworkName = 'lenet300-100'): readonly string[] {
  const where = ['--data_url', join(root, 'digits'), '--train_url', join(root, out)];
  return ['prune', '--network', network, '--ckpt_url', join(root, `${network}.ckpt`), ...where, ...QUICK];
}

tap.before(async () => {
  await writeDigits(join(root, 'digits'), { train: 1500, test: 300 });
  for (const name of ['lenet300-100', 'lenet5-caffe'] as const) await learn(name);
});

test('prune: from a checkpoint to a sparse file that inference reads, with a report that says how it went', async (t) => {
  const options = { cache: join(root, 'cache-whole') };
  const { code, stdout, stderr } = await run(
    [...flags('whole'), '--target_ratio', '20', '--learning_rate', '0.02', '--delta', '0.2'],
    options,
  );
  t.equal(code, 0, stderr);
  const out = join(root, 'whole');
  t.same(
    readdirSync(out).filter((name) => name !== 'run.json'),
    ['compact.ckpt', 'curves.svg', 'journal.jsonl', 'prune.json', 'pruned.ckpt', 'pruned.mtsp', 'state.safetensors'],
  );
  const report = JSON.parse(readFileSync(join(out, 'prune.json'), 'utf8'));
  t.ok(report.ratio >= 20, `${report.ratio}`);
  t.ok(report.accuracy > report.accuracyBefore - 0.05, `${report.accuracy} after ${report.accuracyBefore}`);
  t.ok(report.bytes.sparse * 8 < report.bytes.dense);
  t.match(stdout, `ratio       ${report.ratio.toFixed(2)}×: ${report.kept} of 266610 parameters are kept`);
  t.match(readFileSync(join(out, 'curves.svg'), 'utf8'), /^<svg/);

  const { parameters } = await loadCheckpoint(join(out, 'pruned.ckpt'));
  const kept = [...parameters.values()].reduce((sum, { data }) => sum + data.filter((value) => value !== 0).length, 0);
  t.ok(kept <= report.kept, 'what is pruned is 0 in the file');
  const small = await loadCheckpoint(join(out, 'compact.ckpt'));
  t.same(small.parameters.get('ip1.weight')?.shape, [report.units.ip1, 784]);

  for (const file of ['pruned.ckpt', 'pruned.mtsp', 'compact.ckpt']) {
    const where = ['--ckpt_url', join(out, file), '--result_url', join(root, `result-${file}`)];
    const inferred = await run(
      ['inference', '--network', 'lenet300-100', '--data_url', join(root, 'digits'), ...where],
      options,
    );
    t.equal(inferred.code, 0, inferred.stderr);
    const result = JSON.parse(readFileSync(join(root, `result-${file}`, 'result.json'), 'utf8'));
    t.equal(result.accuracy, report.accuracy, `${file}: inference says what pruning said`);
    if (file === 'compact.ckpt') {
      t.match(inferred.stdout, `compact network: ip1 ${report.units.ip1} of 300 units`);
    }
  }
  const converted = await run(['ckpt', 'convert', join(out, 'pruned.mtsp'), join(root, 'again.mtsp')], options);
  t.equal(converted.code, 0, converted.stderr);
  t.ok(readFileSync(join(root, 'again.mtsp')).equals(readFileSync(join(out, 'pruned.mtsp'))));
  t.match((await run(['ckpt', 'inspect', join(out, 'pruned.mtsp')], options)).stdout, /ip1\.weight +\[300, 784\]/);
});

test('prune: a run that is killed goes on with --resume to the same bytes', async (t) => {
  const options = { cache: join(root, 'cache-killed') };
  const plain = [...flags('plain'), '--target_ratio', '20', '--learning_rate', '0.02', '--delta', '0.2'];
  t.equal((await run(plain, options)).code, 0);
  const killed = [...flags('killed'), '--target_ratio', '20', '--learning_rate', '0.02', '--delta', '0.2'];
  // Each time a round further: a line of the journal is in the work folder before the round's state is.
  for (const round of [1, 2, 4]) {
    const going = start([...killed, ...(round > 1 ? ['--resume'] : [])], options);
    await going.seen(new RegExp(`round ${round}: `));
    going.child.kill('SIGKILL');
    t.equal((await going.ended).code, 'SIGKILL');
  }
  t.notOk(existsSync(join(root, 'killed', 'pruned.ckpt')), 'it was not done');
  const resumed = await run([...killed, '--resume'], options);
  t.equal(resumed.code, 0, resumed.stderr);
  t.match(resumed.stdout, /resuming at iteration \d+ of 200/);
  for (const name of ['pruned.ckpt', 'pruned.mtsp', 'compact.ckpt', 'journal.jsonl']) {
    const [a, b] = ['plain', 'killed'].map((out) => readFileSync(join(root, out, name)));
    t.ok(a.equals(b), `${name} is the same, bit for bit`);
  }
  const done = await run([...killed, '--resume'], options);
  t.equal(done.code, 0, 'a run that has ended ends again');

  const other = await run([...killed, '--resume', '--seed', '2'], options);
  t.equal(other.code, 1);
  t.match(other.stderr, /state\.safetensors: is of another run, with "seed":1 where this one has "seed":2/);
});

test('prune: what a run is resumed from is looked at first', async (t) => {
  const options = { cache: join(root, 'cache-damaged') };
  const plain = [
    ...flags('damaged'),
    '--target_ratio',
    '200',
    '--iterations',
    '40',
    '--search_every',
    '10',
    '--delta',
    '0.1',
  ];
  const ended = await run(plain, options);
  t.equal(ended.code, 0, ended.stderr);
  t.match(
    ended.stderr,
    /\d× is short of --target_ratio 200: in 1 of 2 rounds no candidate lost at most 0\.1 of the accuracy/,
  );
  const folder = readdirSync(join(options.cache, 'output')).find((name) => /^damaged-\w+$/.test(name)) ?? '';
  const [state, journal] = ['state.safetensors', 'journal.jsonl'].map((name) =>
    join(options.cache, 'output', folder, name),
  );

  const lines = readFileSync(journal, 'utf8');
  writeFileSync(journal, '');
  const without = await run([...plain, '--resume'], options);
  t.equal(without.code, 0);
  t.match(without.stderr, /journal\.jsonl holds 0 of the \d+ candidates that were evaluated; the run goes on/);

  truncateSync(state, 1000);
  const damaged = await run([...plain, '--resume'], options);
  t.equal(damaged.code, 1);
  t.match(
    damaged.stderr,
    /state\.safetensors: the state is damaged. Remove it: then --resume takes the copy at --train_url/,
  );

  // Neither here nor there: the run begins anew, and would replay what the journal says.
  for (const path of [state, join(root, 'damaged', 'state.safetensors')]) rmSync(path);
  writeFileSync(journal, lines.replace('"correct":', '"correct":9999'));
  const wrong = await run([...plain, '--resume'], options);
  t.equal(wrong.code, 1);
  t.match(
    wrong.stderr,
    /round 0, generation 0: the score .* of candidate 1 cannot be; the journal is damaged: begin anew/,
  );
});

test('prune: SIGINT in a search ends it after a generation, copies what was found, and --resume goes on from it', async (t) => {
  const options = { cache: join(root, 'cache-interrupted') };
  const told = [...flags('interrupted'), '--target_ratio', '5', '--search_budget', '4000', '--prune_stop', '20'];
  const going = start(told, options);
  await going.seen(/generation [1-9]/);
  going.child.kill('SIGINT');
  const { code, stdout, stderr } = await going.ended;
  t.equal(code, 130);
  t.match(stderr, /SIGINT: finishing the step in hand/);
  t.match(stderr, /stopped in the search of round \d+, at iteration \d+ of 200/);
  t.match(stdout, /--resume goes on from what was saved last/);
  const path = join(root, 'interrupted', 'journal.jsonl');
  const found = readFileSync(path, 'utf8');
  t.match(found, /^{"round":0,"generation":0/);
  const resumed = await run([...told, '--resume'], options);
  t.equal(resumed.code, 0, resumed.stderr);
  t.ok(readFileSync(path, 'utf8').startsWith(found), 'nothing was evaluated again');
});

test('prune: a constraint that no candidate meets leaves the network as it was, and says so', async (t) => {
  const options = { cache: join(root, 'cache-none') };
  const { code, stderr } = await run(
    [...flags('none'), '--target_ratio', '20000', '--prune_stop', '20', '--delta', '0'],
    options,
  );
  t.equal(code, 0, stderr);
  t.match(stderr, /no candidate of 1 round loses at most 0 of the accuracy: the network stays as it was/);
  const report = JSON.parse(readFileSync(join(root, 'none', 'prune.json'), 'utf8'));
  t.equal(report.accuracy, report.accuracyBefore);
  const [before, after] = await Promise.all(
    [join(root, 'lenet300-100.ckpt'), join(root, 'none', 'pruned.ckpt')].map((path) => loadCheckpoint(path)),
  );
  t.same(after.parameters.get('ip3.weight'), before.parameters.get('ip3.weight'));
});

test('prune: OLMP as it was published finds how far it may go', async (t) => {
  const options = { cache: join(root, 'cache-olmp') };
  const olmp = ['--schedule', 'olmp', '--delta', '0.02', '--learning_rate', '0.01', '--caps', 'ip3=0.5'];
  const { code, stderr } = await run([...flags('olmp'), ...olmp], options);
  t.equal(code, 0, stderr);
  const report = JSON.parse(readFileSync(join(root, 'olmp', 'prune.json'), 'utf8'));
  t.ok(report.ratio > 2, `${report.ratio}`);
  t.equal(report.settings.masked, 'learn');
});

test('prune: a network with convolutions, and how sensitive each of its layers is', async (t) => {
  const options = { cache: join(root, 'cache-sensitivity') };
  const pruned = await run([...flags('five', 'lenet5-caffe'), '--target_ratio', '5'], options);
  t.equal(pruned.code, 0, pruned.stderr);
  t.ok(JSON.parse(readFileSync(join(root, 'five', 'prune.json'), 'utf8')).ratio >= 5);

  const { code, stdout, stderr } = await run([...flags('sensitivity', 'lenet5-caffe'), '--sensitivity'], options);
  t.equal(code, 0, stderr);
  const { layers } = JSON.parse(readFileSync(join(root, 'sensitivity', 'sensitivity.json'), 'utf8'));
  t.same(
    layers.map(({ name }: { name: string }) => name),
    ['conv1', 'conv2', 'ip1', 'ip2'],
  );
  for (const { points } of layers) {
    t.equal(points[0].sparsity, 0);
    t.ok(points.at(-1).accuracy < points[0].accuracy, 'almost nothing left of a layer is worse than all of it');
  }
  t.match(stdout, /conv1 +can lose \d+\.\d % alone/);
  t.match(readFileSync(join(root, 'sensitivity', 'sensitivity.svg'), 'utf8'), /^<svg/);
});

test('prune: what cannot be is refused in one line', async (t) => {
  const options = { cache: join(root, 'cache-bad') };
  const cases: readonly (readonly [readonly string[], RegExp])[] = [
    [
      ['--ckpt_url', join(root, 'lenet5-caffe.ckpt')],
      /lenet5-caffe\.ckpt: .*these parameters fit --network lenet5-caffe/,
    ],
    [['--rates', '11'], /--rates: 11 is out of bounds; a rate is from 0 \(--rate_min\) to 10/],
    [['--rates', '1,2'], /--rates has 2 numbers; give one, or one for each of ip1, ip2, ip3/],
    [['--caps', 'ip9=0.5'], /--caps names ip9, and the layers are ip1, ip2, ip3/],
    [['--caps', 'ip3'], /--caps ip3: expected a layer and a part/],
    [['--shares', 'most'], /--shares most: expected numbers/],
    [['--caps', 'ip3=1.5'], /--caps ip3=1\.5: expected a layer and a part from 0 to 1/],
    [['--caps', 'ip3=0.5,ip3=0.9'], /--caps ip3=0\.5,ip3=0\.9: names ip3 twice/],
    [
      ['--target_ratio', '266611'],
      /--target_ratio 266611 keeps nothing: ip1, ip2, ip3 have 266610 parameters together/,
    ],
    [['--target_ratio', '0.99'], /--target_ratio 0\.99: expected a number of at least 1/],
    [['--target_ratio', 'NaN'], /--target_ratio NaN: expected a number/],
    [['--caps', 'ip1=0.5'], /--caps keep 117750 parameters, and --target_ratio 114 asks for at most 2338/],
    [['--prune_stop', '201'], /--prune_stop 201 comes after the last of --iterations 200/],
    [['--batch_size', '1351'], /1350 images are left to train on, fewer than --batch_size 1351/],
  ];
  for (const [more, message] of cases) {
    const { code, stderr } = await run([...flags('bad'), ...more], options);
    t.equal(code, more[0] === '--ckpt_url' ? 1 : 2, more.join(' '));
    t.match(stderr, message);
    t.notMatch(stderr, /please report/);
    t.notOk(existsSync(join(root, 'bad')), `${more.join(' ')}: nothing was written`);
  }
});

test('prune --help says what holds where an option is not given, for all networks and for one', async (t) => {
  const help = async (command: string): Promise<string> =>
    (await run([command, '--help'], { cache: join(root, 'cache-help') })).stdout.replace(/\s+/g, ' ');
  for (const command of ['prune', 'prune_main']) {
    const text = await help(command);
    const settings = parse(readFileSync(join(packageRoot, 'configs', 'pruning.yaml'), 'utf8'));
    t.match(text, `default: ${settings.all.iterations}, lenet5-caffe ${settings['lenet5-caffe'].iterations})`);
    for (const name of Object.keys(settings.all).filter((one) => one !== 'caps')) {
      t.match(text, new RegExp(`--${name} (?:(?! --).)*default: ${settings.all[name]}[,)]`), `${command} --${name}`);
    }
  }
});

test('prune: a word that is no command names the one that was meant', async (t) => {
  const { code, stderr } = await run(['prune', 'staus', '--work_url', root], { cache: join(root, 'cache-help') });
  t.equal(code, 2);
  t.match(stderr, /prune: there is no command staus \(did you mean status\?\); there are status, stop\n$/);
});

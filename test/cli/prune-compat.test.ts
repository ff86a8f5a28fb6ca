import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { run, start } from './command.js';
import { prepareRoot } from './prune-cluster.js';

const root = tap.testdir();
const cache = join(root, 'cache');
const DATA = ['--data_url', join(root, 'digits'), '--threads', '1'];
const DENSE = ['--network', 'lenet300-100', '--ckpt_url', join(root, 'dense.ckpt')];
const HOW = [
  '--iterations=40',
  '--prune_stop=40',
  '--search_every=20',
  '--search_budget=20',
  '--search_images=50',
  '--delta=0.3',
  '--rate_max=1',
  '--learning_rate=0.01',
  '--retrain_learning_rate=0.01',
];

/** A role of the built command by the seed's files. */
function compat(role: string, work: string, ...more: readonly string[]) {
  return start([`prune_${role}`, '--compat_files', '--work_url', join(root, work), ...more], { cache });
}

tap.before(() => prepareRoot(root));

test('four commands prune by the seed’s files, and write what mindts prune writes', async (t) => {
  const out = join(root, 'out');
  const roles = {
    main: compat('main', 'work', ...DENSE, ...HOW),
    trainer: compat('trainer', 'work', ...DATA, ...DENSE, ...HOW, '--train_url', out),
    search: compat('search', 'work', ...HOW),
    evaluator: compat('evaluator', 'work', ...DATA, ...HOW),
  };
  for (const [role, { child, ended }] of Object.entries(roles)) {
    t.teardown(() => child.kill('SIGKILL'));
    const { code, stderr } = await ended;
    t.equal(code, 0, `${role}: ${stderr}`);
  }
  const { ratio, rounds } = JSON.parse(readFileSync(join(out, 'prune.json'), 'utf8'));
  t.ok(ratio > 1.5, `${ratio}`);
  t.equal(rounds.searched, 2);
  for (const name of ['pruned.ckpt', 'pruned.mtsp', 'curves.svg']) t.ok(readdirSync(out).includes(name), name);
});

test('a role that waits ends at SIGTERM, and says that the same command goes on', async (t) => {
  const evaluator = compat('evaluator', 'nobody', ...DATA, ...HOW);
  await evaluator.seen(/waiting for candidates/);
  evaluator.child.kill('SIGTERM');
  const { code, stderr } = await evaluator.ended;
  t.equal(code, 143);
  t.match(stderr, 'the same command goes on');
});

test('mindts prune stop --compat_files ends those that wait', async (t) => {
  const evaluator = compat('evaluator', 'stopped', ...DATA, ...HOW);
  await evaluator.seen(/waiting for candidates/);
  const where = ['prune', 'stop', '--work_url', join(root, 'stopped')];
  const without = await run(where, { cache });
  t.match(without.stderr, /holds no such run; --compat_files ends/);
  const stopped = await run([...where, '--compat_files'], { cache });
  t.equal(stopped.code, 0, stopped.stderr);
  t.equal((await evaluator.ended).code, 0, 'and that is a good end');
});

test('what the seed’s files cannot say is refused', async (t) => {
  for (const [role, words, code, said] of [
    ['search', ['--run', 'seed-2'], 2, '--run seed-2: --compat_files has one run in a folder'],
    ['main', [...DENSE, '--resume'], 2, '--resume: '],
    ['search', ['--schedule', 'gradual'], 1, '--schedule olmp'],
    ['trainer', [...DATA, '--train_url', join(root, 'never')], 2, '--ckpt_url'],
    ['search', ['--patience', '0'], 2, '--patience'],
    ['search', ['--patience', '1'], 1, 'waited 1 s for'],
  ] as const) {
    const ended = await compat(role, 'refused', ...words).ended;
    t.equal(ended.code, code, words.join(' '));
    t.match(ended.stderr, said);
  }
});

test('without --compat_files main says what is run: flags of one’s own are passed over, with a warning', async (t) => {
  const search = start(['prune_search', '--work_url', join(root, 'none'), '--seed', '3', '--network', 'lenet5'], {
    cache,
  });
  await search.seen(/passed over what main says[^\n]*: --seed, --network/);
  search.child.kill('SIGKILL');
  t.equal((await search.ended).code, 'SIGKILL');
  const help = await run(['prune_search', '--help'], { cache });
  t.match(help.stdout, '--compat_files');
});

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import type { Role } from '../../sdk/pruning/farm/roles.js';
import { run } from './command.js';
import { type Cluster, play, prepareRoot, pruneAlone, requireSame, startRole } from './prune-cluster.js';

const root = tap.testdir();
const RATES = ['--learning_rate', '0.01', '--retrain_learning_rate', '0.01', '--delta', '0.2', '--target_ratio', '8'];
const HOW = [
  '--iterations',
  '120',
  '--search_every',
  '20',
  '--search_budget',
  '80',
  '--search_images',
  '100',
  ...RATES,
];
const SHORT = [
  '--iterations',
  '40',
  '--search_every',
  '20',
  '--search_budget',
  '20',
  '--search_images',
  '50',
  ...RATES,
  '--target_ratio',
  '3',
];

function cluster(name: string, how: readonly string[] = HOW): Cluster {
  return { root, workUrl: join(root, `work-${name}`), trainUrl: join(root, `out-${name}`), how };
}

function status(workUrl: string, ...more: readonly string[]) {
  return run(['prune', 'status', '--work_url', workUrl, ...more], { cache: join(root, 'cache') });
}

tap.before(async () => {
  await prepareRoot(root);
  const [long, short] = [cluster('alone'), cluster('alone-short', SHORT)];
  for (const one of [long, short]) {
    tap.equal((await pruneAlone(one)).code, 0);
    tap.match(
      readFileSync(join(one.trainUrl, 'journal.jsonl'), 'utf8'),
      /^{"round":0/,
      'there was something to search',
    );
  }
});

test('four roles and three evaluators, each role killed twice, end with the bits of one machine', async (t) => {
  const here = cluster('killed');
  const plan: Role[] = ['evaluator', 'trainer', 'main', 'search', 'evaluator', 'search', 'trainer', 'main'];
  let told = 0;
  const kill = (): Role | undefined => (++told % 2 === 0 ? plan.shift() : undefined);
  const { killed, outputs } = await play(t, here, { kill });
  t.same(
    killed.toSorted(),
    ['evaluator', 'main', 'search', 'trainer'].flatMap((role) => [role, role]),
  );
  requireSame(t, here.trainUrl, join(root, 'out-alone'));
  const [alone, together] = [join(root, 'out-alone'), here.trainUrl].map((folder) => {
    const { seconds, ...rest } = JSON.parse(readFileSync(join(folder, 'prune.json'), 'utf8'));
    t.ok(seconds > 0);
    return rest;
  });
  t.same(together, alone, 'the report is the same but for the time that it took');
  t.ok(outputs.some((output) => output.includes(`ratio       ${together.ratio.toFixed(2)}×`)));

  t.ok(together.rounds.found > 1, `${together.rounds.found} rounds found something`);

  const [{ roles, stopped, quarantined, reached }] = JSON.parse((await status(here.workUrl, '--json')).stdout);
  t.equal(stopped, 'it is done');
  t.same(quarantined, []);
  t.equal(reached.iteration, 120);
  t.notOk(roles.some(({ state }: { state: string }) => state === 'alive' || state === 'silent'));

  const late = await startRole(t, here, 'evaluator').ended;
  t.equal(late.code, 0, 'who comes after the end, ends');
  t.match(late.stdout, /was stopped: it is done/);
  const again = await startRole(t, here, 'main').ended;
  t.equal(again.code, 0);
  t.match(again.stdout, /work-killed\/default: it is done/);
  const other = await startRole(t, here, 'main', ['--seed', '2']).ended;
  t.equal(other.code, 1);
  t.match(other.stderr, /work-killed\/default holds a run with other settings \(settings\.seed\): name another run/);
});

test('each role told to end by SIGTERM in the middle leaves its place in order, and the run goes on to the same bits', async (t) => {
  const here = cluster('ended');
  const plan: Role[] = ['trainer', 'search', 'evaluator', 'main'];
  let told = 0;
  const kill = (): readonly [Role, 'SIGTERM'] | undefined => {
    const role = ++told % 3 === 0 ? plan.shift() : undefined;
    return role && [role, 'SIGTERM'];
  };
  const { killed } = await play(t, here, { kill, cast: ['main', 'trainer', 'search', 'evaluator'] });
  t.same(killed.toSorted(), ['evaluator', 'main', 'search', 'trainer']);
  requireSame(t, here.trainUrl, join(root, 'out-alone'));
});

test('who is there, and what is not allowed, while a run waits for its trainer', async (t) => {
  const here = cluster('waiting', SHORT);
  const main = startRole(t, here, 'main');
  await main.seen(/taking part in \S+work-waiting\/default as main/);
  const evaluator = startRole(t, here, 'evaluator');
  await evaluator.seen(/as evaluator/);

  const second = await startRole(t, here, 'main').ended;
  t.equal(second.code, 1);
  t.match(second.stderr, new RegExp(`has a main already, process ${main.child.pid} on .*: stop that one first`));
  const shown = await status(here.workUrl, '--run', 'default');
  t.match(shown.stdout, new RegExp(`main +alive +process ${main.child.pid} on `));
  t.match(shown.stdout, new RegExp(`evaluator +alive +process ${evaluator.child.pid} on `));
  t.match(shown.stdout, /trainer +none\n +search +none\n/);
  t.match(shown.stdout, /run default: lenet300-100 by ncs, \S+work-waiting\/default\n +iteration +0 of 40\n/);
  t.notMatch(shown.stdout, /reached|best|board|left/, 'what is not known is not said');

  for (const one of [main, evaluator]) {
    one.child.kill('SIGTERM');
    const { code, stderr } = await one.ended;
    t.equal(code, 143);
    t.match(stderr, /has left its place: the same command takes it up again/);
  }
  t.match((await status(here.workUrl)).stdout, /main +left[^]*evaluator +left/);

  const other = await startRole(t, here, 'main', ['--delta', '0.5']).ended;
  t.equal(other.code, 1);
  t.match(other.stderr, /holds a run with other settings \(settings\.delta\)/);

  await play(t, here, { cast: ['main', 'trainer', 'search', 'evaluator'] });
  requireSame(t, here.trainUrl, join(root, 'out-alone-short'));
});

test('a run that is stopped ends everywhere, and goes on when main says so', async (t) => {
  const here = cluster('stopped', SHORT);
  const [main, evaluator] = [startRole(t, here, 'main'), startRole(t, here, 'evaluator')];
  await Promise.all([main.seen(/as main/), evaluator.seen(/as evaluator/)]);
  const cache = join(root, 'cache');
  const stop = await run(['prune', 'stop', '--work_url', here.workUrl, '--why', 'lunch'], { cache });
  t.equal(stop.code, 0, stop.stderr);
  t.equal((await evaluator.ended).code, 0);
  const stopped = await main.ended;
  t.equal(stopped.code, 1);
  t.match(stopped.stderr, /was stopped: lunch; --resume lets it go on/);
  t.match((await status(here.workUrl)).stdout, /stopped +lunch/);
  const refused = await run(['prune', 'stop', '--work_url', here.workUrl, '--run', 'no'], { cache });
  for (const { code, stderr } of [refused, await status(here.workUrl, '--run', 'no')]) {
    t.equal(code, 2);
    t.match(stderr, /--run no: \S+work-stopped holds no such run; it holds default/);
  }

  const resumed = startRole(t, here, 'main', ['--resume']);
  await resumed.seen(/as main/);
  await play(t, here, { cast: ['trainer', 'search', 'evaluator'] });
  t.equal((await resumed.ended).code, 0);
  requireSame(t, here.trainUrl, join(root, 'out-alone-short'));
});

test('an evaluator with other images than the trainer is told so, and spoils nothing', async (t) => {
  const here = cluster('images', SHORT);
  const other = join(root, 'other');
  const drawn = await run(['dataset', 'make', other, '--train', '1500', '--test', '20', '--seed', '5'], {
    cache: join(root, 'cache'),
  });
  t.equal(drawn.code, 0, drawn.stderr);
  const wrong = startRole(t, here, 'evaluator', ['--data_url', other]);
  const roles = (['main', 'trainer', 'search'] as const).map((role) => startRole(t, here, role));
  const { code, stderr } = await wrong.ended;
  t.equal(code, 1);
  t.match(stderr, /work-images\/default: the trainer has other images: give the same --data_url/);
  const right = startRole(t, here, 'evaluator');
  for (const one of [...roles, right]) t.equal((await one.ended).code, 0);
  requireSame(t, here.trainUrl, join(root, 'out-alone-short'));
});

test('a folder of something else is refused', async (t) => {
  const workUrl = t.testdir({ default: {} });
  writeFileSync(join(workUrl, 'default', 'holiday.jpg'), '');
  const { code, stderr } = await startRole(t, { ...cluster('foreign'), workUrl }, 'main').ended;
  t.equal(code, 1);
  t.match(stderr, /default holds "holiday\.jpg" and no run\.json: it is the folder of something else/);
});

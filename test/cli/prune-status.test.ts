/** A run on a cluster as `prune status` shows it, and what its roles say of themselves, with real roles. */
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tap, { test } from 'tap';
import { run } from './command.js';
import { type Cluster, flagsOf, prepareRoot, startRole } from './prune-cluster.js';

const root = tap.testdir();
const HOW = { iterations: 40, search_every: 20, search_budget: 4000, search_images: 100, delta: 0.2, target_ratio: 3 };

function cluster(name: string, how: Readonly<Record<string, number>> = {}): Cluster {
  const flags = flagsOf({ ...HOW, ...how });
  return { root, workUrl: join(root, `work-${name}`), trainUrl: join(root, `out-${name}`), how: flags };
}

function status(workUrl: string, ...more: readonly string[]) {
  return run(['prune', 'status', '--work_url', workUrl, ...more], { cache: join(root, 'cache') });
}

/** What is told of a role. */
function roleIn(roles: readonly { readonly role: string; readonly pid: number }[], pid: number | undefined) {
  return roles.find((one) => one.pid === pid);
}

tap.before(() => prepareRoot(root));

test('in the middle of a run it shows how far that is and who is at what; then who was killed, and it moves nothing', async (t) => {
  const here = cluster('middle');
  const roles = (['main', 'trainer', 'search', 'evaluator', 'evaluator'] as const).map((role) =>
    startRole(t, here, role),
  );
  const [main, trainer, search, first, second] = roles;
  await search.seen(/generation 4: /);
  let [shown] = JSON.parse((await status(here.workUrl, '--json')).stdout);
  // What roles say comes with their beats.
  while (shown.search?.candidatesPerSecond === undefined || shown.roles.some(hasSaidNothing))
    [shown] = JSON.parse((await status(here.workUrl, '--json')).stdout);
  t.match(shown, { run: 'default', network: 'lenet300-100', method: 'ncs', iterations: 40, iteration: 0, rounds: 1 });
  t.match(shown.search, { round: 0, candidatesPerSecond: Number, secondsLeft: Number });
  t.ok(shown.search.candidates >= 10 * (shown.search.generation + 1));
  t.match(shown.board, { round: 0, candidates: 10, blocks: 4 });
  t.same(shown.missing, []);
  for (const { child } of roles) t.match(roleIn(shown.roles, child.pid), { state: 'alive', secondsSinceBeat: Number });
  t.match(roleIn(shown.roles, first.child.pid), { role: 'evaluator', candidates: Number, candidatesPerSecond: Number });

  for (const { child, ended } of [first, second, search, trainer, main]) {
    child.kill('SIGKILL');
    await ended;
  }
  const folder = join(here.workUrl, 'default');
  writeFileSync(join(folder, 'stop.json'), 'half a mess');
  const files = (): readonly string[] => readdirSync(folder, { recursive: true }).map(String).sort();
  const before = files();
  const { stdout } = await status(here.workUrl);
  t.same(files(), before);
  for (const role of ['main', 'trainer', 'search', 'evaluator']) {
    t.match(stdout, new RegExp(`${role} +dead +process \\d+ on [^]*${role} +none\n`));
  }
  t.match(stdout, /damaged +stop\.json is truncated, or no message/);
  t.match(stdout, /quarantine 0 messages/);
  t.notMatch(stdout, /left|undefined|NaN/);
});

function hasSaidNothing({ role, candidates }: { readonly role: string; readonly candidates?: number }): boolean {
  return role === 'evaluator' && candidates === undefined;
}

test('a trainer whose search is not there says so, and is told when it has come', async (t) => {
  const here = cluster('alone', { search_budget: 200_000 });
  const [, trainer] = (['main', 'trainer'] as const).map((role) => startRole(t, here, role));
  await trainer.seen(/pruning: 0% 0\/40 steps, \S+ s, round 0: waiting for the search/);
  for (const role of ['search', 'evaluator'] as const) startRole(t, here, role);
  await trainer.seen(/pruning: 0% 0\/40 steps, \S+ s, round 0, generation \d+: \S+× at \S+ %, \d+ candidates\/s/);
});

test('an evaluator says now and then how many it has evaluated, and how fast', async (t) => {
  const here = cluster('evaluator');
  const [, , , evaluator] = (['main', 'trainer', 'search', 'evaluator'] as const).map((role) =>
    startRole(t, here, role),
  );
  await evaluator.seen(/evaluating: \d+ candidates, \S+ s, round 0, generation \d+, \d+ candidates\/s/);
});

test('a work folder that is removed is noticed by all roles at their next beats', async (t) => {
  const here = cluster('removed');
  const roles = (['main', 'trainer', 'evaluator'] as const).map((role) => startRole(t, here, role));
  for (const [i, role] of ['main', 'trainer', 'evaluator'].entries()) await roles[i].seen(new RegExp(`as ${role}`));
  rmSync(here.workUrl, { recursive: true, maxRetries: 5 });
  for (const { ended } of roles) {
    const { code, stderr } = await ended;
    t.equal(code, 1);
    t.match(stderr, /mindts: \S+work-removed\/default was removed while the run went on: begin it anew\n/);
    t.equal(stderr.match(/mindts: /g)?.length, 1, 'and nothing else is complained of');
  }
});

test('a trainer that is refused leaves nothing at its --train_url', async (t) => {
  const many = cluster('many', { batch_size: 1351 });
  startRole(t, many, 'main');
  const refused = await startRole(t, many, 'trainer').ended;
  t.equal(refused.code, 2);
  t.match(refused.stderr, /1350 images are left to train on, fewer than --batch_size 1351/);
  t.notOk(existsSync(many.trainUrl));

  const here = cluster('second');
  startRole(t, here, 'main');
  const trainer = startRole(t, here, 'trainer');
  await trainer.seen(/as trainer/);
  const second = await startRole(t, { ...here, trainUrl: join(root, 'out-other') }, 'trainer').ended;
  t.equal(second.code, 1);
  t.match(second.stderr, /has a trainer already, process/);
  t.notOk(existsSync(join(root, 'out-other')));
});

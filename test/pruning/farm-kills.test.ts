/** Whole runs of four roles, whose processes are killed with SIGKILL wherever they are, and started again. */
import { type Test, test } from 'tap';
import { z } from 'zod';
import { seededRandom } from '../../sdk/base/random.js';
import { DataRef, getData } from '../../sdk/pruning/farm/data.js';
import { type RunFolder, runFolder } from '../../sdk/pruning/farm/folder.js';
import type { Pace } from '../../sdk/pruning/farm/pace.js';
import { statusOf } from '../../sdk/pruning/farm/status.js';
import { randomFaults } from '../services/faults.js';
import type { TestPlace } from '../services/place.js';
import { STORES } from '../services/places.js';
import { entriesOf, type Job, type RoleProcess, startRole } from './farm-processes.js';
import { Generation, type Journals, Point, Rates, Round, type Settings, serial } from './squares.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

const SETTINGS: Settings = { seed: 7, rounds: 3, generations: 6, candidates: 7, blockSize: 2 };
/** Three times as many evaluators as of any other. */
const CAST = ['main', 'trainer', 'search', 'evaluator', 'evaluator', 'evaluator'] as const;
const PACE: Partial<Pace> = { beatMs: 100, lostMs: 2000, leastPollMs: 2, mostPollMs: 20, settleMs: 0 };

test('killed forty times in a run, the four roles end with the same bits as a serial run', async (t) => {
  const workUrl = t.testdir();
  const kills = await play(t, { workUrl, run: 'killed', pace: PACE, settings: SETTINGS }, { seed: 1, kills: 40 });
  t.equal(kills, 40, 'all of them died in the middle');
  const folder = await runFolder(workUrl, 'killed', PACE);
  t.same(await journalsOf(folder), serial(SETTINGS));
  t.same(await folder.list('quarantine'), []);
  const [{ stopped, members }] = await statusOf(workUrl, { pace: PACE });
  t.equal(stopped, 'all rounds are done');
  t.same(
    members.filter(({ state }) => state !== 'left' && state !== 'dead'),
    [],
    'nobody is left behind',
  );
  t.ok(members.some(({ role }) => role === 'main'));
});

test('two runs side by side in one folder, of one evaluator each, do not see one another', async (t) => {
  const workUrl = t.testdir();
  const settings = ['a', 'b'].map((run, i): [string, Settings] => [run, { ...SETTINGS, seed: i, rounds: 2 }]);
  const cast = ['main', 'trainer', 'search', 'evaluator'] as const;
  await Promise.all(
    settings.map(([run, own]) => play(t, { workUrl, run, pace: PACE, settings: own }, { seed: 2, kills: 0, cast })),
  );
  for (const [run, own] of settings) t.same(await journalsOf(await runFolder(workUrl, run, PACE)), serial(own));
});

for (const [name, start] of Object.entries(STORES)) {
  test(`${name}: killed, and with a store that fails at random, they end with the same bits`, async (t) => {
    const place = await start(t);
    Object.assign(process.env, place.env);
    const settings = { ...SETTINGS, rounds: 2, generations: 2, candidates: 5 };
    const cast = ['main', 'trainer', 'search', 'evaluator', 'evaluator'] as const;
    const workUrl = place.url('work');
    disturb(place);
    await play(t, { workUrl, run: 'r', pace: PACE, settings }, { seed: 3, kills: 5, env: place.env, cast });
    if (place.proxy !== undefined) place.proxy.plan = () => undefined;
    t.same(await journalsOf(await runFolder(workUrl, 'r', PACE)), serial(settings));
  });
}

/** One request of twenty fails, each in its own way. */
function disturb({ proxy, isContent }: TestPlace): void {
  if (proxy === undefined) return;
  const plan = randomFaults(4, { share: 0.05, isContent });
  proxy.plan = (request) => {
    const fault = plan(request);
    // What a store refuses for good ends a role, as it should.
    return fault?.kind === 'answer' && fault.status === 403 ? undefined : fault;
  };
}

/** Plays a run to its end; returns how many processes were killed. */
async function play(
  t: Test,
  job: Omit<Job, 'role'>,
  {
    seed,
    kills,
    env = {},
    cast = CAST,
  }: {
    readonly seed: number;
    readonly kills: number;
    readonly env?: Readonly<Record<string, string>>;
    readonly cast?: readonly Job['role'][];
  },
): Promise<number> {
  const random = seededRandom(seed, 'kills');
  const alive = new Set<RoleProcess>();
  let [killed, left] = [0, 1 + random.below(6)];
  function onLine(): void {
    if (killed === kills || --left > 0) return;
    left = 1 + random.below(6);
    killed++;
    [...alive][random.below(alive.size)]?.child.kill('SIGKILL');
  }
  async function keepUp(role: Job['role']): Promise<void> {
    for (;;) {
      const process = startRole(t, { ...job, role }, { env, onLine });
      alive.add(process);
      const { how, complaint } = await process.ended;
      alive.delete(process);
      if (how === 'SIGKILL') continue;
      if (how !== 0) t.fail(`the ${role} failed: ${process.lines.at(-1)} ${complaint}`);
      return;
    }
  }
  await Promise.all(cast.map((role) => keepUp(role)));
  return killed;
}

async function journalsOf(folder: RunFolder): Promise<Journals> {
  const refs = await entriesOf(folder, 'trainer', {
    topic: 'snapshots',
    schema: z.object({ round: z.number(), data: DataRef }),
  });
  const snapshots = await Promise.all(refs.map(({ data }) => getData(folder, data)));
  return {
    rounds: await entriesOf(folder, 'main', { topic: 'rounds', schema: Round }),
    snapshots: snapshots.map((bytes) => Point.parse(JSON.parse(String(bytes)))),
    generations: await entriesOf(folder, 'search', { topic: 'generations', schema: Generation }),
    rates: await entriesOf(folder, 'search', { topic: 'rates', schema: Rates }),
  };
}

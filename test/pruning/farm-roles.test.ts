/** Who has a role: one at a time, whoever dies, sleeps or has another clock. */
import { hostname } from 'node:os';
import { test } from 'tap';
import { z } from 'zod';
import { MindtsError } from '../../sdk/base/errors.js';
import { type RunFolder, runFolder } from '../../sdk/pruning/farm/folder.js';
import { readEntry, takeOffice } from '../../sdk/pruning/farm/journal.js';
import { fileOf, type Identity, newSession, type Seen, seen, Watcher } from '../../sdk/pruning/farm/roles.js';
import { beginRun, joinRun } from '../../sdk/pruning/farm/run.js';
import { joinEvaluators } from '../../sdk/pruning/farm/seat.js';
import { statusOf } from '../../sdk/pruning/farm/status.js';
import { liftStop, stopRun, untilAllLeft } from '../../sdk/pruning/farm/stop.js';
import { startRole } from './farm-processes.js';

const PACE = { beatMs: 20, lostMs: 300, leastPollMs: 1, mostPollMs: 10 };
const FUTURE = '2999-01-01T00:00:00.000Z';

/** A process of another machine, whose clock is centuries ahead. */
const FAR: Identity = { host: 'far-away', pid: 77, mark: '77 1 far-away', space: 'another start', since: FUTURE };

/** A member that somebody else has made. */
async function putMember(folder: RunFolder, { epoch = 1, isOpen = true } = {}): Promise<Seen> {
  const member: Seen = { role: 'search', epoch, session: newSession(), isOpen, hasLeft: false };
  await folder.put(fileOf(member, 'beat'), { count: 1, at: FUTURE });
  await folder.put(fileOf(member, 'claim'), FAR);
  if (isOpen) await folder.put(fileOf(member, 'open'), { chain: [{ epoch, starts: { rates: 0 } }] });
  return member;
}

function codeOf(error: unknown): string {
  return error instanceof MindtsError ? error.code : String(error);
}

test('a second main is refused, and told where the first one is', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const options = { settings: { seed: 1 }, topics: ['rounds'] };
  const main = await beginRun(folder, options);
  const who = `has a main already, process ${process.pid} on ${hostname()}`;
  await t.rejects(beginRun(folder, options), { code: 'E_TAKEN', message: new RegExp(who) });
  t.notOk(main.signal.aborted, 'the first one notices nothing');
  await main.append('rounds', 'still here');
  await main.leave();
  const next = await beginRun(folder, options);
  t.same(next.entries('rounds', z.string()), ['still here']);
  await next.leave();
});

test('of eight that ask for a role at the same moment one has it', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  for (let round = 0; round < 5; round++) {
    const asked = await Promise.allSettled(Array.from({ length: 8 }, () => takeOffice(folder, 'search', ['rates'])));
    const offices = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const codes = asked.flatMap((one) => (one.status === 'rejected' ? [codeOf(one.reason)] : []));
    t.equal(offices.length, 1);
    t.same(new Set(codes), new Set(['E_TAKEN']));
    await offices[0].append('rates', round);
    t.same(offices[0].entries('rates', z.number()).length, round + 1, 'and goes on from what there was');
    await offices[0].leave();
  }
});

test('one on another machine that beats is not passed, whatever its clock says', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const member = await putMember(folder);
  const ending = new AbortController();
  async function beat(count: number): Promise<void> {
    await folder.put(fileOf(member, 'beat'), { count, at: '1970-01-01T00:00:00.000Z' });
    return ending.signal.aborted ? undefined : beat(count + 1);
  }
  const beating = beat(2);
  const asked = takeOffice(folder, 'search', ['rates']);
  await t.rejects(asked, { code: 'E_TAKEN', message: /process 77 on far-away/ });
  ending.abort();
  await beating;
});

test('one on another machine that is silent is passed, though its last beat comes from the future', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  await putMember(folder, { epoch: 4 });
  const search = await takeOffice(folder, 'search', ['rates']);
  t.equal(search.epoch, 5);
  t.equal((await seen(folder, 'search')).length, 1, 'the dead one is forgotten');
  await search.leave();
});

test('a claimant that fell silent before it had the role is passed as well', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  await putMember(folder, { epoch: 1, isOpen: false });
  const search = await takeOffice(folder, 'search', ['rates']);
  t.equal(search.epoch, 2);
  await search.leave();
});

test('time in which nobody looked is no silence: a laptop that slept, a store that failed', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const member = await putMember(folder);
  let clock = 0;
  const watcher = new Watcher(folder, () => clock);
  t.equal(await watcher.lookAt(member), 'unknown');
  clock += 3_600_000;
  t.equal(await watcher.lookAt(member), 'unknown', 'an hour passed between two looks');
  await folder.put(fileOf(member, 'beat'), { count: 2, at: FUTURE });
  t.equal(await watcher.lookAt(member), 'alive');
  for (let looks = 0; looks < 4; looks++) {
    clock += PACE.lostMs;
    t.equal(await watcher.lookAt(member), 'alive');
  }
  clock += PACE.lostMs;
  t.equal(await watcher.lookAt(member), 'dead');
});

test('a holder that was stopped and goes on is told that it was passed, and what it writes is not read', async (t) => {
  const workUrl = t.testdir();
  const old = startRole(t, { role: 'holder', workUrl, run: 'r', pace: PACE });
  await old.said(/joined/);
  old.tell('the first');
  await old.said(/appended 0/);
  old.child.kill('SIGSTOP');
  const folder = await runFolder(workUrl, 'r', PACE);
  const search = await takeOffice(folder, 'search', ['rates']);
  t.same(search.entries('rates', z.string()), ['the first']);
  // It is in the pipe when the old one wakes up.
  old.tell('by the old one');
  old.child.kill('SIGCONT');
  t.match(await old.said(/E_/), new RegExp(`E_LEASE_LOST process ${process.pid} on .* has taken over as search`));
  await search.append('rates', 'by the new one');
  const place = { topic: 'rates', number: 1, schema: z.string() };
  t.equal(await readEntry(folder, 'search', place), 'by the new one');
  await search.leave();
});

test('what an old holder writes after the new one has read counts for nothing, for readers and for the next one', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  await putMember(folder, { epoch: 1 });
  const late = 'journal/search/rates/00000000.000001';
  const place = { topic: 'rates', number: 0, schema: z.string() };
  await folder.put(late, 'in time');
  t.equal(await readEntry(folder, 'search', place), 'in time');
  await folder.remove(late);

  const second = await takeOffice(folder, 'search', ['rates']);
  await folder.put(late, 'too late');
  t.equal(await readEntry(folder, 'search', place), undefined);
  await second.leave();
  const third = await takeOffice(folder, 'search', ['rates']);
  t.same(third.entries('rates', z.string()), []);
  await third.append('rates', 'by the third');
  t.equal(await readEntry(folder, 'search', place), 'by the third');
  await third.leave();
});

test('while somebody claims a role nothing of it is read that the next chain may not keep', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  await putMember(folder, { epoch: 1 });
  await folder.put('journal/search/rates/00000000.000001', 'there');
  await putMember(folder, { epoch: 2, isOpen: false });
  const place = { topic: 'rates', number: 0, schema: z.string() };
  t.equal(await readEntry(folder, 'search', place), undefined);
});

test('a stop reaches every role, and all acknowledge it but the one that was killed', async (t) => {
  const workUrl = t.testdir();
  const settings = { seed: 1, rounds: 2, generations: 1, candidates: 3, blockSize: 1 };
  const job = { workUrl, run: 'r', pace: PACE, settings };
  // No evaluator: the search waits for one, main for the search, the trainer for main.
  const roles = (['main', 'trainer', 'search'] as const).map((role) => startRole(t, { ...job, role }));
  const killed = startRole(t, { ...job, role: 'evaluator', run: 'r' });
  await Promise.all([...roles, killed].map((role) => role.said(/joined/)));
  killed.child.kill('SIGKILL');
  await killed.ended;
  const folder = await runFolder(workUrl, 'r', PACE);
  await stopRun(folder, 'somebody asked for it');
  await stopRun(folder, 'another reason, later');
  const { left, dead } = await untilAllLeft(folder);
  t.same(left.map(({ role }) => role).sort(), ['main', 'search', 'trainer']);
  t.same(
    dead.map(({ role }) => role),
    ['evaluator'],
  );
  for (const role of roles) {
    const { how } = await role.ended;
    t.equal(how, 0, role.role);
    t.match(role.lines.at(-1), /^E_STOPPED the run in .* was stopped: somebody asked for it$/);
  }
  const [{ stopped }] = await statusOf(workUrl, { pace: PACE });
  t.equal(stopped, 'somebody asked for it');
  await t.rejects(joinEvaluators(folder), { code: 'E_STOPPED' });
  await liftStop(folder);
  await (await joinEvaluators(folder)).leave();
});

test('who waits for a role that does not come is told so in the end', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', { ...PACE, patienceMs: 50 });
  await t.rejects(joinRun(folder, z.unknown()), {
    code: 'E_FARM_SILENT',
    message: /to be begun by its main role: see with/,
  });
});

test('a folder of other settings, of another version, of another run or of something else is refused by name', async (t) => {
  const workUrl = t.testdir();
  const folder = await runFolder(workUrl, 'r', PACE);
  const begin = (seed: number) => beginRun(folder, { settings: { seed, rounds: 2 }, topics: ['rounds'] });
  await (await begin(1)).leave();
  await t.rejects(begin(2), { code: 'E_RUN', message: /r holds a run with other settings \(seed\): name another/ });
  await (await begin(1)).leave();
  t.same(await joinRun(folder, z.object({ seed: z.number() })), { seed: 1 });
  const wrong = z.object({ seed: z.string() });
  await t.rejects(joinRun(folder, wrong), { code: 'E_RUN', message: /another kind of run, .*seed/ });

  const run = String(await folder.read('run.json'));
  await folder.write('run.json', Buffer.from(run.replace('"version":1', '"version":2')));
  await t.rejects(begin(1), {
    code: 'E_RUN',
    message: /run\.json was written for the run "r" by version 2 of the farm/,
  });
  await folder.write('run.json', Buffer.from(run.replace('"run":"r"', '"run":"s"')));
  await t.rejects(begin(1), { code: 'E_RUN', message: /for the run "s" by version 1/ });
  await folder.write('run.json', Buffer.from('{"name": "left-pad"}'));
  await t.rejects(begin(1), { code: 'E_RUN', message: /run\.json is no file of mindts/ });
  await folder.remove('run.json');
  await folder.write('thesis.tex', Buffer.from('…'));
  await t.rejects(begin(1), { code: 'E_RUN', message: /holds "(journal|thesis\.tex)" and no run\.json/ });
  await t.rejects(runFolder(workUrl, '../r'), { code: 'E_RUN_ID' });
});

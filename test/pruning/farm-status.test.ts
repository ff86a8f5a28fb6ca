/** What one sees of a run who looks on, and that it stays as it was. */
import { readdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'tap';
import { z } from 'zod';
import { statusLines } from '../../sdk/cli/status-lines.js';
import { publish } from '../../sdk/pruning/farm/board.js';
import { type RunFolder, runFolder } from '../../sdk/pruning/farm/folder.js';
import { takeOffice } from '../../sdk/pruning/farm/journal.js';
import { observed } from '../../sdk/pruning/farm/observer.js';
import { fileOf, type Member, ownIdentity } from '../../sdk/pruning/farm/roles.js';
import { joinEvaluators } from '../../sdk/pruning/farm/seat.js';
import { type MemberStatus, statusOf, statusOfRun } from '../../sdk/pruning/farm/status.js';
import { overviewOf } from '../../sdk/pruning/roles/overview.js';

const PACE = { beatMs: 20, lostMs: 300, leastPollMs: 1, mostPollMs: 10, settleMs: 0 };

/** All files of a folder with what is in them. */
function filesIn(path: string): Readonly<Record<string, string>> {
  const files = readdirSync(path, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return Object.fromEntries(
    files.map(({ parentPath, name }) => [join(parentPath, name), readFileSync(join(parentPath, name), 'hex')]),
  );
}

/** An evaluator of another machine that shows no signs of life. */
async function putEvaluator(folder: RunFolder, session: string): Promise<Member> {
  const member: Member = { role: 'evaluator', epoch: 0, session };
  await folder.put(fileOf(member, 'claim'), { ...ownIdentity(), host: 'far-away', pid: 77, space: 'far' });
  await folder.put(fileOf(member, 'open'), {});
  await folder.put(fileOf(member, 'beat'), { count: 1, at: new Date().toISOString(), progress: { candidates: 12 } });
  return member;
}

test('who looks on moves, writes and removes nothing, and is told what is damaged', async (t) => {
  const workUrl = t.testdir();
  const folder = await runFolder(workUrl, 'r', PACE);
  const member = await putEvaluator(folder, '0123456789ab');
  const other = await putEvaluator(folder, 'ba9876543210');
  const tasks = { round: 0, generation: 3, blockSize: 2, common: null, candidates: [1, 2, 3] };
  await publish(folder, tasks);
  for (const what of ['beat', 'claim'] as const) await folder.write(fileOf(member, what), Buffer.from('half a mess'));
  await folder.put('run.json', { settings: 1 });
  await folder.put('stop.json', { why: 7 });
  await folder.put('journal/trainer/states/00000000.000001', 'no state');
  const before = filesIn(workUrl);
  const [status] = await statusOf(workUrl, { pace: PACE });
  const overview = await overviewOf(folder, status);
  t.same(filesIn(workUrl), before, 'all files are as they were');
  t.same(status.quarantined, []);
  t.same(status.damaged.map(({ name }) => name).sort(), [fileOf(member, 'beat'), fileOf(member, 'claim'), 'stop.json']);
  t.match(statusLines(status, overview).join('\n'), /damaged +stop\.json is not as it should be/);
  t.match(
    status.members.find(({ session }) => session === other.session),
    { host: 'far-away', pid: 77 },
  );

  const seen = observed(folder);
  t.equal(await seen.take('stop.json', z.string()), undefined);
  for (const change of [seen.put('a', 1), seen.write('a', Buffer.of()), seen.remove('a'), seen.quarantine('a', 'b')]) {
    await t.rejects(change, { code: 'E_READ_ONLY', message: 'a is only looked at here' });
  }
});

test('blocks in hand are shown with who has them; what nobody has is the backlog', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const search = await takeOffice(folder, 'search', ['rates']);
  const seat = await joinEvaluators(folder);
  const dead = await putEvaluator(folder, '0123456789ab');
  const tasks = { round: 0, generation: 3, blockSize: 2, common: null, candidates: [1, 2, 3, 4, 5, 6, 7] };
  await publish(folder, { ...tasks, owners: [dead.session] });
  const [name] = await folder.list('board');
  const key = name.replace('.tasks', '');
  await folder.put(`board/${key}.claim.000001.${seat.session}`, {});
  await folder.put(`board/${key}.claim.000003.ffffffffffff`, {});
  seat.report({ candidates: 5, candidatesPerSecond: 41.6 });
  search.report({ round: 0, generation: 2, candidates: 21, best: { ratio: 2, loss: 0.25, accuracy: 0.5 } });

  // Until both have told of it.
  let status = await statusOfRun(folder, 10_000);
  while (status.members.filter(({ progress }) => progress !== undefined).length < 3)
    status = await statusOfRun(folder, 10_000);
  const { board, members, missing } = status;
  t.match(board, { round: 0, generation: 3, candidates: 7, blocks: 4, answered: 0, claimed: 3, backlog: 1 });
  t.match(board?.leases, [
    { block: 0, candidates: 2, how: 'owned', host: 'far-away', pid: 77, state: 'dead' },
    { block: 1, candidates: 2, how: 'claimed', pid: process.pid, state: 'alive' },
    { block: 3, candidates: 1, how: 'claimed', session: 'ffffffffffff', host: undefined },
  ]);
  for (const { secondsHeld = -1 } of board?.leases ?? []) t.ok(secondsHeld >= 0);
  t.same(missing, ['main', 'trainer']);
  t.same(
    members.map(({ role, state }) => `${role} ${state}`),
    [
      'search alive',
      ...(dead.session < seat.session ? ['dead', 'alive'] : ['alive', 'dead']).map((s) => `evaluator ${s}`),
    ],
  );

  const lines = statusLines(status, await overviewOf(folder, status)).join('\n');
  t.match(lines, /^run r: \S+\/r\n/);
  t.match(lines, /round +0, generation 2, 21 candidates evaluated\n +best +2\.0×, loss 0\.2500, accuracy 50\.00 %\n/);
  t.match(lines, /main +none\n +trainer +none\n/);
  t.match(lines, /evaluator +alive +process \d+ on \S+, \S+ s ago; 5 candidates evaluated, 42 candidates\/s/);
  t.match(lines, /evaluator +dead +process 77 on far-away, .*; 12 candidates evaluated\n/);
  t.match(lines, /block 0, 2 candidates: given to process 77 on far-away \(dead\) /);
  t.match(lines, /block 3, 1 candidate: claimed by an evaluator that is gone /);
  t.notMatch(lines, /stopped|left\n|undefined|NaN/);
  await seat.leave();
  await search.leave();
});

test('of signs of life by another machine’s clock it is said that they are', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const status = await statusOfRun(folder, 0);
  const overview = await overviewOf(folder, status);
  const said = (host: string, secondsSinceBeat: number | undefined): string => {
    const about = { role: 'main', epoch: 1, session: 's', state: 'alive', pid: 7, beatAt: '', progress: null } as const;
    const member: MemberStatus = { ...about, host, secondsSinceBeat };
    return statusLines({ ...status, members: [member] }, overview)[1];
  };
  t.match(said(hostname(), 3), /process 7 on \S+, 3\.0 s ago$/);
  t.match(said(hostname(), -0.2), /0\.0 s ago$/, 'the beat came between two looks');
  t.match(said('far-away', 75), /1 min 15 s ago by its clock$/);
  t.match(said('far-away', -2), /just now$/);
  t.match(said('far-away', -7200), /by its clock, which is 2 h 0 min ahead$/);
  t.match(said('far-away', undefined), /no sign of life can be read$/);
});

test('a work folder without a run is told so, and folders of something else are no runs', async (t) => {
  const workUrl = t.testdir({ out: { 'prune.json': '{}' }, 'notes.txt': '' });
  const none = { code: 'E_NO_RUN', message: /holds no run: check that it is the --work_url/ };
  for (const url of [workUrl, join(workUrl, 'nowhere'), join(workUrl, 'notes.txt')])
    await t.rejects(statusOf(url), none);
  const folder = await runFolder(workUrl, 'r', PACE);
  const main = await takeOffice(folder, 'main', []);
  t.same(
    (await statusOf(workUrl, { pace: PACE })).map(({ run }) => run),
    ['r'],
  );
  await main.leave();
});

/** Shares of a generation that evaluators own, and the bell that tells of them. */
import { once } from 'node:events';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { z } from 'zod';
import { bellOn } from '../../sdk/pruning/farm/bell.js';
import { type BlockFile, collect, publish, type Tasks } from '../../sdk/pruning/farm/board.js';
import { evaluateUntilStopped } from '../../sdk/pruning/farm/evaluator.js';
import { type RunFolder, runFolder } from '../../sdk/pruning/farm/folder.js';
import { takeOffice, waitForEntry } from '../../sdk/pruning/farm/journal.js';
import type { Pace } from '../../sdk/pruning/farm/pace.js';
import { fileOf, type Member, ownIdentity, seen } from '../../sdk/pruning/farm/roles.js';
import { joinEvaluators } from '../../sdk/pruning/farm/seat.js';
import { Shares } from '../../sdk/pruning/farm/shares.js';
import { statusOfRun } from '../../sdk/pruning/farm/status.js';
import { stopRun } from '../../sdk/pruning/farm/stop.js';

const PACE: Partial<Pace> = { beatMs: 20, lostMs: 400, leastPollMs: 1, mostPollMs: 10, settleMs: 0 };
const CANDIDATES = [0, 1, 2, 3, 4, 5, 6];
const SQUARES = [0, 1, 4, 9, 16, 25, 36];

async function stage(t: Test, pace: Partial<Pace> = {}) {
  const folder = await runFolder(t.testdir(), 'r', { ...PACE, ...pace });
  const search = await takeOffice(folder, 'search', ['rates']);
  const ends: Promise<unknown>[] = [];
  return {
    folder,
    search,
    async stop(): Promise<void> {
      await stopRun(folder, 'the test is over');
      await Promise.all(ends);
      await search.leave();
    },
    async start(): Promise<string> {
      const seat = await joinEvaluators(folder);
      const squares = (candidates: unknown): readonly number[] =>
        z
          .array(z.number())
          .parse(candidates)
          .map((x) => x * x);
      ends.push(evaluateUntilStopped(seat, async ({ candidates }) => squares(candidates)));
      while (!(await seen(folder, 'evaluator')).some(({ session, isOpen }) => session === seat.session && isOpen));
      return seat.session;
    },
    /** One generation, divided by shares: the results, and who answered. */
    async play(shares: Shares, generation: number) {
      await shares.look();
      const tasks: Tasks = { round: 0, generation, common: null, ...shares.deal(CANDIDATES) };
      await publish(folder, tasks);
      const answers: BlockFile[] = [];
      const onAnswer = (answer: BlockFile): void => {
        answers.push(answer);
        shares.heard(tasks, answer);
      };
      const results = await collect(search, tasks, { schema: z.number(), onAnswer });
      const { owners = [], blockSize } = tasks;
      return { results, owners, blockSize, answers: new Map(answers.map(({ block, session }) => [block, session])) };
    },
  };
}

/** The files of an evaluator that is ready, on another machine, and never shows a sign of life. */
async function silentEvaluator(folder: RunFolder): Promise<string> {
  const member: Member = { role: 'evaluator', epoch: 0, session: '000000000000' };
  await folder.put(fileOf(member, 'claim'), { ...ownIdentity(), space: 'another machine' });
  await folder.put(fileOf(member, 'open'), {});
  return member.session;
}

test('each evaluator owns a block as large as the others, answers it, and claims nothing', async (t) => {
  const { folder, start, play, stop } = await stage(t);
  const sessions = [await start(), await start()].sort();
  const { results, owners, blockSize, answers } = await play(new Shares(folder), 0);
  t.same(results, SQUARES);
  t.same(owners, sessions);
  t.equal(blockSize, 4);
  t.same([...answers].sort(), [...owners.entries()]);
  const files = await folder.list('board');
  t.notOk(files.some((name) => name.includes('.claim.')));
  t.match((await statusOfRun(folder)).board, { blocks: 2, answered: 2, claimed: 0, backlog: 0 });
  await stop();
});

test('one that comes has its share of the next generation; blocks beyond the first of each are anybody’s', async (t) => {
  const { folder, start, play, stop } = await stage(t);
  const shares = new Shares(folder);
  await shares.look();
  t.same(shares.deal(CANDIDATES), { candidates: CANDIDATES, blockSize: 7, owners: [] });
  const first = await start();
  t.same((await play(shares, 1)).owners, [first]);
  const second = await start();
  const { owners, results } = await play(shares, 2);
  t.same(owners, [first, second].sort());
  t.same(results, SQUARES);
  t.same(shares.deal(CANDIDATES, 2), { candidates: CANDIDATES, blockSize: 2, owners });
  t.same(shares.deal([0]).owners, owners.slice(0, 1), 'no more owners than blocks');
  await stop();
});

test('what an owner that is silent does not answer another one does, and it owns nothing more in this round', async (t) => {
  const { folder, start, play, stop } = await stage(t);
  const silent = await silentEvaluator(folder);
  const alive = await start();
  const shares = new Shares(folder);
  const before = await play(shares, 0);
  t.same(before.owners, [silent, alive].sort());
  t.same(before.results, SQUARES);
  t.same(new Set(before.answers.values()), new Set([alive]));
  const after = await play(shares, 1);
  t.same(after.owners, [alive]);
  t.same(after.results, SQUARES);
  await stop();
});

test('one that is dead is passed over in later rounds as well, and one that was slow has shares again', async (t) => {
  const { folder, start, play, stop } = await stage(t);
  const silent = await silentEvaluator(folder);
  const beat = (count: number): Promise<void> =>
    folder.put(fileOf({ role: 'evaluator', epoch: 0, session: silent }, 'beat'), { count, at: '' });
  await beat(1);
  const alive = await start();
  const shares = new Shares(folder);
  t.same((await play(shares, 0)).owners, [silent, alive].sort());
  for (const round of [1, 2, 3]) {
    await shares.begin();
    t.same((await play(shares, round)).owners, [alive], `round ${round}`);
  }
  await beat(2);
  await shares.begin();
  t.same(shares.deal(CANDIDATES).owners, [silent, alive].sort(), 'it has shown a sign of life');
  await stop();
});

test('with looks an hour apart all is heard at once: generations, answers, messages of a journal', async (t) => {
  const hour = 3_600_000;
  const { folder, search, start, play, stop } = await stage(t, { leastPollMs: hour, mostPollMs: hour });
  // A folder that is not there has no bell.
  await publish(folder, { round: 0, generation: 0, blockSize: 1, common: null, candidates: [0] });
  await search.append('rates', 0);
  await start();
  await start();
  const shares = new Shares(folder);
  for (let generation = 1; generation < 6; generation++) t.same((await play(shares, generation)).results, SQUARES);
  const entry = waitForEntry(folder, 'search', { topic: 'rates', number: 1, schema: z.number() });
  await search.append('rates', 17);
  t.equal(await entry, 17);
  await stop();
});

test('a bell rings for news alone, also for what came before one waits, and not twice', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  await folder.put('board/first', 0);
  const heard = new EventTarget();
  const bell = bellOn(join(folder.url, 'board'), (name) => {
    heard.dispatchEvent(new Event(name));
    return name.endsWith('.tasks');
  });
  if (bell === undefined) throw new Error('nobody rings');
  // A bell alone keeps no process from ending.
  const going = setInterval(() => {}, 1000);
  t.teardown(() => {
    clearInterval(going);
    bell.close();
  });
  let isOver = false;
  const waiting = bell.wait(3_600_000).then(() => {
    isOver = true;
  });
  let told = once(heard, '1.claim');
  await folder.put('board/1.claim', 0);
  await told;
  t.notOk(isOver);
  told = once(heard, '1.tasks');
  await folder.put('board/1.tasks', 0);
  await Promise.all([told, waiting]);

  told = once(heard, '2.tasks');
  await folder.put('board/2.tasks', 0);
  await told;
  await bell.wait(3_600_000);
  t.same(bell.take(), ['1.tasks', '2.tasks']);
  t.same(bell.take(), []);
  const ending = new AbortController();
  const again = bell.wait(3_600_000, ending.signal);
  ending.abort(new RangeError('enough'));
  await t.rejects(again, { message: 'enough' }, 'it has not rung again');
});

test('there is no bell on a folder that is not there, nor in a store elsewhere', async (t) => {
  t.equal(
    (await runFolder(t.testdir(), 'r', PACE)).listen('board', () => true),
    undefined,
  );
  t.equal(
    (await runFolder('s3://bucket/work', 'r')).listen('board', () => true),
    undefined,
  );
});

/** A run's folder that goes away under those who work in it. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { z } from 'zod';
import { collect } from '../../sdk/pruning/farm/board.js';
import { runFolder } from '../../sdk/pruning/farm/folder.js';
import { takeOffice } from '../../sdk/pruning/farm/journal.js';
import { forget } from '../../sdk/pruning/farm/roles.js';
import { beginRun } from '../../sdk/pruning/farm/run.js';
import { joinEvaluators, type Seat } from '../../sdk/pruning/farm/seat.js';

const PACE = { beatMs: 20, lostMs: 300, leastPollMs: 1, mostPollMs: 10, settleMs: 0 };

function endOf({ signal }: Seat): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    else signal.addEventListener('abort', () => resolve(signal.reason));
  });
}

test('at their next beat all hear that the folder was removed', async (t) => {
  const workUrl = t.testdir();
  const folder = await runFolder(workUrl, 'r', PACE);
  const seats = [await beginRun(folder, { settings: 1, topics: [] }), await joinEvaluators(folder)];
  const ends = seats.map((seat) => endOf(seat));
  // At one stroke: else a beat may come between.
  renameSync(join(workUrl, 'r'), join(workUrl, 'elsewhere'));
  rmSync(join(workUrl, 'elsewhere'), { recursive: true });
  for (const end of ends) t.match(await end, { code: 'E_RUN_GONE', message: /\/r was removed while the run went on/ });
  for (const seat of seats) await seat.leave();
});

test('who leaves a folder that was removed leaves nothing there', async (t) => {
  const workUrl = t.testdir();
  const folder = await runFolder(workUrl, 'r', { ...PACE, beatMs: 60_000, lostMs: 600_000 });
  const seat = await joinEvaluators(folder);
  rmSync(join(workUrl, 'r'), { recursive: true });
  await t.rejects(seat.requireHeld(), { code: 'E_RUN_GONE' });
  await seat.leave();
  t.notOk(existsSync(join(workUrl, 'r')));
});

test('one that was taken for dead, and whose claim others removed, goes on as long as the run is there', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const main = await beginRun(folder, { settings: 1, topics: [] });
  const seat = await joinEvaluators(folder);
  await forget(folder, seat);
  await seat.requireHeld();
  t.notOk(seat.signal.aborted);
  await seat.leave();
  await main.leave();
});

test('a search whose folder was removed makes no other one, and the run can be begun anew', async (t) => {
  const workUrl = t.testdir();
  const folder = await runFolder(workUrl, 'r', { ...PACE, beatMs: 60_000, lostMs: 600_000 });
  const main = await beginRun(folder, { settings: 1, topics: [] });
  const search = await takeOffice(folder, 'search', ['rates']);
  const tasks = { round: 0, generation: 0, blockSize: 1, common: 0, candidates: [1, 2] };
  const collecting = collect(search, tasks, { schema: z.number() });
  while ((await folder.list('board')).length === 0) await turn();
  renameSync(join(workUrl, 'r'), join(workUrl, 'elsewhere'));
  await t.rejects(collecting, { code: 'E_RUN_GONE' });
  await t.rejects(search.append('rates', [1]), { code: 'E_RUN_GONE' });
  for (const seat of [search, main]) await seat.leave();
  t.notOk(existsSync(join(workUrl, 'r')));
  // What an evaluator had in hand.
  await folder.put('board/answer', 1);
  const anew = await beginRun(folder, { settings: 2, topics: [] });
  await anew.leave();
});

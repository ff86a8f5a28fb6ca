/** The board: blocks are claimed, answered, read in ask order; what is damaged or not ours is put aside. */
import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { type Test, test } from 'tap';
import { z } from 'zod';
import { blockFile, collect, generationsIn, keyOf, type Tasks } from '../../sdk/pruning/farm/board.js';
import { getData, putData, removeData } from '../../sdk/pruning/farm/data.js';
import { evaluateUntilStopped } from '../../sdk/pruning/farm/evaluator.js';
import { type RunFolder, runFolder } from '../../sdk/pruning/farm/folder.js';
import { type Office, readEntry, takeOffice, waitForEntry } from '../../sdk/pruning/farm/journal.js';
import { joinEvaluators, type Seat } from '../../sdk/pruning/farm/seat.js';
import { statusOfRun } from '../../sdk/pruning/farm/status.js';
import { stopRun } from '../../sdk/pruning/farm/stop.js';
import { obsPlace } from '../services/bucket-places.js';
import type { FaultProxy } from '../services/fault-proxy.js';
import type { TestPlace } from '../services/place.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

const PACE = { beatMs: 20, lostMs: 400, leastPollMs: 1, mostPollMs: 10, settleMs: 0 };
const TASKS: Tasks = { round: 3, generation: 5, blockSize: 2, common: 'snapshot', candidates: [0, 1, 2, 3, 4, 5, 6] };
const SQUARES = [0, 1, 4, 9, 16, 25, 36];
const OF_NUMBERS = { schema: z.number() };
const STRANGER = 'aaaaaaaaaaaa';

interface Stage {
  readonly folder: RunFolder;
  readonly search: Office;
  /** Blocks that were evaluated, by their first candidates. */
  readonly evaluated: number[];
  /** Begins to evaluate, in this process. */
  start(
    evaluate?: (candidates: readonly number[]) => Promise<readonly unknown[]>,
  ): Promise<{ seat: Seat; ended: Promise<number> }>;
  /** What the board is called for {@link TASKS}, once it is published. */
  key(): Promise<string>;
  stop(): Promise<void>;
}

async function stage(t: Test, workUrl: string = t.testdir(), pace: object = PACE): Promise<Stage> {
  const folder = await runFolder(workUrl, 'r', { ...PACE, ...pace });
  const search = await takeOffice(folder, 'search', ['rates']);
  const evaluated: number[] = [];
  const ends: Promise<unknown>[] = [];
  return {
    folder,
    search,
    evaluated,
    async start(evaluate = async (candidates) => candidates.map((x) => x * x)) {
      const seat = await joinEvaluators(folder);
      const ended = evaluateUntilStopped(seat, async ({ first, candidates }) => {
        evaluated.push(first);
        return evaluate(z.array(z.number()).parse(candidates));
      });
      ends.push(ended.catch(() => {}));
      return { seat, ended };
    },
    async key() {
      for (;;) {
        const [key] = generationsIn(await folder.list('board'));
        if (key !== undefined) return key;
        await turn();
      }
    },
    async stop() {
      await stopRun(folder, 'the test is over');
      await Promise.all(ends);
      await search.leave();
    },
  };
}

test('results come in ask order, whoever answers first, and nobody does what a living one has claimed', async (t) => {
  const { search, start, stop, evaluated } = await stage(t);
  const gate = new EventTarget();
  const opened = once(gate, 'open');
  const begun = once(gate, 'begun');
  await start(async (candidates) => {
    gate.dispatchEvent(new Event('begun'));
    await opened;
    return candidates.map((x) => x * x);
  });
  const progress: number[] = [];
  const collecting = collect(search, TASKS, {
    ...OF_NUMBERS,
    onProgress(done) {
      progress.push(done);
      // All but what the first one holds.
      if (done >= 5) gate.dispatchEvent(new Event('open'));
    },
  });
  await begun;
  const [held] = evaluated;
  await Promise.all([start(), start()]);
  t.same(await collecting, SQUARES);
  t.equal(progress.at(-1), 7);
  t.equal(evaluated.filter((first) => first === held).length, 1);
  await stop();
});

test('a search that is killed and asks again finds what was answered, and what was answered to others is no answer', async (t) => {
  const { folder, search, start, stop, evaluated } = await stage(t);
  await start();
  t.same(await collect(search, TASKS, OF_NUMBERS), SQUARES);
  t.same(await collect(search, TASKS, OF_NUMBERS), SQUARES);
  t.equal(evaluated.length, 4, 'it was evaluated once');
  t.same(await collect(search, { ...TASKS, common: 'another snapshot' }, OF_NUMBERS), SQUARES);
  t.equal(evaluated.length, 8, 'for another snapshot, again');
  t.equal(generationsIn(await folder.list('board')).length, 1, 'the older one is removed');
  await stop();
});

test('duplicates and answers that come late are ignored', async (t) => {
  const { folder, search, start, key, stop } = await stage(t);
  const collecting = collect(search, TASKS, OF_NUMBERS);
  const name = blockFile(await key(), 'result', { block: 1, session: STRANGER });
  await start();
  await collecting;
  const body = { round: 3, generation: 5, first: 2, results: [4, 9] };
  await folder.put(name, body);
  t.same(await collect(search, TASKS, OF_NUMBERS), SQUARES);
  t.same(await collect(search, { ...TASKS, generation: 6 }, OF_NUMBERS), SQUARES);
  await folder.put(name, body);
  t.same(await collect(search, { ...TASKS, generation: 7 }, OF_NUMBERS), SQUARES);
  t.same(await folder.list('quarantine'), []);
  t.notOk((await folder.list('board')).some((left) => name.endsWith(left)));
  await stop();
});

test('a block that two claim at once is evaluated, and one that a dead evaluator claimed is claimed again', async (t) => {
  const { folder, search, start, key, stop, evaluated } = await stage(t);
  const collecting = collect(search, TASKS, OF_NUMBERS);
  const of = await key();
  // Nobody with this session is a member: it has died, and was forgotten.
  await folder.put(blockFile(of, 'claim', { block: 0, session: STRANGER }), { round: 3, generation: 5, block: 0 });
  await Promise.all(Array.from({ length: 8 }, () => start()));
  t.same(await collecting, SQUARES);
  t.same([...new Set(evaluated)].sort(), [0, 2, 4, 6]);
  await stop();
});

test('what an evaluator fails at is done by another one', async (t) => {
  const { search, start, stop } = await stage(t);
  const failing = await start(async () => {
    throw new RangeError('out of luck');
  });
  const lazy = await start(async () => []);
  const collecting = collect(search, TASKS, OF_NUMBERS);
  await t.rejects(failing.ended, { message: 'out of luck' });
  await t.rejects(lazy.ended, {
    code: 'E_EVALUATE',
    message: /generation 5 of round 3: 0 results for [12] candidates/,
  });
  await start();
  t.same(await collecting, SQUARES);
  await stop();
});

test('truncated, foreign and misplaced messages go into quarantine, are counted, and the work is done', async (t) => {
  const { folder, search, start, stop } = await stage(t);
  await folder.write('board/notes.txt', Buffer.from('not ours'));
  const of = keyOf(TASKS);
  const whole = { round: 3, generation: 5, first: 0, results: [0, 1] };
  const named = (block: number): string => blockFile(of, 'result', { block, session: STRANGER });
  await folder.put(named(1), whole);
  const text = String(await folder.read(named(1)));
  await folder.write(named(0), Buffer.from(text.slice(0, -20)));
  await folder.write(named(2), Buffer.from(text));
  await folder.write(
    named(3),
    Buffer.from(text.replace('"results":[0,1]', '"results":[0,7]').replace(named(1), named(3))),
  );
  await folder.put(named(1), { ...whole, first: 2, results: ['many', 'few'] });
  const collecting = collect(search, TASKS, OF_NUMBERS);
  await start();
  t.same(await collecting, SQUARES);
  const { quarantined, board, members } = await statusOfRun(folder, 60_000);
  t.equal(quarantined.length, 5);
  t.match(board, { round: 3, generation: 5, candidates: 7, blocks: 4, answered: 4, claimed: 0, backlog: 0 });
  t.same(members.map(({ role, state }) => `${role} ${state}`).sort(), ['evaluator alive', 'search alive']);
  await stop();
});

test('an evaluator that finds the arrays of a generation gone, and the generation too, goes on with the next one', async (t) => {
  const { folder, search, start, key, stop } = await stage(t);
  const missing = Buffer.from('the snapshot');
  const ref = await putData(folder, missing);
  const { seat } = await start(async (candidates) => {
    if (await folder.has(`data/${ref.sha256}`)) {
      // As if it had been stopped while others finished the round and the one after it.
      await removeData(folder, ref);
      await folder.remove(`board/${await key()}.tasks`);
      await getData(folder, ref);
    }
    return candidates.map((x) => x * x);
  });
  t.same(await collect(search, TASKS, OF_NUMBERS), SQUARES);
  t.notOk(seat.signal.aborted);
  await stop();
});

test('a disk that is full is waited for, and all go on when there is room', { skip: noSmallDisk }, async (t) => {
  const disk = smallDisk(t, 1 << 20);
  const { search, start, stop } = await stage(t, disk, { beatMs: 100, lostMs: 5000 });
  await start();
  t.same(await collect(search, TASKS, OF_NUMBERS), SQUARES);
  const told = new Promise<void>((resolve) => {
    t.intercept(process.stderr, 'write', {
      value: (text: string) => {
        if (/no space.*waiting for the store/.test(text)) resolve();
        return true;
      },
    });
  });
  const ballast = join(disk, 'ballast');
  t.throws(() => writeFileSync(ballast, Buffer.alloc(2 << 20)), { code: 'ENOSPC' });
  const collecting = collect(search, { ...TASKS, generation: 6 }, OF_NUMBERS);
  await told;
  rmSync(ballast);
  t.same(await collecting, SQUARES);
  t.notOk(search.signal.aborted);
  await stop();
});

test('a folder among the messages is none of them, and left alone', async (t) => {
  const { folder, search, start, stop } = await stage(t);
  await folder.write('board/lost+found/note', Buffer.from('not ours'));
  const collecting = collect(search, TASKS, OF_NUMBERS);
  await start();
  t.same(await collecting, SQUARES);
  t.notOk((await folder.list('board')).includes('lost+found'));
  t.ok(await folder.has('board/lost+found/note'));
  await stop();
});

test('a journal whose newest message is damaged has it again, and one that was damaged while nobody looked is written anew', async (t) => {
  const { folder, search, stop } = await stage(t);
  for (const rate of [1, 2, 3]) await search.append('rates', rate);
  const nameOf = (number: number): string => `journal/search/rates/0000000${number}.000001`;
  await folder.write(nameOf(2), Buffer.from('{"format": "min'));
  const place = (number: number) => ({ topic: 'rates', number, schema: z.number() });
  t.equal(await waitForEntry(folder, 'search', place(2)), 3);
  t.equal((await folder.list('quarantine')).length, 1);
  await search.leave();
  await folder.write(nameOf(1), Buffer.from(''));
  const next = await takeOffice(folder, 'search', ['rates']);
  t.same(next.entries('rates', z.number()), [1]);
  await next.append('rates', 20);
  t.equal(await readEntry(folder, 'search', place(1)), 20);
  t.equal(await readEntry(folder, 'search', place(2)), undefined, 'what followed the damage counts no more');
  t.throws(() => next.entries('rates', z.string()), { code: 'E_JOURNAL' });
  await next.leave();
  await stop();
});

test('arrays are known by their content, and one that was damaged is refused', async (t) => {
  const folder = await runFolder(t.testdir(), 'r', PACE);
  const ref = await putData(folder, Buffer.from('parameters'));
  t.equal(String(await getData(folder, ref)), 'parameters');
  await folder.write(`data/${ref.sha256}`, Buffer.from('parameterz'));
  await t.rejects(getData(folder, ref), { code: 'E_FARM_DATA', message: /data\/[0-9a-f]{64} was damaged/ });
  await t.rejects(getData(folder, ref), { code: 'E_FARM_DATA', message: /is missing/ });
  t.equal((await folder.list('quarantine')).length, 1);
});

test('a search that nobody answers, and an evaluator that nobody asks, do not wait for ever', async (t) => {
  const { search, stop } = await stage(t, t.testdir(), { patienceMs: 50 });
  const told = /an evaluator's answer to generation 5 of round 3 in .*: see with mindts prune status/;
  await t.rejects(collect(search, TASKS, OF_NUMBERS), { code: 'E_FARM_SILENT', message: told });
  await search.leave();
  const seat = await joinEvaluators(await runFolder(t.testdir(), 'another', { ...PACE, patienceMs: 50 }));
  await t.rejects(
    evaluateUntilStopped(seat, async () => []),
    { code: 'E_FARM_SILENT', message: /waited 0 s for work/ },
  );
  await stop();
});

test('a store that fails for longer than its own retries is waited for, and all go on', async (t) => {
  const place = await obsPlace(t);
  Object.assign(process.env, place.env);
  const { search, start, stop } = await stage(t, place.url('work'), { beatMs: 100, lostMs: 5000 });
  await start();
  t.same(await collect(search, TASKS, OF_NUMBERS), SQUARES);
  let failing = 60;
  proxyOf(place).plan = () =>
    failing-- > 0 ? { kind: 'answer', status: 503, headers: { 'Retry-After': '0' } } : undefined;
  t.same(await collect(search, { ...TASKS, generation: 6 }, OF_NUMBERS), SQUARES);
  t.ok(failing <= 0, 'all of them failed');
  t.notOk(search.signal.aborted);
  await stop();
});

test('a store that stays dead ends the roles, and they say so', async (t) => {
  const place = await obsPlace(t);
  Object.assign(process.env, place.env);
  const { search, start } = await stage(t, place.url('work'), { beatMs: 50, patienceMs: 150 });
  const { ended } = await start();
  proxyOf(place).plan = () => ({ kind: 'answer', status: 503, headers: { 'Retry-After': '0' } });
  const told = {
    code: 'E_STORE_DEAD',
    message: /obs:\/\/.*the store has failed for 0 s: start this role again when it is back/,
  };
  await Promise.all([t.rejects(ended, told), t.rejects(collect(search, TASKS, OF_NUMBERS), told)]);
  if (!search.signal.aborted) await once(search.signal, 'abort');
  t.match(search.signal.reason, told, 'a role that does nothing hears of it too');
  await search.leave();
});

function proxyOf({ proxy }: TestPlace): FaultProxy {
  if (proxy === undefined) throw new Error('there is no proxy before this place');
  return proxy;
}

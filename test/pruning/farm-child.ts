/**
 * One role of a run of squares.ts: `farm-child.js '{"role": "main", "workUrl": …, "run": …, "pace": …, "settings": …}'`. It prints a
 * line for every step that it takes. The role `holder` takes the search's office, and appends what it reads.
 */
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { MindtsError } from '../../sdk/base/errors.js';
import { collect } from '../../sdk/pruning/farm/board.js';
import { DataRef, getData, putData } from '../../sdk/pruning/farm/data.js';
import { evaluateUntilStopped } from '../../sdk/pruning/farm/evaluator.js';
import { type RunFolder, runFolder } from '../../sdk/pruning/farm/folder.js';
import { type Office, takeOffice, waitForEntry } from '../../sdk/pruning/farm/journal.js';
import { beginRun, joinRun } from '../../sdk/pruning/farm/run.js';
import { joinEvaluators } from '../../sdk/pruning/farm/seat.js';
import { Shares } from '../../sdk/pruning/farm/shares.js';
import { stopRun, untilAllLeft } from '../../sdk/pruning/farm/stop.js';
import { asked, better, Generation, ORIGIN, Point, Rates, Round, Settings, sumOfSquares, trained } from './squares.js';

const Job = z.object({
  role: z.enum(['main', 'trainer', 'search', 'evaluator', 'holder']),
  workUrl: z.string(),
  run: z.string(),
  pace: z.record(z.string(), z.number()),
  settings: Settings.optional(),
});

/** Whatever a snapshot is: here its numbers as JSON. */
const Snapshot = z.strictObject({ round: z.number(), data: DataRef });

async function main(folder: RunFolder, settings: unknown): Promise<void> {
  const office = await beginRun(folder, { settings, topics: ['rounds'] });
  say('joined');
  const { rounds } = Settings.parse(settings);
  await during(office, async () => {
    for (let round = office.entries('rounds', Round).length; round < rounds; round++) {
      const start = round === 0 ? ORIGIN : (await ratesOf(folder, round - 1, office.signal)).best;
      await office.append('rounds', { round, start });
      say('round');
    }
    await ratesOf(folder, rounds - 1, office.signal);
    await stopRun(folder, 'all rounds are done');
    await untilAllLeft(folder, { except: [office.session] });
  });
}

async function trainer(folder: RunFolder): Promise<void> {
  const office = await takeOffice(folder, 'trainer', ['snapshots']);
  say('joined');
  await during(office, async () => {
    const { rounds } = await joinRun(folder, Settings, office);
    for (let round = office.entries('snapshots', Snapshot).length; round < rounds; round++) {
      const place = { topic: 'rounds', number: round, schema: Round, signal: office.signal };
      const { start } = await waitForEntry(folder, 'main', place);
      const data = await putData(folder, Buffer.from(JSON.stringify(trained(start, round))));
      await office.append('snapshots', { round, data });
      say('snapshot');
    }
    await untilStopped(office);
  });
}

async function search(folder: RunFolder): Promise<void> {
  const office = await takeOffice(folder, 'search', ['generations', 'rates']);
  say('joined');
  await during(office, async () => {
    const settings = await joinRun(folder, Settings, office);
    const { signal } = office;
    const done = office.entries('generations', Generation);
    const shares = new Shares(folder);
    for (let round = office.entries('rates', Rates).length; round < settings.rounds; round++) {
      const place = { topic: 'snapshots', number: round, schema: Snapshot, signal };
      const { data } = await waitForEntry(folder, 'trainer', place);
      await shares.begin();
      let best = round === 0 ? ORIGIN : office.entries('rates', Rates)[round - 1].best;
      for (let generation = 0; generation < settings.generations; generation++) {
        const candidates = asked(settings, best, [round, generation]);
        const earlier = done.find((other) => other.round === round && other.generation === generation);
        // In one round blocks are of one size, in the next one they come out even.
        const dealt = shares.deal(candidates, round % 2 === 0 ? settings.blockSize : undefined);
        const tasks = { round, generation, common: data, ...dealt };
        const results =
          earlier?.results ??
          (await collect(office, tasks, { schema: z.number(), onAnswer: (answer) => shares.heard(tasks, answer) }));
        await shares.look();
        if (earlier === undefined) {
          await office.append('generations', { round, generation, results });
          say('generation');
        }
        best = better(best, candidates, results);
      }
      await office.append('rates', { round, best });
      say('rates');
    }
    await untilStopped(office);
  });
}

async function evaluator(folder: RunFolder): Promise<void> {
  const seat = await joinEvaluators(folder);
  say('joined');
  await evaluateUntilStopped(seat, async ({ common, candidates }) => {
    say('block');
    const snapshot = Point.parse(JSON.parse(String(await getData(folder, DataRef.parse(common)))));
    return candidates.map((candidate) => sumOfSquares(snapshot, Point.parse(candidate)));
  });
}

async function holder(folder: RunFolder): Promise<void> {
  const office = await takeOffice(folder, 'search', ['rates']);
  say('joined');
  for await (const line of createInterface(process.stdin)) {
    if (line === 'leave') break;
    say(`appended ${await office.append('rates', line)}`);
  }
  await office.leave();
}

function ratesOf(folder: RunFolder, round: number, signal: AbortSignal): Promise<z.infer<typeof Rates>> {
  return waitForEntry(folder, 'search', { topic: 'rates', number: round, schema: Rates, signal });
}

async function during(office: Office, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } finally {
    await office.leave();
  }
}

async function untilStopped({ signal }: Office): Promise<never> {
  await new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve());
  });
  throw signal.reason;
}

function say(what: string): void {
  process.stdout.write(`${what}\n`);
}

const ROLES = { main, trainer, search, evaluator, holder };
const { role, workUrl, run, pace, settings } = Job.parse(JSON.parse(process.argv[2]));
try {
  await ROLES[role](await runFolder(workUrl, run, pace), settings);
} catch (error) {
  if (!(error instanceof MindtsError)) throw error;
  say(`${error.code} ${error.message}`);
  process.exitCode = error.code === 'E_STOPPED' ? 0 : 1;
}

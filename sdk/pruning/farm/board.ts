/**
 * What is to be evaluated: one generation of candidates in the order in which they were asked for, cut into blocks. All of it lies in one
 * folder, so that one listing shows everything:
 *
 *     <generation>.tasks                       the candidates
 *     <generation>.claim.<block>.<session>     an evaluator works on a block that nobody owned
 *     <generation>.result.<block>.<session>    what came of it
 *
 * A generation is called by its round, its number and the hash of its tasks, snapshot included: a search that was killed and asks again
 * for the same finds what was answered, and an answer to anything else can never be taken for one. Claims only spare work: two who
 * evaluate one block write the same under two names, and one of them is read.
 */
import { z } from 'zod';
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';
import { hashOf } from './message.js';
import { Waits } from './pace.js';
import { anybodyLives } from './roles.js';
import type { Seat } from './seat.js';

export const Tasks = z.strictObject({
  round: z.int().min(0),
  generation: z.int().min(0),
  /** Candidates of a block, the last one's perhaps fewer. */
  blockSize: z.int().min(1),
  /** The sessions of evaluators to whom the first blocks belong: as good as claims, see shares.ts. */
  owners: z.array(z.string()).optional(),
  /** What all candidates have in common: which snapshot, which pictures, which constraint. */
  common: z.unknown(),
  candidates: z.array(z.unknown()).min(1),
});
/** A generation that is to be evaluated; all of it plain data. */
export type Tasks = z.infer<typeof Tasks>;

export const Results = z.strictObject({
  round: z.int(),
  generation: z.int(),
  /** The number of the block's first candidate. */
  first: z.int(),
  results: z.array(z.unknown()),
});

/** Publishes a generation, so that evaluators begin while the search has something else to do before it {@link collect}s. */
export async function publish(folder: RunFolder, tasks: Tasks): Promise<void> {
  await folder.put(`board/${keyOf(tasks)}.tasks`, tasks);
}

/**
 * Publishes a generation, where that was not done, and waits for its results; what is left of other generations is removed.
 *
 * @param seat the search's; when it has to end, the waiting does
 * @param options schema: of one result; onProgress: called with how many candidates are done; onAnswer: with who has answered
 * @returns the results in ask order, whoever answered and when
 * @throws PruningError `E_FARM_SILENT` when no answer came for `patienceMs` and no evaluator lives; `E_EVALUATE` when answers come that are none;
 * the seat's reason to end
 */
export async function collect<T>(
  seat: Seat,
  tasks: Tasks,
  {
    schema,
    onProgress,
    onAnswer,
  }: {
    readonly schema: z.ZodType<T>;
    readonly onProgress?: (done: number) => void;
    readonly onAnswer?: (answer: BlockFile) => void;
  },
): Promise<readonly T[]> {
  const { folder, signal } = seat;
  const key = keyOf(tasks);
  const blocks = blockCount(tasks);
  const answers = new Map<number, readonly T[]>();
  const what = `an evaluator's answer to generation ${tasks.generation} of round ${tasks.round} in ${shownUrl(folder.url)}`;
  const bell = folder.listen('board', (name) => name.startsWith(`${key}.result.`));
  const isHopeful = (): Promise<boolean> => anybodyLives(folder, ['evaluator']);
  const waits = new Waits({ pace: folder.pace, what, signal, isHopeful, bell });
  let damaged = 0;
  let isClean = false;
  try {
    for (let news: readonly string[] = []; ; news = await waits.wait()) {
      signal.throwIfAborted();
      const names = news.length > 0 ? news : await folder.list('board');
      // At first, and should anybody have taken it away; but not into a folder that was removed as a whole.
      if (news.length === 0 && !names.includes(`${key}.tasks`)) {
        await seat.requireHeld();
        await publish(folder, tasks);
      }
      if (!isClean) await clean(folder, names, key);
      isClean = true;
      const before = answers.size;
      for (const file of filesOf(names, key).results) {
        const { block, name } = file;
        if (answers.has(block) || block >= blocks) continue;
        const answer = await answerIn(folder, name, { tasks, block, schema });
        if (answer !== undefined) {
          answers.set(block, answer);
          onAnswer?.(file);
        } else if (++damaged > MOST_DAMAGED) {
          const told = `${damaged} answers to generation ${tasks.generation} of round ${tasks.round} were none`;
          throw new PruningError(
            'E_EVALUATE',
            `${told}, see ${shownUrl(folder.url)}/quarantine: is an evaluator of another version?`,
          );
        }
      }
      if (answers.size > before) {
        waits.begin();
        onProgress?.([...answers.values()].reduce((sum, { length }) => sum + length, 0));
      }
      if (answers.size === blocks) return Array.from({ length: blocks }, (_, block) => answers.get(block) ?? []).flat();
    }
  } finally {
    bell?.close();
  }
}

/** The generations on the board, the newest first. */
export function generationsIn(names: readonly string[]): readonly string[] {
  return names
    .flatMap((name) => /^(\d{6}-\d{8}-[0-9a-f]{32})\.tasks$/.exec(name)?.[1] ?? [])
    .sort()
    .toReversed();
}

/** A file of one block. */
export interface BlockFile {
  readonly block: number;
  readonly session: string;
  /** In the run's folder. */
  readonly name: string;
}

/** The claims and results of a generation. */
export function filesOf(
  names: readonly string[],
  key: string,
): { readonly claims: readonly BlockFile[]; readonly results: readonly BlockFile[] } {
  const files = names.flatMap((name) => {
    const [, of, what, block, session] = FILE.exec(name) ?? [];
    return of === key ? [{ what, block: Number(block), session, name: `board/${name}` }] : [];
  });
  const [claims, results] = ['claim', 'result'].map((wanted) => files.filter(({ what }) => what === wanted));
  return { claims, results };
}

/** By chance a few; more are an evaluator that speaks otherwise. */
const MOST_DAMAGED = 100;
const FILE = /^(\d{6}-\d{8}-[0-9a-f]{32})\.(claim|result)\.(\d{6})\.([0-9a-f]{12})$/;
const TASKS = /^\d{6}-\d{8}-[0-9a-f]{32}\.tasks$/;

/** The name of a block's claim or result. */
export function blockFile(key: string, what: 'claim' | 'result', { block, session }: Omit<BlockFile, 'name'>): string {
  return `board/${key}.${what}.${String(block).padStart(6, '0')}.${session}`;
}

export function blockCount({ candidates, blockSize }: Pick<Tasks, 'candidates' | 'blockSize'>): number {
  return Math.ceil(candidates.length / blockSize);
}

export function candidatesIn({ candidates, blockSize }: Tasks, block: number): readonly unknown[] {
  return candidates.slice(block * blockSize, (block + 1) * blockSize);
}

/**
 * What a generation is called: its round, its number and the hash of all that is to be evaluated.
 *
 * @throws PruningError `E_TASKS` for what is none
 */
export function keyOf(tasks: Tasks): string {
  const checked = Tasks.safeParse(tasks);
  if (!checked.success) {
    const { path, message } = checked.error.issues[0];
    throw new PruningError('E_TASKS', `a generation's ${path.join('.')}: ${message}`);
  }
  const { round, generation } = tasks;
  return `${String(round).padStart(6, '0')}-${String(generation).padStart(8, '0')}-${hashOf(tasks).slice(0, 32)}`;
}

async function answerIn<T>(
  folder: RunFolder,
  name: string,
  { tasks, block, schema }: { readonly tasks: Tasks; readonly block: number; readonly schema: z.ZodType<T> },
): Promise<readonly T[] | undefined> {
  const count = candidatesIn(tasks, block).length;
  const { round, generation, blockSize } = tasks;
  const wanted = Results.extend({
    round: z.literal(round),
    generation: z.literal(generation),
    first: z.literal(block * blockSize),
    results: z.array(schema).length(count),
  });
  const found = await folder.take(name, wanted);
  return found?.results;
}

/** Removes what is left of other generations. What is no file of a board goes into quarantine. */
async function clean(folder: RunFolder, names: readonly string[], key: string): Promise<void> {
  for (const name of names) {
    if (name.startsWith(`${key}.`)) continue;
    if (FILE.test(name) || TASKS.test(name)) await folder.remove(`board/${name}`);
    else await folder.quarantine(`board/${name}`, 'is no file of this run');
  }
}

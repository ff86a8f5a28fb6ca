/** A run of pruning as one who looks on sees it: what its roles and journals say, put together. */
import { z } from 'zod';
import type { RunFolder } from '../farm/folder.js';
import { readEntry } from '../farm/journal.js';
import { observed } from '../farm/observer.js';
import { isHere, type MemberStatus, type RunStatus } from '../farm/status.js';
import { type RoundProgressNow, roundProgressSchema } from '../round-progress.js';
import { ClusterRun, EvaluatorProgress, TrainerProgress, TurnDone } from './messages.js';

/** What is not known is undefined. */
export interface Overview {
  readonly network: string | undefined;
  readonly method: string | undefined;
  readonly iteration: number | undefined;
  readonly iterations: number | undefined;
  /** Rounds of the whole run; they are counted from 0. */
  readonly rounds: number | undefined;
  /** What the network has come to: all its parameters divided by those that are kept, and the accuracy on the validation split. */
  readonly reached: { readonly iteration: number; readonly ratio: number; readonly accuracy: number } | undefined;
  /** The round that is being searched. */
  readonly search: RoundProgressNow | undefined;
  /** Until the run ends, as the trainer has it. */
  readonly secondsLeft: number | undefined;
  /** What each evaluator does, by its session. */
  readonly evaluators: ReadonlyMap<string, EvaluatorProgress>;
}

/** Puts together what is known of a run whose status is known. */
export async function overviewOf(given: RunFolder, { members }: RunStatus): Promise<Overview> {
  const folder = observed(given);
  const told = (await folder.take('run.json', z.looseObject({ settings: z.unknown() })))?.settings;
  const { data: run } = ClusterRun.safeParse(told);
  const turn = await lastTurn(folder);
  const trainer = progressIn(members, 'trainer', TrainerProgress);
  return {
    network: run?.network,
    method: run?.settings.method,
    // Signs of life are up to a beat behind.
    iteration: latest(trainer?.iteration, turn?.iteration),
    iterations: run?.settings.iterations,
    rounds: run && Math.ceil(run.settings.prune_stop / run.settings.search_every),
    reached: turn && { iteration: turn.iteration, ratio: turn.total / turn.kept, accuracy: turn.accuracy },
    search: progressIn(members, 'search', roundProgressSchema),
    secondsLeft: trainer?.secondsLeft,
    evaluators: new Map(
      members.flatMap(({ role, session, progress }) => {
        const { data } = EvaluatorProgress.safeParse(progress);
        return role === 'evaluator' && data !== undefined ? [[session, data] as const] : [];
      }),
    ),
  };
}

function latest(...iterations: readonly (number | undefined)[]): number | undefined {
  const known = iterations.filter((iteration) => iteration !== undefined);
  return known.length > 0 ? Math.max(...known) : undefined;
}

/** What the one who has a role now says. */
function progressIn<T>(members: readonly MemberStatus[], role: string, schema: z.ZodType<T>): T | undefined {
  const holder = members.find((member) => member.role === role && isHere(member));
  return schema.safeParse(holder?.progress).data;
}

/** What the trainer has come to; a number that is not there for good yet is passed over. */
async function lastTurn(folder: RunFolder): Promise<TurnDone | undefined> {
  const names = await folder.list('journal/trainer/states');
  const numbers = names.flatMap((name) => /^(\d{8})\.\d{6}$/.exec(name)?.[1] ?? []).map(Number);
  for (const number of [...new Set(numbers)].sort((a, b) => b - a)) {
    const turn = await readEntry(folder, 'trainer', { topic: 'states', number, schema: TurnDone });
    if (turn !== undefined) return turn;
  }
  return undefined;
}

/** A run on one machine: this process searches, and its state and journal lie in a folder. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { log } from '../base/log.js';
import { evaluateHere } from './evaluate-here.js';
import { type Journal, openJournal } from './journal.js';
import type { Surroundings } from './prune.js';
import { countOf, searchRound } from './round.js';
import { RoundProgress, shownProgress } from './round-progress.js';
import { loadRun, type RunState, saveRun } from './run-state.js';

/** The files of a run in its folder. */
export const RUN_FILES = { state: 'state.safetensors', journal: 'journal.jsonl' } as const;

/** Where a run on one machine lies. */
export interface AloneOptions {
  readonly folder: string;
  /** Goes on from what lies there. */
  readonly resume?: boolean;
  /** Called after each saving, such as to copy the folder. */
  readonly saved?: () => Promise<unknown>;
}

/**
 * Opens it; close it at the end.
 *
 * @throws PruningError `E_JOURNAL` for a damaged journal; StorageError `E_WRITE`
 */
export async function alone({
  folder,
  resume = false,
  saved,
}: AloneOptions): Promise<Surroundings & { close(): Promise<void> }> {
  const path = join(folder, RUN_FILES.state);
  // What an earlier run left where it was told to work.
  if (!resume) for (const name of Object.values(RUN_FILES)) await rm(join(folder, name), { force: true });
  const journal: Journal = await openJournal(join(folder, RUN_FILES.journal));
  return {
    async load(expected) {
      const state = resume ? await loadRun(path, expected) : undefined;
      if (state !== undefined) warnOfGap(journal, state);
      return state;
    },
    // The journal says nothing of whose it is: the state does, from before its first line.
    start: (state) => saveRun(path, state),
    async save(state) {
      await saveRun(path, state);
      await saved?.();
    },
    search(problem, trainer, note) {
      const known = journal.generations.filter(({ round }) => round === problem.round);
      const progress = new RoundProgress(problem, countOf(known));
      return searchRound(problem, evaluateHere(trainer, problem.snapshot), {
        known,
        async told(generation, best) {
          await journal.add(generation);
          const now = progress.told(generation, best);
          note(shownProgress(now), now.secondsLeft);
        },
      });
    },
    close: () => journal.close(),
  };
}

/** The run goes on without what is missing, but nobody can replay it. */
function warnOfGap({ generations }: Journal, { candidates }: RunState): void {
  const known = countOf(generations);
  if (known >= candidates) return;
  log.warn(`${RUN_FILES.journal} holds ${known} of the ${candidates} candidates that were evaluated; the run goes on`);
}

/**
 * Pruning on one machine, from the dense network to the pruned one: rounds of search with training between them, then retraining under a mask
 * that stays. Saves itself as it goes, so that a killed run goes on to the same bits.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { log } from '../base/log.js';
import { startProgress } from '../base/progress.js';
import { goalOf } from './course.js';
import { evaluateHere } from './evaluate-here.js';
import { type Journal, openJournal } from './journal.js';
import { compressionOf } from './pruned-layers.js';
import { searchRound } from './round.js';
import { loadRun, type Moment, type RunState, saveRun } from './run-state.js';
import type { PruneSettings } from './settings.js';
import { PruneTrainer, type TrainerOptions } from './trainer.js';

/** What came of a run. */
export interface Pruned {
  readonly values: Float32Array;
  readonly mask: Uint8Array;
  /** The accuracy on the validation split that these parameters were chosen by. */
  readonly validation: number;
  readonly moments: readonly Moment[];
  /** Of all processes that have been at it. */
  readonly seconds: number;
  /** Candidates evaluated. */
  readonly candidates: number;
  /** Rounds in which some candidate met the constraint, and all that searched. */
  readonly rounds: { readonly found: number; readonly searched: number };
}

/** What a run needs besides what is trained. */
export interface PruneOptions {
  /** Where `state.safetensors` and `journal.jsonl` lie. */
  readonly folder: string;
  /** Goes on from what lies there. */
  readonly resume?: boolean;
  /** The data, the network and its parameters, by a checksum: a run is not resumed with others. */
  readonly identity: string;
  readonly signal?: AbortSignal | undefined;
  /** Called after each saving, such as to copy the folder. */
  readonly saved?: () => Promise<unknown>;
}

/** The files of a run in its folder. */
export const RUN_FILES = { state: 'state.safetensors', journal: 'journal.jsonl' } as const;

/**
 * Prunes.
 *
 * @throws PruningError `E_RUN` for a folder of another run, `E_SETTINGS`, `E_JOURNAL`, …; TrainError `E_DIVERGED`, `E_INTERRUPTED`;
 *   StorageError `E_WRITE`
 */
export async function prune(options: TrainerOptions, run: PruneOptions): Promise<Pruned> {
  const { settings, network } = options;
  const trainer = new PruneTrainer(options);
  const statePath = join(run.folder, RUN_FILES.state);
  // What an earlier run left where it was told to work.
  if (!run.resume) for (const name of Object.values(RUN_FILES)) await rm(join(run.folder, name), { force: true });
  const journal = await openJournal(join(run.folder, RUN_FILES.journal));
  const bar = startProgress({ label: `pruning ${network.name}`, total: settings.iterations, unit: 'iterations' });
  const began = performance.now();
  try {
    const identity = `${run.identity} ${JSON.stringify(settings)} ${options.engine.description}`;
    const { layers } = trainer;
    let state = run.resume ? await loadRun(statePath, { identity, layers, size: network.parameterCount }) : undefined;
    if (state !== undefined) {
      trainer.restore(state.snapshot);
      log.info(`resuming at iteration ${trainer.iteration} of ${settings.iterations}`);
      bar.credit(trainer.iteration);
    }
    state ??= { ...emptyState(trainer), identity };
    const before = state.seconds;
    const seconds = (): number => before + (performance.now() - began) / 1000;
    while (trainer.iteration < settings.iterations) {
      const isPruning = trainer.iteration < settings.prune_stop;
      if (isPruning) state = await round(trainer, { state, settings, journal, bar });
      const end = isPruning ? settings.prune_stop : settings.iterations;
      const next = Math.min(end, trainer.iteration + settings.search_every);
      await trainer.advance(next, { signal: run.signal });
      state = await look(trainer, state, settings);
      bar.update(trainer.iteration, noteOf(state, trainer));
      state = { ...state, seconds: seconds() };
      await saveRun(statePath, state);
      await run.saved?.();
    }
    bar.done();
    const { best, snapshot, moments, candidates, rounds } = state;
    const validation = best?.accuracy ?? moments[moments.length - 1]?.accuracy ?? 0;
    const values = best?.values ?? snapshot.values;
    return { values, mask: snapshot.mask, validation, moments, candidates, rounds, seconds: seconds() };
  } catch (error) {
    bar.fail();
    throw error;
  } finally {
    await journal.close();
    trainer.close();
  }
}

function emptyState(trainer: PruneTrainer): Omit<RunState, 'identity'> {
  const snapshot = trainer.snapshot();
  return { snapshot, best: undefined, moments: [], candidates: 0, rounds: { found: 0, searched: 0 }, seconds: 0 };
}

/** Searches, and takes what was found. */
async function round(
  trainer: PruneTrainer,
  {
    state,
    settings,
    journal,
    bar,
  }: {
    readonly state: RunState;
    readonly settings: PruneSettings;
    readonly journal: Journal;
    readonly bar: ReturnType<typeof startProgress>;
  },
): Promise<RunState> {
  const { iteration } = trainer;
  const number = Math.floor(iteration / settings.search_every);
  const snapshot = trainer.snapshot();
  const { total, kept: keptNow } = compressionOf(snapshot.layers, snapshot.mask);
  const { correct: reference } = await trainer.evaluate(trainer.scored);
  const goal = goalOf(iteration, total, settings);
  // Nothing to choose: all that is kept may stay.
  if (goal !== undefined && goal >= keptNow) return state;
  const images = trainer.scored.length;
  const started = performance.now();
  let evaluated = 0;
  const result = await searchRound(
    { round: number, snapshot, settings, images, reference, goal },
    evaluateHere(trainer, snapshot),
    {
      known: journal.generations.filter((generation) => generation.round === number),
      async told(generation, best) {
        await journal.add(generation);
        evaluated += generation.rates.length;
        const speed = evaluated / ((performance.now() - started) / 1000);
        const kept = best?.kept.reduce((sum, one) => sum + one, 0);
        const found =
          best && kept
            ? `best ${(total / kept).toFixed(1)}× at ${percent(best.correct / images)}`
            : 'none meets the constraint yet';
        bar.update(
          iteration,
          `round ${number}, generation ${generation.generation}: ${found}, ${speed.toFixed(0)} candidates/s`,
        );
      },
    },
  );
  const searched = state.rounds.searched + Number(result.evaluated > 0);
  const rounds = { searched, found: state.rounds.found + Number(result.rates !== undefined) };
  if (result.rates !== undefined) {
    trainer.apply(result.rates);
    const { ratio } = compressionOf(snapshot.layers, trainer.snapshot().mask);
    log.info(
      `round ${number}: ${ratio.toFixed(1)}× with ${percent((result.score?.correct ?? 0) / images)} after ${result.evaluated} candidates`,
    );
  } else if (result.evaluated > 0) {
    log.warn(
      `round ${number}: none of ${result.evaluated} candidates loses at most ${settings.delta} of the accuracy: nothing is pruned`,
    );
  }
  return { ...state, rounds, candidates: state.candidates + result.evaluated };
}

/** Looks at the validation split, and keeps the best of the retraining. */
async function look(trainer: PruneTrainer, state: RunState, settings: PruneSettings): Promise<RunState> {
  const { validation } = trainer.split;
  const { correct, loss } = await trainer.evaluate(validation);
  const snapshot = trainer.snapshot();
  const accuracy = correct / validation.length;
  const { kept } = compressionOf(snapshot.layers, snapshot.mask);
  const moments = [...state.moments, { iteration: trainer.iteration, kept, accuracy, loss }];
  const isRetrained = trainer.iteration > settings.prune_stop || trainer.iteration === settings.iterations;
  const isBest = isRetrained && (state.best === undefined || accuracy >= state.best.accuracy);
  return { ...state, snapshot, moments, best: isBest ? { values: snapshot.values, accuracy } : state.best };
}

function noteOf({ moments }: RunState, { layers }: PruneTrainer): string {
  const last = moments.at(-1);
  if (last === undefined) return '';
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  return `${(total / last.kept).toFixed(1)}×, validation ${percent(last.accuracy)}`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}

/**
 * A run of pruning, from the dense network to the pruned one: rounds of search with training between them, then retraining under a mask
 * that stays. Who searches and what keeps its state is left to its {@link Surroundings}.
 */
import { TrainError } from '../base/errors.js';
import { log } from '../base/log.js';
import { startProgress } from '../base/progress.js';
import { goalOf } from './course.js';
import { Outlook } from './outlook.js';
import { compressionOf } from './pruned-layers.js';
import { regrownOf } from './regrow.js';
import type { RoundProblem, RoundResult } from './round.js';
import type { Expected, Moment, RunState } from './run-state.js';
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

/** Says how far a search is; left: the seconds that it takes yet, where they are known. */
export type Note = (text: string, left?: number) => void;

/** Who searches for a run, and keeps its state: this process and a folder, or the other roles of a cluster. */
export interface Surroundings {
  /** The state that was kept last; undefined where the run begins. */
  load(expected: Expected): Promise<RunState | undefined>;
  /** Keeps the state that a run begins with. */
  start?(state: RunState): Promise<void>;
  /** Keeps a state; it is after so many turns. */
  save(state: RunState, turns: number): Promise<void>;
  /** Called before each turn. */
  begin?(turn: number): Promise<void>;
  /** Hears how far the run is. */
  shown?(iteration: number, secondsLeft: number | undefined): void;
  /** Searches for the rates of a round, whose snapshot the trainer is at. */
  search(problem: RoundProblem, trainer: PruneTrainer, note: Note): Promise<RoundResult>;
}

/** What a run needs besides what is trained. */
export interface PruneOptions {
  readonly surroundings: Surroundings;
  /** The data, the network and its parameters, by a checksum: a run is not resumed with others. */
  readonly identity: string;
  /** Called when nothing more is refused, before anything is done. */
  readonly prepare?: (() => Promise<unknown>) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The iterations that a run stops at, after each of its turns: a round of search where there is one, training, a look.
 *
 * @example
 * turnsOf({ iterations: 50, prune_stop: 30, search_every: 20 }); // [20, 30, 50]
 */
export function turnsOf({
  iterations,
  prune_stop: stop,
  search_every: every,
}: Pick<PruneSettings, 'iterations' | 'prune_stop' | 'search_every'>): readonly number[] {
  const turns: number[] = [];
  for (let at = 0; at < iterations; turns.push(at)) at = Math.min(at < stop ? stop : iterations, at + every);
  return turns;
}

/**
 * Prunes. What it does depends on the options and on what searches find alone; so one process and a cluster come to the same bits.
 *
 * @throws PruningError `E_RUN` for a state of another run, `E_SETTINGS`, …; TrainError `E_DIVERGED`, `E_INTERRUPTED`; what the surroundings throw
 */
export async function prune(
  options: TrainerOptions,
  { surroundings, identity: given, prepare, signal }: PruneOptions,
): Promise<Pruned> {
  const { settings, network } = options;
  const trainer = new PruneTrainer(options);
  const bar = startProgress({ label: 'pruning', total: settings.iterations, unit: 'steps' });
  const outlook = new Outlook(settings);
  function show(iteration: number, note: string, left: number | undefined): void {
    bar.update(iteration, note, left);
    surroundings.shown?.(iteration, left);
  }
  const began = performance.now();
  // Whoever listens is given the time to end in order, in a search as well.
  signal?.addEventListener('abort', goOn);
  try {
    const identity = `${given} ${JSON.stringify(settings)} ${options.engine.description}`;
    const { layers } = trainer;
    let state = await surroundings.load({ identity, layers, size: network.parameterCount });
    await prepare?.();
    if (state !== undefined) {
      trainer.restore(state.snapshot);
      log.info(`resuming at iteration ${trainer.iteration} of ${settings.iterations}`);
      bar.credit(trainer.iteration);
    }
    if (state === undefined) {
      state = { ...emptyState(trainer), identity };
      await surroundings.start?.(state);
    }
    const before = state.seconds;
    const seconds = (): number => before + (performance.now() - began) / 1000;
    for (const [turn, next] of turnsOf(settings).entries()) {
      if (next <= trainer.iteration) continue;
      await surroundings.begin?.(turn);
      if (trainer.iteration < settings.prune_stop) {
        const problem = await problemOf(trainer, settings);
        if (problem !== undefined) {
          const { iteration } = trainer;
          const from = seconds();
          const spent = (): number => seconds() - from;
          const result = await surroundings.search(problem, trainer, (note, left) => {
            show(iteration, note, outlook.left(iteration, { spent: spent(), left }));
            if (signal?.aborted) throw stoppedIn(problem);
          });
          outlook.searched(spent());
          show(iteration, 'training', outlook.left(iteration, { spent: spent(), left: 0 }));
          state = take(trainer, state, { problem, result });
        }
      }
      const [from, steps] = [seconds(), next - trainer.iteration];
      await trainer.advance(next, { signal });
      state = await look(trainer, state, settings);
      outlook.trained(steps, seconds() - from);
      show(next, noteOf(state, trainer), outlook.left(next));
      state = { ...state, seconds: seconds() };
      await surroundings.save(state, turn + 1);
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
    signal?.removeEventListener('abort', goOn);
    trainer.close();
  }
}

function goOn(): void {}

function stoppedIn({ round, snapshot, settings }: RoundProblem): TrainError {
  const where = `iteration ${snapshot.iteration} of ${settings.iterations}`;
  return new TrainError('E_INTERRUPTED', `stopped in the search of round ${round}, at ${where}`);
}

function emptyState(trainer: PruneTrainer): Omit<RunState, 'identity'> {
  const snapshot = trainer.snapshot();
  return { snapshot, best: undefined, moments: [], candidates: 0, rounds: { found: 0, searched: 0 }, seconds: 0 };
}

/** What the round at this iteration has to find; undefined where there is nothing to choose, since all that is kept may stay. */
export async function problemOf(trainer: PruneTrainer, settings: PruneSettings): Promise<RoundProblem | undefined> {
  const { iteration } = trainer;
  const { total, kept } = compressionOf(trainer.layers, trainer.snapshot().mask);
  const left = goalOf(iteration, total, settings);
  const goal = left === undefined ? undefined : left - regrownOf(iteration, left, settings);
  if (goal !== undefined && goal >= kept) return undefined;
  await trainer.weigh();
  const snapshot = trainer.snapshot();
  const { correct: reference } = await trainer.evaluate(trainer.scored);
  const round = Math.floor(iteration / settings.search_every);
  return { round, snapshot, settings, images: trainer.scored.length, reference, goal };
}

/** Takes what was found. */
function take(
  trainer: PruneTrainer,
  state: RunState,
  {
    problem: { round, snapshot, settings, images },
    result,
  }: { readonly problem: RoundProblem; readonly result: RoundResult },
): RunState {
  const searched = state.rounds.searched + Number(result.evaluated > 0);
  const rounds = { searched, found: state.rounds.found + Number(result.rates !== undefined) };
  if (result.rates !== undefined) {
    trainer.apply(result.rates);
    const { ratio } = compressionOf(snapshot.layers, trainer.snapshot().mask);
    log.info(
      `round ${round}: ${ratio.toFixed(1)}× with ${percent((result.score?.correct ?? 0) / images)} after ${result.evaluated} candidates`,
    );
  } else if (result.evaluated > 0) {
    log.warn(
      `round ${round}: none of ${result.evaluated} candidates loses at most ${settings.delta} of the accuracy: nothing is pruned`,
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

/** A round of a run, stood still: the same snapshot for every search, and someone who scores candidates. */
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { evaluateHere } from '../../sdk/pruning/evaluate-here.js';
import { problemOf, turnsOf } from '../../sdk/pruning/prune.js';
import { type Evaluate, type RoundProblem, searchRound } from '../../sdk/pruning/round.js';
import type { PruneSettings } from '../../sdk/pruning/settings.js';
import { PruneTrainer } from '../../sdk/pruning/trainer.js';
import type { Trained } from './inputs.js';

/** Close it at the end. */
export interface FixedRound {
  readonly problem: RoundProblem;
  readonly evaluate: Evaluate;
  close(): void;
}

/**
 * Prunes as a run with these settings does, up to the round at an iteration.
 *
 * @param at where a round is, a multiple of the settings' `search_every`
 */
export async function fixedRound(trained: Trained, settings: PruneSettings, at: number): Promise<FixedRound> {
  // Two threads on any machine: how many there are changes the last bits of what was learnt.
  const trainer = new PruneTrainer({ ...trained, settings, engine: nativeEngine({ threads: 2 }) });
  try {
    for (const next of turnsOf(settings).filter((turn) => turn <= at)) {
      const problem = await problemOf(trainer, settings);
      if (problem !== undefined) {
        const { rates } = await searchRound(problem, evaluateHere(trainer, problem.snapshot));
        if (rates !== undefined) trainer.apply(rates);
      }
      await trainer.advance(next);
    }
    const problem = await problemOf(trainer, settings);
    if (problem === undefined || trainer.iteration !== at) {
      throw new Error(`no round searches at iteration ${at} of these settings`);
    }
    return { problem, evaluate: evaluateHere(trainer, problem.snapshot), close: () => trainer.close() };
  } catch (error) {
    trainer.close();
    throw error;
  }
}

/** Candidates evaluated in this process: the engine takes a generation at once, and spreads it over its threads. */
import type { Evaluate } from './round.js';
import { bounded, type PruneTrainer, type TrainerSnapshot } from './trainer.js';

/**
 * An evaluator of a trainer's candidates.
 *
 * @param snapshot the round's, which the trainer is at
 */
export function evaluateHere(trainer: PruneTrainer, { layers, statistics, saliency }: TrainerSnapshot): Evaluate {
  const { masking, data, order } = trainer.candidates;
  return async (candidates) => {
    const rates = candidates.map((each) => each.map((rate) => rate ?? undefined));
    const { correct, losses, kept } = await masking.evaluate(data, order, {
      ...bounded(layers, statistics, rates),
      saliency,
    });
    return candidates.map((_, c) => ({
      correct: correct[c],
      // Neither a journal nor a message can say that it is no number.
      loss: Number.isFinite(losses[c]) ? losses[c] : Number.MAX_VALUE,
      kept: [...kept.subarray(c * layers.length, (c + 1) * layers.length)],
    }));
  };
}

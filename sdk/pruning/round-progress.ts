/** How far the search of a round is, and how fast it goes: for whoever looks on, here or on other machines. */
import { z } from 'zod';
import type { Generation, RoundProblem, Score } from './round.js';
import { Throughput } from './throughput.js';

/** How far it is after a generation. */
export const roundProgressSchema = z.strictObject({
  round: z.int().min(0),
  /** The last one that was told; absent before the first. */
  generation: z.int().min(0).optional(),
  /** Evaluated in this round. */
  candidates: z.int().min(0),
  /** What the best candidate that meets the constraint comes to, where one does. */
  best: z.strictObject({ ratio: z.number(), loss: z.number(), accuracy: z.number() }).optional(),
  candidatesPerSecond: z.number().optional(),
  /** Of this round. */
  secondsLeft: z.number().optional(),
});
/** How far a round is. */
export type RoundProgressNow = z.infer<typeof roundProgressSchema>;

/**
 * Follows a round. The time that its first generation takes is not counted: evaluators come meanwhile, and read the snapshot.
 */
export class RoundProgress {
  readonly #throughput = new Throughput();
  readonly #total: number;
  #toldAt: number | undefined;
  #now: RoundProgressNow;

  /**
   * @param before candidates of the round that a journal had
   * @param clock in milliseconds, which only goes forward
   */
  constructor(
    readonly problem: RoundProblem,
    before = 0,
    readonly clock: () => number = () => performance.now(),
  ) {
    this.#total = problem.snapshot.layers.reduce((sum, { size }) => sum + size, 0);
    this.#now = { round: problem.round, candidates: before };
  }

  /** How far it is. */
  get now(): RoundProgressNow {
    return this.#now;
  }

  /** Hears of a generation, and of the best candidate until then. */
  told({ round, generation, rates }: Generation, best: Score | undefined): RoundProgressNow {
    const at = this.clock();
    if (this.#toldAt !== undefined) this.#throughput.add(rates.length, (at - this.#toldAt) / 1000);
    this.#toldAt = at;
    const { perSecond } = this.#throughput;
    const candidates = this.#now.candidates + rates.length;
    const left = Math.max(0, this.problem.settings.search_budget - candidates);
    this.#now = {
      round,
      generation,
      candidates,
      best: best && this.#shownBest(best),
      candidatesPerSecond: perSecond,
      secondsLeft: perSecond && left / perSecond,
    };
    return this.#now;
  }

  #shownBest({ kept, loss, correct }: Score): RoundProgressNow['best'] {
    // Of nothing there is no ratio.
    const left = Math.max(
      1,
      kept.reduce((sum, one) => sum + one, 0),
    );
    return { ratio: this.#total / left, loss, accuracy: correct / this.problem.images };
  }
}

/**
 * The same in words.
 *
 * @example
 * const best = { ratio: 5.12, loss: 0.1, accuracy: 0.9765 };
 * shownProgress({ round: 0, generation: 3, candidates: 40, best, candidatesPerSecond: 512.3 }); // 'generation 3: 5.1× at 97.65 %, 512 candidates/s'
 */
export function shownProgress({ generation, best, candidatesPerSecond: speed }: RoundProgressNow): string {
  if (generation === undefined) return 'no generation is evaluated yet';
  const found =
    best === undefined
      ? 'none meets the constraint yet'
      : `${best.ratio.toFixed(1)}× at ${(100 * best.accuracy).toFixed(2)} %`;
  return `generation ${generation}: ${found}${speed === undefined ? '' : `, ${speed.toFixed(0)} candidates/s`}`;
}

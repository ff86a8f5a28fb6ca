/**
 * A search that needs no network, for tests of the farm: which point is nearest to a snapshot, by sums of squares. Every step depends on
 * all that came before it, so that one result in the wrong place changes all that follows.
 */
import { z } from 'zod';
import { seededRandom } from '../../sdk/base/random.js';

export const Settings = z.strictObject({
  seed: z.number(),
  rounds: z.number(),
  generations: z.number(),
  candidates: z.number(),
  blockSize: z.number(),
});
export type Settings = z.infer<typeof Settings>;

export const Point = z.array(z.number());
export type Point = z.infer<typeof Point>;
export const Round = z.strictObject({ round: z.number(), start: Point });
export const Generation = z.strictObject({ round: z.number(), generation: z.number(), results: z.array(z.number()) });
export const Rates = z.strictObject({ round: z.number(), best: Point });

/** All that the roles of a run decide, in their order. */
export interface Journals {
  readonly rounds: readonly z.infer<typeof Round>[];
  readonly snapshots: readonly Point[];
  readonly generations: readonly z.infer<typeof Generation>[];
  readonly rates: readonly z.infer<typeof Rates>[];
}

export const ORIGIN: Point = [0, 0, 0];

/** What training makes of a point. */
export function trained(start: Point, round: number): Point {
  return start.map((x, i) => x / 3 + Math.sin(round + i));
}

export function asked({ seed, candidates }: Settings, best: Point, place: readonly number[]): readonly Point[] {
  const random = seededRandom(seed, 'ask', ...place);
  return Array.from({ length: candidates }, () => best.map((x) => x + random.normal()));
}

export function sumOfSquares(snapshot: Point, candidate: Point): number {
  return candidate.reduce((sum, x, i) => sum + (x - snapshot[i]) ** 2, 0);
}

/** The best of a generation, or what was best before, where that is worth more than chance. */
export function better(best: Point, candidates: readonly Point[], results: readonly number[]): Point {
  const least = results.indexOf(Math.min(...results));
  return best.map((x, i) => (x + candidates[least][i]) / 2);
}

/** The whole run in one process. */
export function serial(settings: Settings): Journals {
  const journals = {
    rounds: new Array<z.infer<typeof Round>>(),
    snapshots: new Array<Point>(),
    generations: new Array<z.infer<typeof Generation>>(),
    rates: new Array<z.infer<typeof Rates>>(),
  };
  let best = ORIGIN;
  for (let round = 0; round < settings.rounds; round++) {
    journals.rounds.push({ round, start: best });
    const snapshot = trained(best, round);
    journals.snapshots.push(snapshot);
    for (let generation = 0; generation < settings.generations; generation++) {
      const candidates = asked(settings, best, [round, generation]);
      const results = candidates.map((candidate) => sumOfSquares(snapshot, candidate));
      journals.generations.push({ round, generation, results });
      best = better(best, candidates, results);
    }
    journals.rates.push({ round, best });
  }
  return journals;
}

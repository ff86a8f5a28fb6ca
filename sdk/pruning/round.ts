/**
 * The search of one round, as a pure driver: it asks a search method for candidates, has them evaluated by whoever can, here or on other
 * machines, and tells the method what came of them. A candidate is scored by a pure function of the round's snapshot, so that the mask that
 * wins, made again from its rates, is the mask that was scored. What comes back then (regrow.ts) begins at zero.
 */
import { z } from 'zod';
import { PruningError } from '../base/errors.js';
import { cmaEs } from './cma-es.js';
import { ceilingsOf, keptBy, type Magnitudes, magnitudesOf, raisedTo } from './magnitudes.js';
import { ncs } from './ncs.js';
import { randomSearch } from './random-search.js';
import { type Candidate, isBetter, type Result, type Search, type SearchProblem } from './search.js';
import { seedCompat } from './seed-compat.js';
import type { PruneSettings } from './settings.js';
import { weighed } from './surgery.js';
import type { Rates, TrainerSnapshot } from './trainer.js';

/** What a candidate's mask comes to over the images that candidates are scored on. */
export interface Score {
  /** Hits. */
  readonly correct: number;
  /** Mean loss; `Number.MAX_VALUE` where it is no number. */
  readonly loss: number;
  /** How many parameters of each layer are kept. */
  readonly kept: readonly number[];
}

/** Scores candidates, one after another in the order in which they are given; `rates` has one number for each layer, or null where its bits stay. */
export type Evaluate = (rates: readonly (readonly (number | null)[])[], place: Place) => Promise<readonly Score[]>;

/** Where in a run candidates belong. */
export interface Place {
  readonly round: number;
  readonly generation: number;
}

/** One generation of a round: what was asked, and what came of it. The journal of a run is a list of them. */
export interface Generation extends Place {
  readonly rates: readonly (readonly (number | null)[])[];
  readonly scores: readonly Score[];
}

/** How many candidates they have. */
export function countOf(generations: readonly Generation[]): number {
  return generations.reduce((sum, { rates }) => sum + rates.length, 0);
}

/** Rates as they come back from a file or a message. */
export const ratesSchema = z.array(z.number().nullable());

/** So does a score. */
export const scoreSchema = z.strictObject({
  correct: z.int().min(0),
  loss: z.number(),
  kept: z.array(z.int().min(0)),
});

/** So does a generation. */
export const generationSchema: z.ZodType<Generation> = z.strictObject({
  round: z.int().min(0),
  generation: z.int().min(0),
  rates: z.array(ratesSchema),
  scores: z.array(scoreSchema),
});

/** What a round is about. */
export interface RoundProblem {
  /** Counted from 0. */
  readonly round: number;
  readonly snapshot: TrainerSnapshot;
  readonly settings: PruneSettings;
  /** How many images candidates are scored on, and how many of them the network as it is now gets right. */
  readonly images: number;
  readonly reference: number;
  /** How many parameters may be kept at most, where a schedule says so; before any come back. */
  readonly goal: number | undefined;
}

/** What a round has found. */
export interface RoundResult {
  /** The best rates that meet the constraint; undefined where none do: then everything stays as it is. */
  readonly rates: Rates | undefined;
  readonly score: Score | undefined;
  /** Candidates evaluated, with those that a journal knew. */
  readonly evaluated: number;
}

/**
 * Searches for the rates of a round.
 *
 * @param evaluate scores candidates; not called for those in `known`
 * @param options known: generations of this round that a journal has, from the first on; told: hears of each that is new
 * @throws PruningError `E_JOURNAL` where the journal's are not those that are asked for; `E_SEARCH_PROBLEM`, and what `evaluate` throws
 */
export async function searchRound(
  problem: RoundProblem,
  evaluate: Evaluate,
  {
    known = [],
    told = () => {},
  }: {
    readonly known?: readonly Generation[];
    readonly told?: (generation: Generation, best: Score | undefined) => void | Promise<void>;
  } = {},
): Promise<RoundResult> {
  const { round } = problem;
  const space = spaceOf(problem);
  let best: { readonly rates: Rates; readonly score: Score; readonly result: Result } | undefined;
  let evaluated = 0;

  async function tryOut(
    rates: readonly (readonly (number | null)[])[],
    generation: number,
  ): Promise<readonly Result[]> {
    const before = known[generation];
    const scores = before?.scores ?? (await evaluate(rates, { round, generation }));
    requireSame(problem, { round, generation, rates, scores }, before);
    const results = scores.map((score) => resultOf(problem, score));
    for (const [i, result] of results.entries()) {
      if (result.violation > 0 || (best !== undefined && !isBetter(result, best.result))) continue;
      best = { rates: rates[i].map((rate) => rate ?? undefined), score: scores[i], result };
    }
    evaluated += rates.length;
    if (before === undefined) await told({ round, generation, rates, scores }, best?.score);
    return results;
  }

  if (space.search === undefined) {
    if (space.given !== undefined) await tryOut([space.given], 0);
  } else {
    for (let asked = space.search.ask(); asked.length > 0; asked = space.search.ask()) {
      space.search.tell(await tryOut(asked.map(space.toRates), space.search.generation));
    }
  }
  return { rates: best?.rates, score: best?.score, evaluated };
}

/** Fitness and violation: the loss where the schedule says how many are kept, else the part that is kept. */
export function resultOf({ settings, images, reference, goal, snapshot }: RoundProblem, score: Score): Result {
  const total = snapshot.layers.reduce((sum, { size }) => sum + size, 0);
  const kept = score.kept.reduce((sum, one) => sum + one, 0);
  const lacking = reference / images - settings.delta - score.correct / images;
  // Rounding is no violation: 0.98 − 0.08 − 0.9 is not 0.
  const violation = lacking > 1e-9 ? lacking : 0;
  const isFinite = score.loss < Number.MAX_VALUE;
  return {
    fitness: goal === undefined ? kept / total : isFinite ? score.loss : 1e9,
    violation: isFinite ? violation : 1,
  };
}

/** How the search's points become rates of all layers. */
interface Space {
  readonly search?: Search;
  readonly toRates: (point: Candidate) => readonly (number | null)[];
  /** Where there is nothing to search for: the only candidate, or none. */
  readonly given?: readonly (number | null)[];
}

function spaceOf(problem: RoundProblem): Space {
  const { settings, snapshot, goal } = problem;
  return goal === undefined ? rateSpace(problem) : shareSpace({ settings, snapshot, goal, round: problem.round });
}

/** OLMP's: the rates of the layers that take part in this iteration, the others as they are. Fewer than two make no search. */
function rateSpace({ settings, snapshot, round }: RoundProblem): Space {
  const { layers, active, rates } = snapshot;
  const { rate_min: least, rate_max: most, rates: first } = settings;
  const magnitudes = magnitudesOf(snapshot);
  const ceilings = ceilingsOf(snapshot, magnitudes, settings.caps);
  const taking = layers.flatMap((_, l) => (active[l] ? [l] : []));
  const toRates = (point: Candidate): readonly (number | null)[] =>
    layers.map((_, l) => {
      const at = taking.indexOf(l);
      return at < 0 ? (rates[l] ?? null) : Math.min(point[at], ceilings[l]);
    });
  if (taking.length < Math.min(2, layers.length)) return { toRates };
  // A cap may have held a rate below the box.
  const start = taking.map((l) => Math.min(most, Math.max(least, rates[l] ?? first[l] ?? first[0])));
  const box = { lower: taking.map(() => least), upper: taking.map(() => most) };
  return { search: searchFor(settings, round, { ...box, start }), toRates };
}

/**
 * The rates that keep as many parameters as the goal says. Points of the search are rates relative to one another, {@link raisedTo} the
 * goal; they begin at one rate for all layers where thresholds are over magnitudes, and at one threshold where they are over saliencies.
 */
function shareSpace({
  settings,
  snapshot,
  goal,
  round,
}: Pick<RoundProblem, 'settings' | 'snapshot' | 'round'> & { readonly goal: number }): Space {
  const { layers, statistics } = snapshot;
  const { shares } = settings;
  const { kept, masked } = magnitudesOf(snapshot);
  // A layer of which nothing is left has no mean that a threshold could be above: its bits stay.
  const isGone = kept.map(({ length }) => length === 0);
  const magnitudes = { kept, masked: masked.map((own, l) => (isGone[l] ? new Float32Array() : own)) };
  const aim: Aim = { snapshot, magnitudes, goal, ceilings: ceilingsOf(snapshot, magnitudes, settings.caps) };
  const ofThoseLeft = (rates: readonly number[]): readonly (number | null)[] =>
    rates.map((rate, l) => (isGone[l] ? null : rate));
  // Magnitudes of two layers say nothing of one another, but saliencies do.
  const first = settings.saliency === 'magnitude' ? layers.map(() => 0) : atOneThreshold(aim);
  const toRates = (point: Candidate): readonly (number | null)[] =>
    ofThoseLeft(
      raisedTo(
        point.map((rate, l) => rate + first[l]),
        aim,
      ),
    );
  const inShares = (sizes: readonly number[]): readonly (number | null)[] =>
    ofThoseLeft(bySizes({ ...aim, sizes: sizes.map((size, l) => (isGone[l] ? 0 : size)) }));
  switch (shares) {
    case 'searched': {
      const box = { lower: layers.map(() => -REACH), upper: layers.map(() => REACH) };
      return { search: searchFor(settings, round, { ...box, start: layers.map(() => 0) }), toRates };
    }
    case 'global':
      return { toRates, given: ofThoseLeft(atOneThreshold(aim)) };
    case 'uniform':
      return { toRates, given: inShares(layers.map(({ size }) => size)) };
    default: {
      if (statistics.length !== shares.length)
        throw new PruningError('E_SETTINGS', `${shares.length} shares for ${statistics.length} layers`);
      return { toRates, given: inShares(shares) };
    }
  }
}

/** How far apart, in deviations of their magnitudes, two layers' thresholds may move in one round: as far as twice this. */
const REACH = 1;

interface Aim {
  readonly snapshot: TrainerSnapshot;
  readonly magnitudes: Magnitudes;
  readonly goal: number;
  readonly ceilings: readonly number[];
}

/** The rates with which all layers have the same threshold. */
function atOneThreshold({ snapshot, magnitudes, goal, ceilings }: Aim): readonly number[] {
  const { statistics } = snapshot;
  const at = (threshold: number): readonly number[] =>
    statistics.map(({ mean, deviation }, l) =>
      Math.min(deviation > 0 ? (threshold - mean) / deviation : 0, ceilings[l]),
    );
  let [low, high] = [0, weighed(snapshot).reduce((most, value) => Math.max(most, Math.abs(value)), 0) * 2 + 1];
  for (let halvings = 0; halvings < 60; halvings++) {
    const middle = (low + high) / 2;
    if (keptTotal(snapshot, magnitudes, at(middle)) > goal) low = middle;
    else high = middle;
  }
  return at(high);
}

/** The rates with which what is kept of the layers is in the proportion of these sizes, a small layer whole before it would keep more than it has. */
function bySizes({
  snapshot,
  magnitudes,
  sizes,
  goal,
  ceilings,
}: Aim & { readonly sizes: readonly number[] }): readonly number[] {
  const { layers } = snapshot;
  // Proportions may be of any magnitude.
  const largest = Math.max(...sizes);
  const wanted = (scale: number): readonly number[] =>
    sizes.map((size, l) => Math.min(layers[l].size, scale * (size / largest)));
  let [low, high] = [0, goal];
  for (let halvings = 0; halvings < 60; halvings++) {
    const middle = (low + high) / 2;
    if (wanted(middle).reduce((sum, one) => sum + one, 0) > goal) high = middle;
    else low = middle;
  }
  return wanted(low).map((keep, l) => {
    const alone = { ...snapshot, layers: [layers[l]], statistics: [snapshot.statistics[l]] };
    const own = { kept: [magnitudes.kept[l]], masked: [magnitudes.masked[l]] };
    return raisedTo([0], { snapshot: alone, magnitudes: own, goal: Math.round(keep), ceilings: [ceilings[l]] })[0];
  });
}

function keptTotal(snapshot: TrainerSnapshot, magnitudes: Magnitudes, rates: readonly number[]): number {
  return keptBy(magnitudes, snapshot, rates).reduce((sum, one) => sum + one, 0);
}

/** The search of a round by the method that the settings name. */
export function searchFor(
  { method, seed, search_budget: budget }: PruneSettings,
  round: number,
  box: Pick<SearchProblem, 'lower' | 'upper'> & { readonly start: Candidate },
): Search {
  // Each round draws numbers of its own.
  const problem = { ...box, budget, seed: (seed * 1_000_003 + round) >>> 0 };
  switch (method) {
    case 'ncs':
      return ncs(problem);
    case 'cma-es':
      return cmaEs(problem);
    case 'random':
      return randomSearch(problem);
    case 'seed-compat':
      return seedCompat(problem);
    default:
      throw method satisfies never;
  }
}

function requireSame({ round, images, snapshot }: RoundProblem, now: Generation, before: Generation | undefined): void {
  const { generation, rates, scores } = now;
  const isOther = before !== undefined && JSON.stringify(before.rates) !== JSON.stringify(rates);
  const impossible = scores.findIndex(
    ({ correct, kept }) =>
      correct > images ||
      kept.length !== snapshot.layers.length ||
      kept.some((count, l) => count > snapshot.layers[l].size),
  );
  if (!isOther && scores.length === rates.length && impossible < 0) return;
  const where = `round ${round}, generation ${generation}`;
  if (!isOther && scores.length === rates.length) {
    const advice = before === undefined ? '' : '; the journal is damaged: begin anew, without --resume';
    const written = JSON.stringify(scores[impossible]);
    throw new PruningError(
      'E_JOURNAL',
      `${where}: the score ${written} of candidate ${impossible + 1} cannot be${advice}`,
    );
  }
  throw new PruningError(
    'E_JOURNAL',
    isOther
      ? `${where}: the journal has other candidates than those that are asked for; it is of another run, or of another version of mindts: begin anew, without --resume`
      : `${where}: ${scores.length} scores for ${rates.length} candidates`,
  );
}

/**
 * Negatively correlated search (Tang, Yang, Yao 2016, https://arxiv.org/abs/1504.04914). N searches run side by side. Each is a
 * Gaussian around its point; its offspring takes its place when it is good enough for how far it is from where the others
 * search, in the sense of Bhattacharyya. So they are driven apart, and look at different valleys.
 *
 * Written F for a fitness, C for the distance to the nearest other Gaussian, ' for the offspring, m for the best fitness yet:
 *
 *     share of fitness    f = (F' − m) / ((F − m) + (F' − m))
 *     share of distance   c = C' / (C + C')
 *     accepted if         f / c < λ,   λ ~ N(1, s),   s = 0.1 · (1 − t / t_max)
 *     every 10 generations   σ ← σ / r if more than a fifth were accepted, σ · r if fewer;   r = 0.99
 *
 * The paper knows no constraint. Here the rule above holds between two that meet it; else the better one stays, and distance does
 * not count: it would keep searches where nothing meets the constraint.
 */
import { z } from 'zod';
import { PruningError } from '../base/errors.js';
import { seededRandom } from '../base/random.js';
import { anywhere, reflected, widths } from './box.js';
import {
  type Candidate,
  type Evaluated,
  evaluated,
  isBetter,
  type Result,
  requireProblem,
  type Search,
  type SearchProblem,
  searchBy,
  vector,
} from './search.js';

/** What NCS can be asked for; the defaults are the paper's. */
export interface NcsOptions {
  /** N, how many searches run side by side; at least 2. Default 10. */
  readonly populationSize?: number;
  /** The first σ, in widths of the box. Default 1 / N. */
  readonly stepSize?: number;
  /** r, by which σ grows and shrinks. Default 0.99. */
  readonly shrink?: number;
  /** How many generations there are between two changes of σ. Default 10. */
  readonly epoch?: number;
  /** s at the beginning. Default 0.1. */
  readonly spread?: number;
}

/** A Gaussian with the same deviation along each axis. */
export interface Gaussian {
  readonly mean: Candidate;
  readonly deviation: number;
}

/**
 * The search of the paper. Points begin anywhere in the box, but for the first where the problem has a `start`. What falls
 * outside is mirrored, as in the authors' own program. An N of 10 and a budget of 1600 make 160 generations, the first of
 * which is the beginning.
 *
 * @throws PruningError `E_SEARCH_PROBLEM` for a problem or an option that cannot be
 * @example
 * const search = ncs({ lower: [0, 0], upper: [10, 10], budget: 1000, seed: 1 });
 * for (let asked = search.ask(); asked.length > 0; asked = search.ask()) {
 *   search.tell(asked.map(([x, y]) => ({ fitness: (x - 3) ** 2 + (y - 4) ** 2, violation: 0 })));
 * }
 * (search.best?.fitness ?? 1) < 0.01; // true
 */
export function ncs(problem: SearchProblem, options: NcsOptions = {}): Search {
  requireProblem(problem);
  const { populationSize = 10, shrink = 0.99, epoch = 10, spread = 0.1 } = options;
  const { stepSize = 1 / populationSize } = options;
  const settings = { populationSize, stepSize, shrink, epoch, spread };
  requireSettings(settings);
  const { seed, budget, start } = problem;
  const width = widths(problem);

  function beginning(): readonly Candidate[] {
    const random = seededRandom(seed, 'ncs', 'beginning');
    const points = Array.from({ length: populationSize }, () => anywhere(problem, random));
    return start === undefined ? points : [start, ...points.slice(1)];
  }
  function offspring({ population, deviations }: State, generation: number): readonly Candidate[] {
    const random = seededRandom(seed, 'ncs', 'offspring', generation);
    return population.map(({ candidate }, i) =>
      reflected(
        problem,
        candidate.map((rate, k) => rate + deviations[i] * width[k] * random.normal()),
      ),
    );
  }
  function tell(state: State, told: readonly Evaluated[], generation: number): State {
    const best = lowest(told, state.best);
    if (state.population.length === 0) return { ...state, population: told, best };
    const left = 1 - (generation * populationSize) / budget;
    const lambda = 1 + spread * left * seededRandom(seed, 'ncs', 'lambda', generation).normal();
    const places = state.population.map(({ candidate }, i) => {
      return { mean: candidate.map((rate, k) => rate / width[k]), deviation: state.deviations[i] };
    });
    const accepted = told.map((trial, i) => {
      const others = places.filter((_, j) => j !== i);
      const moved = { ...places[i], mean: trial.candidate.map((rate, k) => rate / width[k]) };
      const distance = { parent: toNearest(places[i], others), trial: toNearest(moved, others) };
      return isAccepted(trial, state.population[i], { distance, lambda, best });
    });
    const successes = state.successes.map((count, i) => count + (accepted[i] ? 1 : 0));
    const isEpoch = generation % epoch === 0;
    return {
      population: state.population.map((parent, i) => (accepted[i] ? told[i] : parent)),
      deviations: isEpoch ? state.deviations.map((σ, i) => adapted(σ, successes[i] / epoch, shrink)) : state.deviations,
      successes: isEpoch ? successes.map(() => 0) : successes,
      best,
    };
  }
  return searchBy<State>(problem, {
    name: 'ncs',
    settings,
    schema: stateSchema(populationSize, width.length),
    first: {
      population: [],
      deviations: new Array<number>(populationSize).fill(stepSize),
      successes: new Array<number>(populationSize).fill(0),
      best: null,
    },
    ask: (state, generation) => (state.population.length === 0 ? beginning() : offspring(state, generation)),
    tell,
  });
}

/**
 * Whether an offspring takes its parent's place: the rule above.
 *
 * @param among the distances of both to the nearest of the others; λ; the best fitness yet
 * @example
 * const among = { distance: { parent: 1, trial: 1 }, lambda: 1, best: 0 };
 * isAccepted({ fitness: 2, violation: 0 }, { fitness: 3, violation: 0 }, among); // true
 * isAccepted({ fitness: 1, violation: 0.1 }, { fitness: 3, violation: 0 }, among); // false
 * // Worse, and accepted because it is far from the others:
 * const far = { ...among, distance: { parent: 1, trial: 4 } };
 * isAccepted({ fitness: 4, violation: 0 }, { fitness: 3, violation: 0 }, far); // true
 */
export function isAccepted(
  trial: Result,
  parent: Result,
  among: {
    readonly distance: { readonly parent: number; readonly trial: number };
    readonly lambda: number;
    readonly best: number | null;
  },
): boolean {
  if (trial.violation > 0 || parent.violation > 0) return isBetter(trial, parent);
  const { distance, lambda, best } = among;
  const from = best ?? Math.min(trial.fitness, parent.fitness);
  const fitness = share(trial.fitness - from, parent.fitness - from);
  return fitness < lambda * share(distance.trial, distance.parent);
}

/**
 * The Bhattacharyya distance of two Gaussians: ⅛ · Σ (μ₁ − μ₂)² / S + n/2 · ln(S / (σ₁ σ₂)), with S = (σ₁² + σ₂²) / 2.
 *
 * @example
 * bhattacharyya({ mean: [0, 0], deviation: 1 }, { mean: [2, 2], deviation: 1 }); // 1
 */
export function bhattacharyya(a: Gaussian, b: Gaussian): number {
  const variance = (a.deviation ** 2 + b.deviation ** 2) / 2;
  const apart = a.mean.reduce((sum, value, k) => sum + (value - b.mean[k]) ** 2, 0);
  return apart / variance / 8 + (a.mean.length / 2) * Math.log(variance / (a.deviation * b.deviation));
}

/** The distance to the nearest of some Gaussians. */
export function toNearest(from: Gaussian, others: readonly Gaussian[]): number {
  return Math.min(...others.map((other) => bhattacharyya(from, other)));
}

/** a / (a + b); two zeros are equal shares, since nothing is better than the other. */
function share(a: number, b: number): number {
  return a + b === 0 ? 0.5 : a / (a + b);
}

/** Rechenberg's rule: successes rarer than 1 in 5 mean that steps are too long. */
export function adapted(deviation: number, successRate: number, shrink: number): number {
  if (successRate === 0.2) return deviation;
  return successRate > 0.2 ? deviation / shrink : deviation * shrink;
}

function lowest(told: readonly Evaluated[], before: number | null): number | null {
  const feasible = told.filter(({ violation }) => violation === 0).map(({ fitness }) => fitness);
  if (before !== null) feasible.push(before);
  return feasible.length === 0 ? null : Math.min(...feasible);
}

function requireSettings({ populationSize, stepSize, shrink, epoch, spread }: Required<NcsOptions>): void {
  const faults = [
    [Number.isSafeInteger(populationSize) && populationSize >= 2, `populationSize ${populationSize}, not 2 or more`],
    [stepSize > 0 && Number.isFinite(stepSize), `stepSize ${stepSize}, not above 0`],
    [shrink > 0 && shrink <= 1, `shrink ${shrink}, not above 0 and at most 1`],
    [Number.isSafeInteger(epoch) && epoch >= 1, `epoch ${epoch}, not 1 or more`],
    [spread >= 0 && Number.isFinite(spread), `spread ${spread}, not 0 or more`],
  ] as const;
  const fault = faults.find(([isRight]) => !isRight);
  if (fault) throw new PruningError('E_SEARCH_PROBLEM', `ncs: ${fault[1]}`);
}

interface State {
  /** Empty before the first results. */
  readonly population: readonly Evaluated[];
  /** σ of each, in widths of the box. */
  readonly deviations: readonly number[];
  /** How many offspring of each were accepted in this epoch. */
  readonly successes: readonly number[];
  /** m: the best fitness of all that met the constraint. */
  readonly best: number | null;
}

function stateSchema(populationSize: number, layers: number): z.ZodType<State> {
  const population = z.array(evaluated(layers));
  return z.object({
    population: z.union([population.length(0), population.length(populationSize)]),
    deviations: vector(populationSize),
    successes: vector(populationSize),
    best: z.number().nullable(),
  });
}

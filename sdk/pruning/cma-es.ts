/**
 * CMA-ES, evolution with an adapted covariance matrix, as Hansen's tutorial defines it (https://arxiv.org/abs/1604.00772), with
 * its defaults, negative weights included. It ranks candidates and asks nothing else of a fitness: so a constraint is met by
 * ranking what misses it behind what meets it.
 *
 * The box: rates are taken in widths of the box. A candidate outside is drawn again, up to 100 times, which changes the
 * distribution least; after that the nearest point of the box stands for it, and the update learns from that point. Measured on six
 * functions of three layers, taking the nearest point at once was better where the best lies in a corner, which drawing again only
 * comes near, and worse or equal elsewhere, most of all among many valleys.
 *
 * A distribution that has shrunk to a point learns nothing more: then the search begins anew, anywhere in the box.
 */
import { z } from 'zod';
import { PruningError } from '../base/errors.js';
import { type Random, seededRandom } from '../base/random.js';
import { anywhere, clipped, isInside, widths } from './box.js';
import { eigen, type Matrix } from './eigen.js';
import {
  type Candidate,
  compareResults,
  type Evaluated,
  requireProblem,
  type Search,
  type SearchProblem,
  searchBy,
  vector,
} from './search.js';

const TRIES = 100;
/** Of a distribution that is one still, in widths of the box. */
const [LEAST_EXTENT, GREATEST_EXTENT] = [1e-10, 1e3];

/**
 * The search. Its mean begins at the problem's `start`, or anywhere in the box.
 *
 * @param options stepSize: the first σ, in widths of the box, default 0.3; populationSize: λ, default 4 + ⌊3 ln n⌋
 * @throws PruningError `E_SEARCH_PROBLEM` for a problem or an option that cannot be
 * @example
 * const search = cmaEs({ lower: [0, 0], upper: [10, 10], budget: 400, seed: 1 });
 * for (let asked = search.ask(); asked.length > 0; asked = search.ask()) {
 *   search.tell(asked.map(([x, y]) => ({ fitness: (x - 3) ** 2 + (x + y - 7) ** 2, violation: 0 })));
 * }
 * (search.best?.fitness ?? 1) < 1e-6; // true
 */
export function cmaEs(
  problem: SearchProblem,
  options: { readonly stepSize?: number; readonly populationSize?: number } = {},
): Search {
  requireProblem(problem);
  const n = problem.lower.length;
  const { stepSize = 0.3, populationSize = 4 + Math.floor(3 * Math.log(n)) } = options;
  if (!(stepSize > 0 && Number.isFinite(stepSize)) || !Number.isSafeInteger(populationSize) || populationSize < 4) {
    throw new PruningError(
      'E_SEARCH_PROBLEM',
      `cma-es: stepSize must be above 0 and populationSize at least 4, not ${stepSize} and ${populationSize}`,
    );
  }
  const { seed } = problem;
  const width = widths(problem);
  const constants = constantsOf(n, populationSize);

  function sampled(state: State, random: Random): Candidate {
    const { values, vectors } = eigen(state.covariance);
    const roots = values.map((value) => Math.sqrt(Math.max(value, 0)));
    let point: Candidate = [];
    for (let tries = 0; tries < TRIES; tries++) {
      const stretched = roots.map((root) => root * random.normal());
      point = vectors.map((row, i) => state.mean[i] + state.sigma * width[i] * dot(row, stretched));
      if (isInside(problem, point)) return point;
    }
    return clipped(problem, point);
  }
  function beginning(mean: Candidate, since: number): State {
    return {
      mean,
      sigma: stepSize,
      covariance: matrixOf(n, (i, k) => (i === k ? 1 : 0)),
      sigmaPath: width.map(() => 0),
      covariancePath: width.map(() => 0),
      since,
    };
  }
  return searchBy<State>(problem, {
    name: 'cma-es',
    settings: { stepSize, populationSize },
    schema: stateSchema(n),
    first: beginning(problem.start ?? anywhere(problem, seededRandom(seed, 'cma-es', 'beginning')), 0),
    ask(state, generation) {
      const random = seededRandom(seed, 'cma-es', generation);
      return Array.from({ length: populationSize }, () => sampled(state, random));
    },
    tell(state, told, generation) {
      const next = updated(state, told, { generation: generation - state.since, width, constants });
      const extent = next.sigma * Math.sqrt(Math.max(...next.covariance.map((row, i) => row[i])));
      if (extent > LEAST_EXTENT && extent < GREATEST_EXTENT) return next;
      return beginning(anywhere(problem, seededRandom(seed, 'cma-es', 'again', generation)), generation + 1);
    },
  });
}

/** One generation's learning; names in comments are the tutorial's. */
function updated(
  state: State,
  told: readonly Evaluated[],
  {
    generation,
    width,
    constants,
  }: { readonly generation: number; readonly width: Candidate; readonly constants: Constants },
): State {
  const { weights, parents, muEff, c1, cMu, cC, cSigma, dSigma, normOfNormal } = constants;
  const n = width.length;
  const { values, vectors } = eigen(state.covariance);
  /** C^(−½) · y; what has no extent is left out, as it cannot be drawn either. */
  const whitened = (y: readonly number[]): readonly number[] => {
    const inAxes = values.map((value, k) => {
      const along = vectors.reduce((sum, row, i) => sum + row[k] * y[i], 0);
      return value > 0 ? along / Math.sqrt(value) : 0;
    });
    return vectors.map((row) => dot(row, inAxes));
  };
  // y_i: steps in widths of the box and in σ, the best first; y_w: where the mean goes.
  const steps = told.toSorted(compareResults).map(({ candidate }) => {
    return candidate.map((rate, i) => (rate - state.mean[i]) / (state.sigma * width[i]));
  });
  const move = width.map((_, i) => steps.slice(0, parents).reduce((sum, y, r) => sum + weights[r] * y[i], 0));

  // p_σ, p_c: the paths of the mean, by which it is seen whether its steps go one way.
  const whiteMove = whitened(move);
  const sigmaPath = state.sigmaPath.map(
    (p, i) => (1 - cSigma) * p + Math.sqrt(cSigma * (2 - cSigma) * muEff) * whiteMove[i],
  );
  const length = Math.hypot(...sigmaPath);
  const settled = Math.sqrt(1 - (1 - cSigma) ** (2 * (generation + 1)));
  const h = length / settled < (1.4 + 2 / (n + 1)) * normOfNormal ? 1 : 0;
  const covariancePath = state.covariancePath.map(
    (p, i) => (1 - cC) * p + h * Math.sqrt(cC * (2 - cC) * muEff) * move[i],
  );

  // A negative weight is scaled by its step's length, so that C stays positive.
  const scaled = weights.map((w, r) =>
    w >= 0 ? w : (w * n) / Math.max(normSquared(whitened(steps[r])), Number.MIN_VALUE),
  );
  const kept = 1 + c1 * (1 - h) * cC * (2 - cC) - c1 - cMu * weights.reduce((a, b) => a + b, 0);
  const entry = (i: number, k: number): number =>
    kept * state.covariance[i][k] +
    c1 * covariancePath[i] * covariancePath[k] +
    cMu * steps.reduce((sum, y, r) => sum + scaled[r] * y[i] * y[k], 0);
  return {
    mean: state.mean.map((m, i) => m + state.sigma * width[i] * move[i]),
    sigma: state.sigma * Math.exp((cSigma / dSigma) * (length / normOfNormal - 1)),
    // Of one half only, so that rounding cannot make it unsymmetric.
    covariance: matrixOf(n, (i, k) => entry(Math.min(i, k), Math.max(i, k))),
    sigmaPath,
    covariancePath,
    since: state.since,
  };
}

/** The tutorial's constants for a number of layers and of candidates; names are its own but for `parents`. */
export interface Constants {
  /** w_i, one for each rank. */
  readonly weights: readonly number[];
  /** μ */
  readonly parents: number;
  readonly muEff: number;
  readonly c1: number;
  readonly cMu: number;
  readonly cC: number;
  readonly cSigma: number;
  readonly dSigma: number;
  /** E‖N(0, I)‖ */
  readonly normOfNormal: number;
}

/**
 * Table 1 of the tutorial.
 *
 * @example
 * constantsOf(3, 7).parents; // 3
 */
export function constantsOf(n: number, lambda: number): Constants {
  const parents = Math.floor(lambda / 2);
  const raw = Array.from({ length: lambda }, (_, i) => Math.log((lambda + 1) / 2) - Math.log(i + 1));
  const effective = (some: readonly number[]): number => total(some) ** 2 / normSquared(some);
  const muEff = effective(raw.slice(0, parents));
  const muEffNegative = effective(raw.slice(parents));
  const c1 = 2 / ((n + 1.3) ** 2 + muEff);
  const cMu = Math.min(1 - c1, (2 * (1 / 4 + muEff + 1 / muEff - 2)) / ((n + 2) ** 2 + muEff));
  const cSigma = (muEff + 2) / (n + muEff + 5);
  const negative = Math.min(1 + c1 / cMu, 1 + (2 * muEffNegative) / (muEff + 2), (1 - c1 - cMu) / (n * cMu));
  const positiveSum = total(raw.filter((w) => w > 0));
  const negativeSum = -total(raw.filter((w) => w < 0));
  return {
    weights: raw.map((w) => (w >= 0 ? w / positiveSum : (negative * w) / negativeSum)),
    parents,
    muEff,
    c1,
    cMu,
    cC: (4 + muEff / n) / (n + 4 + (2 * muEff) / n),
    cSigma,
    dSigma: 1 + 2 * Math.max(0, Math.sqrt((muEff - 1) / (n + 1)) - 1) + cSigma,
    normOfNormal: Math.sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n ** 2)),
  };
}

function matrixOf(n: number, entry: (i: number, k: number) => number): Matrix {
  return Array.from({ length: n }, (_row, i) => Array.from({ length: n }, (_column, k) => entry(i, k)));
}

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, value, i) => sum + value * b[i], 0);
}

function total(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

function normSquared(values: readonly number[]): number {
  return dot(values, values);
}

interface State {
  /** In rates. */
  readonly mean: Candidate;
  /** In widths of the box. */
  readonly sigma: number;
  readonly covariance: Matrix;
  readonly sigmaPath: readonly number[];
  readonly covariancePath: readonly number[];
  /** The generation in which it began, or began anew. */
  readonly since: number;
}

function stateSchema(n: number): z.ZodType<State> {
  return z.object({
    mean: vector(n),
    sigma: z.number().positive(),
    covariance: z.array(vector(n)).length(n),
    sigmaPath: vector(n),
    covariancePath: vector(n),
    since: z.int().min(0),
  });
}

/**
 * What the program this package began with, OpenPAI_zmy, really does under the name NCS, so that its runs can be replayed. It is not for finding
 * anything: use {@link ncs}. An offspring is accepted only if its fitness is below 0, and the fitness is the part of the parameters
 * that is kept; so none ever is, and every generation is drawn around the same point with steps that only shrink. Besides,
 * all points begin at one place, what falls outside is put just inside the box, and what misses the constraint has the fitness 1.1.
 */
import { z } from 'zod';
import { PruningError } from '../base/errors.js';
import { widths } from './box.js';
import { adapted, toNearest } from './ncs.js';
import { numpyNormal } from './numpy-random.js';
import {
  type Candidate,
  type Evaluated,
  requireProblem,
  type Search,
  type SearchProblem,
  searchBy,
  vector,
} from './search.js';

/** The constants of the seed program. */
const [POPULATION, SHRINK, EPOCH, SPREAD, MARGIN, INFEASIBLE] = [10, 0.99, 10, 0.1, 1e-4, 1.1];

/**
 * The seed program's search. The first generation is its start alone, which it counts as ten; then come tens until it has counted more
 * than `budget`, its Tmax. A Tmax of 1600 is 1601 candidates; its four jobs stopped after 14 generations, which is a Tmax of 149.
 *
 * @param problem seed: that of `np.random.seed`; start: needed, 0.001 for each layer in the seed program
 * @param options stepSize: σ of all, in rates; 5 in its one process (its configuration says 50 and divides by 10), 50 in its four jobs
 * @throws PruningError `E_SEARCH_PROBLEM` for a problem that cannot be
 * @example
 * const search = seedCompat({ lower: [0, 0], upper: [10, 10], budget: 1600, seed: 961449, start: [0.001, 0.001] });
 * search.ask(); // [[0.001, 0.001]]
 */
export function seedCompat(
  problem: SearchProblem & { readonly start: Candidate },
  { stepSize = 5 }: { readonly stepSize?: number } = {},
): Search {
  requireProblem(problem);
  const { lower, upper, start, seed, budget } = problem;
  if (budget < POPULATION) {
    throw new PruningError(
      'E_SEARCH_PROBLEM',
      `seed-compat: a budget of ${budget}; its start alone counts as ${POPULATION}`,
    );
  }
  const layers = widths(problem).length;
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw new PruningError(
      'E_SEARCH_PROBLEM',
      `seed-compat: numpy takes whole numbers below 2³² as seeds, not ${seed}`,
    );
  }
  const generations = Math.floor(budget / POPULATION);

  /** The draws of a generation: N × n for its steps, then N for λ. Those before it are made again, to be in its place. */
  function draws(generation: number): {
    readonly steps: readonly (readonly number[])[];
    readonly lambda: readonly number[];
  } {
    const randn = numpyNormal(seed);
    const before = (generation - 1) * POPULATION * (layers + 1);
    for (let i = 0; i < before; i++) randn();
    const steps = Array.from({ length: POPULATION }, () => Array.from({ length: layers }, randn));
    return { steps, lambda: Array.from({ length: POPULATION }, randn) };
  }
  function tell(state: State, told: readonly Evaluated[], generation: number): State {
    const fitness = told.map((one) => (one.violation > 0 ? INFEASIBLE : one.fitness));
    if (generation === 0) {
      return { ...state, fitness: new Array<number>(POPULATION).fill(fitness[0]), lowest: fitness[0] };
    }
    const lowest = Math.min(state.lowest, ...fitness);
    const spread = SPREAD - (SPREAD * (generation - 1)) / (budget / POPULATION);
    const { lambda } = draws(generation);
    const places = state.points.map((mean, i) => ({ mean, deviation: state.deviations[i] }));
    const accepted = told.map(({ candidate }, i) => {
      // 0 / 0 is NaN, which is below nothing: as there.
      const share = (fitness[i] - lowest) / (state.fitness[i] - lowest + (fitness[i] - lowest));
      const others = places.filter((_, j) => j !== i);
      const parent = toNearest(places[i], others);
      const trial = toNearest({ ...places[i], mean: candidate }, others);
      return (1 + spread * lambda[i]) * (trial / (parent + trial)) > share && fitness[i] < 0;
    });
    const successes = state.successes.map((count, i) => count + (accepted[i] ? 1 : 0));
    const isEpoch = generation % EPOCH === 0;
    return {
      points: state.points.map((point, i) => (accepted[i] ? told[i].candidate : point)),
      fitness: state.fitness.map((value, i) => (accepted[i] ? fitness[i] : value)),
      deviations: isEpoch ? state.deviations.map((σ, i) => adapted(σ, successes[i] / EPOCH, SHRINK)) : state.deviations,
      successes: isEpoch ? successes.map(() => 0) : successes,
      lowest,
    };
  }
  return searchBy<State>(
    { ...problem, budget: 1 + POPULATION * generations },
    {
      name: 'seed-compat',
      settings: { stepSize },
      schema: stateSchema(layers),
      first: {
        points: new Array<Candidate>(POPULATION).fill(start),
        fitness: new Array<number>(POPULATION).fill(0),
        deviations: new Array<number>(POPULATION).fill(stepSize),
        successes: new Array<number>(POPULATION).fill(0),
        lowest: 0,
      },
      ask({ points, deviations }, generation) {
        if (generation === 0) return [start];
        const { steps } = draws(generation);
        return points.map((point, i) =>
          point.map((rate, k) => {
            const moved = rate + deviations[i] * steps[i][k];
            if (moved < lower[k]) return lower[k] + MARGIN;
            return moved > upper[k] ? upper[k] - MARGIN : moved;
          }),
        );
      },
      tell,
    },
  );
}

interface State {
  readonly points: readonly Candidate[];
  readonly fitness: readonly number[];
  readonly deviations: readonly number[];
  readonly successes: readonly number[];
  /** The best fitness yet. */
  readonly lowest: number;
}

function stateSchema(layers: number): z.ZodType<State> {
  return z.object({
    points: z.array(vector(layers)).length(POPULATION),
    fitness: vector(POPULATION),
    deviations: vector(POPULATION),
    successes: vector(POPULATION),
    lowest: z.number(),
  });
}

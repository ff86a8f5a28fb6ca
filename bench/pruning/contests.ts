/** What searches are set against one another on: functions, and rounds of a real run, each with the same budget for all. */

import { cmaEs } from '../../sdk/pruning/cma-es.js';
import { ncs } from '../../sdk/pruning/ncs.js';
import { randomSearch } from '../../sdk/pruning/random-search.js';
import { searchRound } from '../../sdk/pruning/round.js';
import type { Search, SearchProblem } from '../../sdk/pruning/search.js';
import { SEARCH_METHODS, settingsFor } from '../../sdk/pruning/settings.js';
import { cliff, type Landscape, rastrigin } from '../../test/pruning/landscapes.js';
import { type FixedRound, fixedRound } from './fixed-round.js';
import type { Trained } from './inputs.js';

/** How a method is called. */
export type MethodName = (typeof SEARCH_METHODS)[number];

/** Something to find the least of. */
export interface Contest {
  readonly title: string;
  readonly methods: readonly MethodName[];
  /** The best that a method finds and that meets the constraint; infinite where it finds none. */
  best(method: MethodName, given: Pick<SearchProblem, 'seed' | 'budget'>): Promise<number>;
}

/**
 * Two functions over the box that rates have, three layers: Rastrigin's with a valley a tenth of the box from the next; and one that is the
 * better the more is pruned, up to a plane behind which the constraint is missed.
 */
export function functionContests(): readonly Contest[] {
  return [
    overFunction('Rastrigin’s function', rastrigin, (fitness) => fitness),
    overFunction('a slope that ends at a cliff: how far from its edge', cliff, (fitness) => fitness + 6),
  ];
}

/** Rounds of LeNet-300-100, before which a run came as far by itself, seed 1. */
export const ROUNDS = [
  { schedule: 'gradual', at: 12_000 },
  { schedule: 'olmp', at: 0 },
  { schedule: 'olmp', at: 3000 },
] as const;

/** One of them. Close it at the end. */
export async function roundContest(
  trained: Trained,
  { schedule, at }: (typeof ROUNDS)[number],
): Promise<Contest & Pick<FixedRound, 'close'>> {
  const choices = schedule === 'olmp' ? PUBLISHED : {};
  const settings = await settingsFor('lenet300-100', { ...choices, schedule });
  const { problem, evaluate, close } = await fixedRound(trained, settings, at);
  const { goal, images, snapshot } = problem;
  const kept = snapshot.mask.reduce((sum, bit) => sum + bit, 0);
  return {
    title:
      goal === undefined
        ? `\`olmp\`, iteration ${at}: the fewest of ${kept} parameters that lose at most ${100 * settings.delta} % of ${images} images`
        : `\`gradual\`, iteration ${at}: the smallest loss over ${images} images with ${goal} of ${kept} parameters`,
    methods: SEARCH_METHODS,
    async best(method, { seed, budget }) {
      const posed = { ...problem, settings: { ...settings, method, seed, search_budget: budget } };
      const { score } = await searchRound(posed, evaluate);
      if (score === undefined) return Infinity;
      return goal === undefined ? score.kept.reduce((sum, one) => sum + one, 0) : score.loss;
    },
    close,
  };
}

/** OLMP's own course, as it was published. */
const PUBLISHED = { masked: 'learn', search_every: 1000, learning_rate: 0.01, weight_decay: 5e-4, shift: 0 } as const;

const LAYERS = 3;
/** `seed-compat` needs a place to start from, which tells it where to look. */
const FREE: Readonly<Partial<Record<MethodName, (problem: SearchProblem) => Search>>> = {
  ncs,
  'cma-es': cmaEs,
  random: randomSearch,
};

function overFunction(title: string, landscape: Landscape, shown: (fitness: number) => number): Contest {
  const box = { lower: new Array<number>(LAYERS).fill(0), upper: new Array<number>(LAYERS).fill(10) };
  return {
    title,
    methods: SEARCH_METHODS.filter((name) => FREE[name] !== undefined),
    async best(method, given) {
      const search = FREE[method]?.({ ...box, ...given });
      if (search === undefined) return Infinity;
      for (let asked = search.ask(); asked.length > 0; asked = search.ask()) search.tell(asked.map(landscape));
      return search.best?.violation === 0 ? shown(search.best.fitness) : Infinity;
    },
  };
}

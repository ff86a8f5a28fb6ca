/** Random search: what every other method has to beat. */
import { z } from 'zod';
import { seededRandom } from '../base/random.js';
import { anywhere } from './box.js';
import { requireProblem, type Search, type SearchProblem, searchBy } from './search.js';

/**
 * Candidates anywhere in the box, ten in a generation; the first is the problem's `start` where it has one.
 *
 * @throws PruningError `E_SEARCH_PROBLEM` for a problem that cannot be
 * @example
 * const search = randomSearch({ lower: [0, 0], upper: [10, 10], budget: 100, seed: 1 });
 * search.ask().length; // 10
 */
export function randomSearch(problem: SearchProblem): Search {
  requireProblem(problem);
  const { seed, start, budget } = problem;
  return searchBy(problem, {
    name: 'random',
    settings: {},
    schema: z.null(),
    first: null,
    ask(_, generation) {
      const random = seededRandom(seed, 'random-search', generation);
      const points = Array.from({ length: Math.min(10, budget) }, () => anywhere(problem, random));
      return generation === 0 && start !== undefined ? [start, ...points.slice(1)] : points;
    },
    tell: () => null,
  });
}

/** Functions to search, over the box [0, 10]ⁿ as rates have it, and runs over them. */
import type { Candidate, Result, Search, SearchProblem } from '../../sdk/pruning/search.js';

export type Landscape = (x: Candidate) => Result;

/** One valley, its floor at 3.7 along each axis. */
export const sphere: Landscape = (x) => ({ fitness: x.reduce((sum, v) => sum + (v - 3.7) ** 2, 0), violation: 0 });

/** Rastrigin's: a valley at each whole step from the deepest, which is at 3.7 too. */
export const rastrigin: Landscape = (x) => ({
  fitness: x.reduce((sum, v) => sum + 10 + (v - 3.7) ** 2 - 10 * Math.cos(2 * Math.PI * (v - 3.7)), 0),
  violation: 0,
});

/** As pruning is: the more the better, until it is too much. The best, −6, lies on the line x + y + … = 6. */
export const cliff: Landscape = (x) => {
  const sum = x.reduce((a, b) => a + b, 0);
  return { fitness: -sum, violation: Math.max(0, sum - 6) };
};

export function boxOf(layers: number, rest: Omit<SearchProblem, 'lower' | 'upper'>): SearchProblem {
  return { lower: new Array<number>(layers).fill(0), upper: new Array<number>(layers).fill(10), ...rest };
}

/** Runs a search until its budget is spent, or for some generations. */
export function run(search: Search, landscape: Landscape, generations = Infinity): Search {
  for (let i = 0; i < generations; i++) {
    const asked = search.ask();
    if (asked.length === 0) break;
    search.tell(asked.map(landscape));
  }
  return search;
}

/** The best fitness of a search that was run; infinite where nothing met the constraint. */
export function bestOf(search: Search): number {
  return search.best?.violation === 0 ? search.best.fitness : Infinity;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
}

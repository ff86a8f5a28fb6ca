/**
 * The search for rates: a method says what to try next (`ask`) and learns what came of it (`tell`). Whoever evaluates the
 * candidates, here or on other machines, knows nothing of the method.
 *
 * What is asked depends on the settings and on the results told so far, and on nothing else: draws are made from the seed and
 * the generation's number. So `ask` may be called again, a search killed between the two goes on from its state bit for bit,
 * and two machines with one state ask for the same.
 */
import { z } from 'zod';
import { PruningError } from '../base/errors.js';

/** One rate for each layer. */
export type Candidate = readonly number[];

/** What came of a candidate. */
export interface Result {
  /** What is to become small, such as the part of the parameters that is kept. */
  readonly fitness: number;
  /** By how much the constraint is missed, such as accuracy that is lacking; 0 where it is met. */
  readonly violation: number;
}

/** A candidate and its result. */
export interface Evaluated extends Result {
  readonly candidate: Candidate;
}

/** What every method is given: the box, how much it may spend, where it starts. */
export interface SearchProblem {
  /** The least rate of each layer. */
  readonly lower: Candidate;
  /** The greatest rate of each layer. */
  readonly upper: Candidate;
  /** How many candidates may be evaluated. A generation that would go beyond is not begun. */
  readonly budget: number;
  readonly seed: number;
  /** A candidate to begin with, such as the rates of the last round. Without it a method begins anywhere in the box. */
  readonly start?: Candidate;
}

/** One run of a method. */
export interface Search {
  /** The method: `ncs`, `cma-es`, … */
  readonly name: string;
  /** How many generations have been told. */
  readonly generation: number;
  /** How many candidates have been evaluated. */
  readonly evaluated: number;
  /** The best so far by {@link isBetter}, the earliest of equals. */
  readonly best: Evaluated | undefined;
  /** The candidates of this generation; none once the budget is spent. Asking again gives the same. */
  ask(): readonly Candidate[];
  /**
   * Takes the results of this generation, in the order in which they were asked for.
   *
   * @throws PruningError `E_SEARCH_RESULTS` for another number of results than were asked for, or for one that is no number
   */
  tell(results: readonly Result[]): void;
  /** All there is to know of the search, for `JSON.stringify`. */
  state(): SearchState;
  /**
   * Goes on from a state of a search with the same settings.
   *
   * @throws PruningError `E_SEARCH_STATE` for what is no state, or one of other settings
   */
  restore(state: unknown): void;
}

/** What {@link Search.state} gives. */
export interface SearchState {
  readonly version: 1;
  readonly name: string;
  readonly problem: unknown;
  readonly settings: unknown;
  readonly generation: number;
  readonly evaluated: number;
  readonly best: Evaluated | null;
  readonly method: unknown;
}

/** A method as pure functions over a state `S`, which is plain data. {@link searchBy} makes a search of it. */
export interface Method<S> {
  readonly name: string;
  /** What makes two runs of the method differ besides their problem; plain data. */
  readonly settings: unknown;
  readonly schema: z.ZodType<S>;
  readonly first: S;
  ask(state: S, generation: number): readonly Candidate[];
  tell(state: S, told: readonly Evaluated[], generation: number): S;
}

/**
 * Whether one result is better than another: whatever meets the constraint beats what does not; among those that do, the
 * smaller fitness; among those that do not, the smaller violation (Deb 2000, https://doi.org/10.1016/S0045-7825(99)00389-8).
 *
 * @example
 * isBetter({ fitness: 0.9, violation: 0 }, { fitness: 0.1, violation: 0.02 }); // true
 */
export function isBetter(a: Result, b: Result): boolean {
  return compareResults(a, b) < 0;
}

/** The order of {@link isBetter}, for sorting: the best first. */
export function compareResults(a: Result, b: Result): number {
  return a.violation - b.violation || (a.violation > 0 ? 0 : a.fitness - b.fitness);
}

/**
 * A run of a method, of a problem that {@link requireProblem} passed.
 */
export function searchBy<S>(problem: SearchProblem, method: Method<S>): Search {
  const schema = stateSchema(method.schema, problem.lower.length);
  let now: z.infer<typeof schema> = { generation: 0, evaluated: 0, best: null, method: method.first };
  // As it comes back from a file, so that it can be compared with one.
  const identity = plain({ version: 1, name: method.name, problem, settings: method.settings });

  function ask(): readonly Candidate[] {
    const candidates = method.ask(now.method, now.generation);
    return now.evaluated + candidates.length <= problem.budget ? candidates : [];
  }
  return {
    name: method.name,
    get generation() {
      return now.generation;
    },
    get evaluated() {
      return now.evaluated;
    },
    get best() {
      return now.best ?? undefined;
    },
    ask,
    tell(results) {
      const candidates = ask();
      requireResults(results, candidates, now.generation);
      const told = results.map(({ fitness, violation }, i) => ({ candidate: candidates[i], fitness, violation }));
      now = {
        generation: now.generation + 1,
        evaluated: now.evaluated + told.length,
        best: told.reduce((best, one) => (best === null || isBetter(one, best) ? one : best), now.best),
        method: method.tell(now.method, told, now.generation),
      };
    },
    state: () => ({ version: 1, name: method.name, problem, settings: method.settings, ...now }),
    restore(state) {
      const parsed = schema.safeParse(state);
      const of = z.looseObject({ version: z.unknown(), name: z.unknown() }).safeParse(state);
      if (!parsed.success || !of.success) {
        throw new PruningError(
          'E_SEARCH_STATE',
          `the saved search is damaged or none of mindts; begin the search anew`,
        );
      }
      const { version, name, problem: posed, settings } = of.data;
      if (plain({ version, name, problem: posed, settings }) !== identity) {
        throw new PruningError(
          'E_SEARCH_STATE',
          `the saved search is another one (${String(name)}, or with other bounds, budget, seed or settings); begin the search anew`,
        );
      }
      now = parsed.data;
    },
  };
}

/** A schema of n numbers, for a method's state. */
export function vector(n: number): z.ZodType<readonly number[]> {
  return z.array(z.number()).length(n).readonly();
}

/** A schema of an evaluated candidate of n rates. */
export function evaluated(n: number): z.ZodType<Evaluated> {
  return z.object({ candidate: vector(n), fitness: z.number(), violation: z.number().min(0) });
}

function stateSchema<S>(method: z.ZodType<S>, layers: number) {
  return z.object({
    generation: z.int().min(0),
    evaluated: z.int().min(0),
    best: evaluated(layers).nullable(),
    method,
  });
}

/**
 * Checks a problem, before a method looks at it.
 *
 * @throws PruningError `E_SEARCH_PROBLEM` for a box, a budget or a start that cannot be
 */
export function requireProblem({ lower, upper, budget, seed, start }: SearchProblem): void {
  if (lower.length === 0 || lower.length !== upper.length) {
    throw unsearchable(`${lower.length} lower and ${upper.length} upper bounds; each layer needs one of both`);
  }
  for (const [i, from] of lower.entries()) {
    if (!(Number.isFinite(from) && Number.isFinite(upper[i]) && from < upper[i])) {
      throw unsearchable(
        `the bounds of layer ${i + 1} are ${from} and ${upper[i]}; the first must be below the second`,
      );
    }
  }
  if (!Number.isSafeInteger(budget) || budget < 1) {
    throw unsearchable(`a budget of ${budget}; it must be a whole number of at least 1`);
  }
  if (!Number.isFinite(seed)) throw unsearchable(`the seed ${seed} is no number`);
  if (start === undefined) return;
  if (start.length !== lower.length) throw unsearchable(`starts with ${start.length} rates for ${lower.length} layers`);
  const outside = start.findIndex((rate, i) => !(rate >= lower[i] && rate <= upper[i]));
  if (outside >= 0) {
    throw unsearchable(
      `starts with the rate ${start[outside]} for layer ${outside + 1}, outside its bounds ${lower[outside]} and ${upper[outside]}`,
    );
  }
}

function unsearchable(what: string): PruningError {
  return new PruningError('E_SEARCH_PROBLEM', `the search: ${what}`);
}

function requireResults(results: readonly Result[], asked: readonly Candidate[], generation: number): void {
  if (results.length !== asked.length || asked.length === 0) {
    throw new PruningError(
      'E_SEARCH_RESULTS',
      `generation ${generation} asked for ${asked.length} candidates, and ${results.length} results are told`,
    );
  }
  for (const [i, { fitness, violation }] of results.entries()) {
    if (Number.isFinite(fitness) && Number.isFinite(violation) && violation >= 0) continue;
    throw new PruningError(
      'E_SEARCH_RESULTS',
      `generation ${generation}, candidate ${i}: a fitness of ${fitness} and a violation of ${violation}; both must be numbers, the second not below 0`,
    );
  }
}

function plain(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** With the keys of objects in one order, whoever wrote them. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, sorted(one)]),
  );
}

/** What is true of every method. */
import { test } from 'tap';
import { PruningError } from '../../sdk/base/errors.js';
import { cmaEs } from '../../sdk/pruning/cma-es.js';
import { ncs } from '../../sdk/pruning/ncs.js';
import { randomSearch } from '../../sdk/pruning/random-search.js';
import { isBetter, type Search, type SearchProblem } from '../../sdk/pruning/search.js';
import { seedCompat } from '../../sdk/pruning/seed-compat.js';
import { bestOf, boxOf, cliff, median, rastrigin, run, sphere } from './landscapes.js';

type Make = (problem: SearchProblem) => Search;
const METHODS: Readonly<Record<string, Make>> = {
  ncs,
  'cma-es': cmaEs,
  random: randomSearch,
  'seed-compat': (problem) => seedCompat({ start: [0.001, 0.001, 0.001], ...problem }),
};
const SEEDS = Array.from({ length: 10 }, (_, i) => i + 1);

for (const [name, make] of Object.entries(METHODS)) {
  const problem = boxOf(3, { budget: 300, seed: 5 });

  test(`${name}: one that is killed in any generation, and goes on from its state as JSON, asks for the same to the bit`, async (t) => {
    const whole = make(problem);
    let other = make(problem);
    for (;;) {
      const asked = whole.ask();
      t.same(other.ask(), asked);
      if (asked.length === 0) break;
      const saved: unknown = JSON.parse(JSON.stringify(other.state()));
      other = make(problem);
      other.restore(saved);
      t.same(other.ask(), asked, 'after the kill');
      for (const search of [whole, other]) search.tell(asked.map(rastrigin));
    }
    t.equal(JSON.stringify(other.state()), JSON.stringify(whole.state()));
    t.ok(whole.generation > 20);
  });

  test(`${name}: candidates stay in the box, and the budget is not exceeded by a candidate`, async (t) => {
    let count = 0;
    const search = run(make(problem), (x) => {
      count++;
      if (x.length !== 3 || x.some((rate) => !(rate >= 0 && rate <= 10))) t.fail(`${x}`);
      return sphere(x);
    });
    // The seed program counts its start as ten.
    const most = name === 'seed-compat' ? 301 : 300;
    t.ok(count <= most && count > most - 10, `${count}`);
    t.equal(search.evaluated, count);
  });

  test(`${name}: another seed asks for other candidates, the same seed for the same`, async (t) => {
    const [a, b, c] = [5, 5, 6].map((seed) => run(make({ ...problem, seed }), sphere, 3).ask());
    t.same(a, b);
    t.not(JSON.stringify(a), JSON.stringify(c));
  });

  test(`${name}: the best is the best of all that was told, and what misses the constraint only until something meets it`, async (t) => {
    const search = make(problem);
    search.tell(search.ask().map((_, i) => ({ fitness: 1, violation: 1 + i })));
    t.equal(search.best?.violation, 1);
    search.tell(search.ask().map((_, i) => ({ fitness: 50 - i, violation: i % 2 })));
    t.equal(search.best?.violation, 0);
    const before = search.best;
    search.tell(search.ask().map(() => ({ fitness: -9, violation: 0.001 })));
    t.equal(search.best, before);
    t.ok((before?.fitness ?? 0) > 40);
  });

  test(`${name}: results that do not fit what was asked are refused, and change nothing`, async (t) => {
    const search = make(problem);
    const before = JSON.stringify(search.state());
    const good = search.ask().map(sphere);
    for (const bad of [
      [],
      [...good, ...good],
      good.map((result) => ({ ...result, fitness: Number.NaN })),
      good.map((result) => ({ ...result, violation: -1 })),
      good.map((result) => ({ ...result, violation: Infinity })),
    ]) {
      t.equal(
        codeOf(() => search.tell(bad)),
        'E_SEARCH_RESULTS',
      );
    }
    t.equal(JSON.stringify(search.state()), before);
    search.tell(good);
  });

  test(`${name}: a spent budget takes no more results`, async (t) => {
    const search = run(make(problem), sphere);
    t.same(search.ask(), []);
    t.equal(
      codeOf(() => search.tell([])),
      'E_SEARCH_RESULTS',
    );
  });

  test(`${name}: a state of other settings, or of nobody's, is refused, and the search goes on as it was`, async (t) => {
    const state = run(make(problem), sphere, 2).state();
    const search = make(problem);
    for (const bad of [
      null,
      'state',
      {},
      { ...state, method: {} },
      { ...state, generation: -1 },
      { ...state, name: 'other' },
      { ...state, version: 2 },
      { ...state, problem: { ...problem, seed: 6 } },
      { ...state, best: { ...state.best, candidate: [1] } },
      run(make({ ...problem, budget: 310 }), sphere, 2).state(),
    ]) {
      t.equal(
        codeOf(() => search.restore(bad)),
        'E_SEARCH_STATE',
        JSON.stringify(bad).slice(0, 60),
      );
    }
    t.equal(search.generation, 0);
    search.restore(state);
    t.equal(search.generation, 2);
  });

  test(`${name}: a box, a budget or a start that cannot be is refused, naming it`, async (t) => {
    for (const [change, said] of [
      [{ lower: [] }, /0 lower and 3 upper/],
      [{ upper: [10, 0, 10] }, /layer 2 are 0 and 0/],
      [{ upper: [10, 10, Infinity] }, /layer 3/],
      [{ budget: 0 }, /budget of 0/],
      [{ start: [1, 2] }, /2 rates for 3 layers/],
      [{ start: [1, 2, 11] }, /rate 11 for layer 3, outside its bounds 0 and 10/],
    ] as const) {
      t.throws(() => make({ ...problem, ...change }), { code: 'E_SEARCH_PROBLEM', message: said });
    }
  });
}

test('methods that begin at a start ask for it first', async (t) => {
  const start = [1, 2, 3];
  for (const make of [ncs, randomSearch]) {
    t.same(make(boxOf(3, { budget: 100, seed: 1, start })).ask()[0], start);
  }
  const asked = cmaEs(boxOf(3, { budget: 100, seed: 1, start }), { stepSize: 1e-9 }).ask();
  t.ok(
    asked.every((x) => x.every((rate, i) => Math.abs(rate - start[i]) < 1e-6)),
    'around it',
  );
});

test('whatever meets the constraint is better than what does not', async (t) => {
  t.ok(isBetter({ fitness: 9, violation: 0 }, { fitness: 1, violation: 1e-9 }));
  t.ok(isBetter({ fitness: 9, violation: 1 }, { fitness: 1, violation: 2 }));
  t.ok(isBetter({ fitness: 1, violation: 0 }, { fitness: 2, violation: 0 }));
  t.notOk(isBetter({ fitness: 1, violation: 2 }, { fitness: 5, violation: 2 }), 'violations alone count');
});

/** Medians of ten seeds, three layers. */
function medians(landscape: typeof sphere, budget: number): Readonly<Record<string, number>> {
  const of = (make: Make): number =>
    median(SEEDS.map((seed) => bestOf(run(make(boxOf(3, { budget, seed })), landscape))));
  return { ncs: of(ncs), cmaEs: of(cmaEs), random: of(randomSearch) };
}

test('in one valley CMA-ES is far ahead, and NCS far ahead of random search (medians of ten seeds)', async (t) => {
  const best = medians(sphere, 600);
  t.ok(best['cmaEs'] < 1e-8, JSON.stringify(best));
  t.ok(best['ncs'] < best['random'] / 3, JSON.stringify(best));
});

test('among many valleys NCS finds deeper ones than random search, and CMA-ES deeper ones than NCS (medians of ten seeds)', async (t) => {
  const best = medians(rastrigin, 4000);
  t.ok(best['ncs'] < best['random'] / 2, JSON.stringify(best));
  t.ok(best['cmaEs'] < best['ncs'], JSON.stringify(best));
});

test('at a cliff NCS and CMA-ES end on its edge, on the side that meets the constraint', async (t) => {
  for (const [name, limit] of [
    ['ncs', -5.9],
    ['cma-es', -5.999],
  ] as const) {
    const best = SEEDS.map((seed) => bestOf(run(METHODS[name](boxOf(3, { budget: 800, seed })), cliff)));
    t.ok(median(best) < limit && best.every((fitness) => fitness >= -6), `${name}: ${best}`);
  }
});

function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    if (error instanceof PruningError) return error.code;
    throw error;
  }
}

/** Negatively correlated search, and the seed program's version of it. */
import { type Test, test } from 'tap';
import { z } from 'zod';
import { seededRandom } from '../../sdk/base/random.js';
import { cmaEs } from '../../sdk/pruning/cma-es.js';
import { adapted, bhattacharyya, isAccepted, ncs } from '../../sdk/pruning/ncs.js';
import { numpyNormal } from '../../sdk/pruning/numpy-random.js';
import type { Search } from '../../sdk/pruning/search.js';
import { seedCompat } from '../../sdk/pruning/seed-compat.js';
import { boxOf, cliff, rastrigin, run, sphere } from './landscapes.js';

const SAVED = z.object({
  method: z.object({
    population: z.array(z.object({ candidate: z.array(z.number()), fitness: z.number(), violation: z.number() })),
    deviations: z.array(z.number()),
  }),
});
const inside = (search: Search) => SAVED.parse(search.state()).method;

test('the Bhattacharyya distance is that of a calculation by hand', async (t) => {
  // S = (1 + 4) / 2 = 2.5; 3² / 2.5 / 8 = 0.45; 2 / 2 · ln(2.5 / 2)
  const distance = bhattacharyya({ mean: [0, 3], deviation: 1 }, { mean: [0, 0], deviation: 2 });
  t.ok(Math.abs(distance - (0.45 + Math.log(1.25))) < 1e-15, `${distance}`);
  t.equal(bhattacharyya({ mean: [1, 2], deviation: 3 }, { mean: [1, 2], deviation: 3 }), 0);
});

test('an offspring is accepted when its share of fitness is below λ times its share of distance', async (t) => {
  const at = (fitness: number) => ({ fitness, violation: 0 });
  const among = { distance: { parent: 1, trial: 1 }, lambda: 1, best: 2 };
  // Shares from the best, 2: 1 / (1 + 3) and 3 / (3 + 1).
  t.ok(isAccepted(at(3), at(5), among));
  t.notOk(isAccepted(at(5), at(3), among));
  t.notOk(isAccepted(at(3), at(5), { ...among, lambda: 0.5 }), '¼ is not below ½ · ½');
  t.ok(isAccepted(at(3), at(5), { ...among, lambda: 0.51 }));
  t.ok(
    isAccepted(at(5), at(3), { ...among, distance: { parent: 1, trial: 4 } }),
    '¾ < ⅘: worse, but far from the others',
  );
  t.notOk(
    isAccepted(at(3), at(5), { ...among, distance: { parent: 1, trial: 0.25 } }),
    '¼ > ⅕: better, but close to another',
  );
});

test('where all are equal, nothing is 0 / 0: a λ above 1 decides', async (t) => {
  const same = { fitness: 1, violation: 0 };
  const among = { distance: { parent: 0, trial: 0 }, best: 1 };
  t.ok(isAccepted(same, same, { ...among, lambda: 1.01 }));
  t.notOk(isAccepted(same, same, { ...among, lambda: 0.99 }));
});

test('what meets the constraint always replaces what does not, and never the other way round', async (t) => {
  const among = { distance: { parent: 1, trial: 1 }, lambda: 1, best: null };
  t.ok(isAccepted({ fitness: 9, violation: 0 }, { fitness: 0, violation: 0.1 }, { ...among, lambda: -5 }));
  t.notOk(isAccepted({ fitness: 0, violation: 0.1 }, { fitness: 9, violation: 0 }, { ...among, lambda: 50 }));
  t.ok(isAccepted({ fitness: 9, violation: 1 }, { fitness: 0, violation: 2 }, among), 'violations count, not fitness');
  t.notOk(
    isAccepted(
      { fitness: 0, violation: 2 },
      { fitness: 9, violation: 1 },
      { ...among, distance: { parent: 1, trial: 99 } },
    ),
    'nor distance',
  );
});

test('each generation replaces those that the rule replaces, with a λ of its own whose spread ends at 0', async (t) => {
  const problem = boxOf(2, { budget: 400, seed: 7 });
  const search = run(ncs(problem), rastrigin, 1);
  let lowest = Math.min(...inside(search).population.map(({ fitness }) => fitness));
  for (let generation = 1; search.ask().length > 0; generation++) {
    const { population, deviations } = inside(search);
    const trials = search.ask().map((candidate) => ({ candidate, ...rastrigin(candidate) }));
    lowest = Math.min(lowest, ...trials.map(({ fitness }) => fitness));
    const lambda = 1 + 0.1 * (1 - generation / 40) * seededRandom(7, 'ncs', 'lambda', generation).normal();
    const expected = population.map((parent, i) => {
      // In widths of the box, as the deviations are.
      const gaussian = (x: readonly number[], j: number) => ({ mean: x.map((v) => v / 10), deviation: deviations[j] });
      const distances = (x: readonly number[]) =>
        population.map((other, j) =>
          j === i ? Infinity : bhattacharyya(gaussian(x, i), gaussian(other.candidate, j)),
        );
      const [before, after] = [parent, trials[i]].map(({ candidate }) => Math.min(...distances(candidate)));
      const fitness = (trials[i].fitness - lowest) / (parent.fitness - lowest + (trials[i].fitness - lowest));
      return fitness / (after / (before + after)) < lambda ? trials[i] : parent;
    });
    search.tell(trials);
    t.same(inside(search).population, expected, `generation ${generation}`);
  }
  t.equal(search.generation, 40);
});

test('searches that meet the constraint go on meeting it', async (t) => {
  const search = ncs(boxOf(3, { budget: 1600, seed: 3 }));
  let met = 0;
  for (let generation = 0; generation < 150; generation++) {
    run(search, cliff, 1);
    const now = inside(search).population.filter(({ violation }) => violation === 0).length;
    if (now < met) t.fail(`${now} after ${met}`);
    met = now;
  }
  t.equal(met, 10);
});

test('its searches end in different valleys', async (t) => {
  const search = run(ncs(boxOf(3, { budget: 4000, seed: 1 })), rastrigin);
  const valleys = new Set(
    inside(search).population.map(({ candidate }) => candidate.map((v) => Math.round(v - 3.7)).join()),
  );
  t.ok(valleys.size >= 8, [...valleys].join(' '));
});

test('every tenth generation a step grows when more than 1 in 5 succeeded, and shrinks when fewer', async (t) => {
  t.equal(adapted(2, 0.3, 0.5), 4);
  t.equal(adapted(2, 0.2, 0.5), 2);
  t.equal(adapted(2, 0.1, 0.5), 1);
  // Nothing is ever better than the first point: all steps shrink, and only then.
  const search = ncs(boxOf(2, { budget: 1000, seed: 1 }), { spread: 0 });
  let fitness = 0;
  const worsening = () => ({ fitness: fitness++ * 1e6, violation: 0 });
  run(search, worsening, 10);
  t.same(inside(search).deviations, new Array(10).fill(0.1));
  run(search, worsening, 1);
  t.ok(inside(search).deviations.some((σ) => σ === 0.1 * 0.99));
});

test('options that cannot be are refused, naming them', async (t) => {
  const problem = boxOf(2, { budget: 100, seed: 1 });
  for (const options of [
    { populationSize: 1 },
    { populationSize: 2.5 },
    { stepSize: 0 },
    { shrink: 1.1 },
    { epoch: 0 },
    { spread: Number.NaN },
  ]) {
    const [name] = Object.keys(options);
    t.throws(() => ncs(problem, options), { code: 'E_SEARCH_PROBLEM', message: new RegExp(`ncs: ${name} `) });
  }
  t.throws(() => cmaEs(problem, { populationSize: 3 }), { code: 'E_SEARCH_PROBLEM' });
});

test('a budget of one generation has room for no second one', async (t) => {
  t.equal(run(ncs(boxOf(2, { budget: 19, seed: 1 })), sphere).evaluated, 10);
  t.same(ncs(boxOf(2, { budget: 9, seed: 1 })).ask(), []);
});

// From numpy 2.4.6: np.random.seed(s); np.random.randn(…).
test("the seed program's random numbers are numpy's", async (t) => {
  const draw = (seed: number, n: number) => Array.from({ length: n }, numpyNormal(seed));
  const first = [-0.8425106761871984, 0.6096038446906147, 0.4320702709325569, 1.4559355837916277, 1.831494374260062];
  close(t, draw(961449, 5), first);
  const block = draw(981118, 30);
  close(t, [block[29], block.reduce((a, b) => a + b, 0)], [0.35120482366258093, 14.952248511187452]);
  t.not(draw(0, 1)[0], draw(2 ** 32 - 1, 1)[0]);
});

test('the seed program spends 1601 evaluations on a Tmax of 1600, and 141 in its four jobs', async (t) => {
  for (const [budget, spent] of [
    [1600, 1601],
    [149, 141],
  ]) {
    const search = seedCompat({ ...boxOf(3, { budget, seed: 961449 }), start: [0.001, 0.001, 0.001] });
    t.equal(run(search, sphere).evaluated, spent);
  }
});

test('the seed program never leaves its start, whatever it is told, and its steps shrink by a hundredth every ten generations', async (t) => {
  const start = [0.001, 0.001, 0.001];
  const search = seedCompat({ ...boxOf(3, { budget: 400, seed: 961449 }), start }, { stepSize: 5 });
  const randn = numpyNormal(961449);
  run(search, sphere, 1);
  let deviation = 5;
  for (let generation = 1; search.ask().length > 0; generation++) {
    const expected = Array.from({ length: 10 }, () =>
      start.map((rate) => {
        const moved = rate + deviation * randn();
        return moved < 0 ? 1e-4 : moved > 10 ? 10 - 1e-4 : moved;
      }),
    );
    for (let i = 0; i < 10; i++) randn();
    t.same(search.ask(), expected, `generation ${generation}`);
    search.tell(search.ask().map((x, i) => (i % 2 ? sphere(x) : { fitness: 0.001, violation: 0 })));
    if (generation % 10 === 0) deviation *= 0.99;
  }
});

test('the seed program would move if a fitness were below 0, as its older fitness was', async (t) => {
  const start = [1, 1, 1];
  const search = seedCompat({ ...boxOf(3, { budget: 400, seed: 1 }), start }, { stepSize: 0.5 });
  run(search, (x) => ({ fitness: sphere(x).fitness - 100, violation: 0 }), 20);
  const { points } = z
    .object({ method: z.object({ points: z.array(z.array(z.number())) }) })
    .parse(search.state()).method;
  t.ok(points.some((point) => point.some((rate, k) => rate !== start[k])));
});

test('the seed program takes the seeds that numpy takes', async (t) => {
  for (const seed of [-1, 0.5, 2 ** 32]) {
    t.throws(() => seedCompat({ ...boxOf(1, { budget: 20, seed }), start: [1] }), {
      code: 'E_SEARCH_PROBLEM',
      message: /numpy/,
    });
  }
});

/** To the last bits: a logarithm may differ by one unit between machines. */
function close(t: Test, found: readonly number[], expected: readonly number[]): void {
  for (const [i, value] of expected.entries()) t.ok(Math.abs(found[i] - value) < 1e-13, `${found[i]} is ${value}`);
}

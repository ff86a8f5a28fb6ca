import { test } from 'tap';
import { type Contest, functionContests } from '../../bench/pruning/contests.js';
import { fixedRound } from '../../bench/pruning/fixed-round.js';
import { compete, duelsTable, mediansTable } from '../../bench/pruning/standings.js';
import { deviation, isClear, mean, pairsWon, quantile } from '../../bench/statistics.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { evaluateHere } from '../../sdk/pruning/evaluate-here.js';
import { prune } from '../../sdk/pruning/prune.js';
import { type RoundProblem, type Score, searchRound } from '../../sdk/pruning/round.js';
import { quickSettings, trained } from '../pruning/trained.js';

test('quarters lie on straight lines between the values, and infinite ones are no hindrance', async (t) => {
  t.same(
    [0.25, 0.5, 0.75].map((part) => quantile([4, 1, 3, 2], part)),
    [1.75, 2.5, 3.25],
  );
  t.equal(quantile([1, Infinity, Infinity], 0.75), Infinity);
  t.equal(quantile([7], 0.25), 7);
  t.equal(mean([1, 2, 6]), 3);
  t.equal(deviation([1, 2, 6]), Math.sqrt(7));
  t.equal(deviation([5]), 0);
});

test('a tie is half a pair, and what nobody found is no win', async (t) => {
  t.equal(pairsWon([1, 2], [2, 3]), 3.5);
  t.equal(pairsWon([1], [Infinity]), 1);
  t.equal(pairsWon([Infinity], [Infinity]), 0.5);
});

test('of ten against ten, 77 pairs of 100 are no chance, and 76 may be one, as the tables of the test have it', async (t) => {
  t.same(
    [77, 76, 24, 23].map((won) => isClear(won, 10, 10)),
    [true, false, false, true],
  );
});

test('every search has the same seeds and the same budget, and the tables say who is ahead', async (t) => {
  const asked: unknown[] = [];
  const found: Partial<Record<string, number>> = { ncs: 2000.4, random: Infinity };
  const contest: Contest = {
    title: 'a test',
    methods: ['ncs', 'random'],
    async best(method, given) {
      asked.push([method, given]);
      return (found[method] ?? 0) + given.seed;
    },
  };
  let told = 0;
  const standing = await compete(contest, { budget: 160, seeds: 2, told: () => told++ });
  t.equal(told, 4);
  t.same(asked, [
    ['ncs', { seed: 1, budget: 160 }],
    ['ncs', { seed: 2, budget: 160 }],
    ['random', { seed: 1, budget: 160 }],
    ['random', { seed: 2, budget: 160 }],
  ]);
  t.equal(mediansTable([standing]).split('\n')[2], '| a test | 160 | 2002 (2002–2002) | – | none (none–none) | – |');
  t.equal(duelsTable([standing]).split('\n')[2], '| a test | 160 | 4 : 0 | – | – | – |');
});

test('on both functions more candidates find no less, and nothing is found beyond the edge', async (t) => {
  for (const { title, methods, best } of functionContests()) {
    t.same(methods, ['ncs', 'cma-es', 'random']);
    const few = await best('random', { seed: 3, budget: 20 });
    const many = await best('random', { seed: 3, budget: 400 });
    t.ok(many > 0 && many < few, `${title}: ${many} after ${few}`);
    t.equal(await best('random', { seed: 3, budget: 20 }), few, 'the same again');
  }
});

test('the round that stands still is the one that a run comes to, and scores stay what they are', async (t) => {
  const [job, settings] = [await trained(), await quickSettings()];
  const round = await fixedRound(job, settings, 20);
  t.teardown(() => round.close());

  const problems: RoundProblem[] = [];
  await prune(
    { ...job, settings, engine: nativeEngine({ threads: 2 }) },
    {
      identity: '',
      surroundings: {
        load: async () => undefined,
        save: async () => {},
        search(problem, trainer) {
          problems.push(problem);
          return searchRound(problem, evaluateHere(trainer, problem.snapshot));
        },
      },
    },
  );
  t.same(
    round.problem,
    problems.find(({ snapshot }) => snapshot.iteration === 20),
  );

  const scores: (Score | undefined)[] = [];
  for (const seed of [1, 2, 1]) {
    const posed = { ...round.problem, settings: { ...settings, seed } };
    scores.push((await searchRound(posed, round.evaluate)).score);
  }
  t.ok(scores[0]);
  t.same(scores[2], scores[0], 'another search between them has changed nothing');

  await t.rejects(fixedRound(job, settings, 25), /no round searches at iteration 25/);
});

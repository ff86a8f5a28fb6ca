import { test } from 'tap';
import { type RoundProblem, searchRound } from '../../sdk/pruning/round.js';
import { RoundProgress, roundProgressSchema, shownProgress } from '../../sdk/pruning/round-progress.js';
import { snapshotOf } from '../../sdk/pruning/surgery.js';
import { Throughput } from '../../sdk/pruning/throughput.js';
import { quickSettings } from './trained.js';

const layers = [
  { name: 'fc1', offset: 0, size: 80 },
  { name: 'fc2', offset: 80, size: 20 },
];

async function problem(choices: Parameters<typeof quickSettings>[0] = {}): Promise<RoundProblem> {
  const values = Float32Array.from({ length: 100 }, (_, i) => Math.sin(i));
  const whole = snapshotOf(values, new Uint8Array(100).fill(1), layers);
  const snapshot = { ...whole, iteration: 0, slots: [], rates: [undefined, undefined], active: [true, true] };
  return { round: 2, snapshot, settings: await quickSettings(choices), images: 40, reference: 40, goal: 50 };
}

test('candidates a second are those of late', async (t) => {
  const throughput = new Throughput();
  t.equal(throughput.perSecond, undefined);
  throughput.add(10, 60);
  t.ok(Math.abs((throughput.perSecond ?? 0) - 1 / 6) < 1e-9);
  for (let i = 0; i < 9; i++) throughput.add(100, 1);
  t.ok((throughput.perSecond ?? 0) < 15, 'what was slow counts until there are ten seconds since');
  throughput.add(100, 1);
  t.equal(throughput.perSecond, 100);
  throughput.add(5, 20);
  t.equal(throughput.perSecond, 0.25, 'one that takes longer than that counts alone');
});

test('how fast a round goes does not count the time until evaluators have come', async (t) => {
  let clock = 0;
  const given = await problem();
  const progress = new RoundProgress(given, 0, () => clock);
  t.same(progress.now, { round: 2, candidates: 0 });
  const said: (string | undefined)[] = [];
  await searchRound(
    given,
    async (rates, { generation }) => {
      clock += generation === 0 ? 600_000 : 50;
      return rates.map(() => ({ correct: 39, loss: 0.5, kept: [35, 15] }));
    },
    {
      told(generation, best) {
        const now = roundProgressSchema.parse(JSON.parse(JSON.stringify(progress.told(generation, best))));
        said.push(shownProgress(now));
      },
    },
  );
  t.equal(said[0], 'generation 0: 2.0× at 97.50 %');
  t.equal(said[1], 'generation 1: 2.0× at 97.50 %, 200 candidates/s');
  const { candidates, secondsLeft } = progress.now;
  t.equal(candidates, said.length * 10);
  t.equal(secondsLeft, (given.settings.search_budget - candidates) / 200);
});

test('one candidate, which is given, tells no speed; one that misses the constraint is none', async (t) => {
  const given = await problem({ shares: 'uniform', delta: 0 });
  const progress = new RoundProgress(given);
  await searchRound(given, async (rates) => rates.map(() => ({ correct: 20, loss: 0.5, kept: [35, 15] })), {
    told(generation, best) {
      progress.told(generation, best);
    },
  });
  t.match(progress.now, { candidates: 1, best: undefined, candidatesPerSecond: undefined, secondsLeft: undefined });
  t.equal(shownProgress(progress.now), 'generation 0: none meets the constraint yet');
});

import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { keptBy, magnitudesOf, raisedTo } from '../../sdk/pruning/magnitudes.js';
import { compressionOf } from '../../sdk/pruning/pruned-layers.js';
import { type Evaluate, type Generation, type RoundProblem, searchRound } from '../../sdk/pruning/round.js';
import { SEARCH_METHODS } from '../../sdk/pruning/settings.js';
import { maskFor, snapshotOf } from '../../sdk/pruning/surgery.js';
import type { TrainerSnapshot } from '../../sdk/pruning/trainer.js';
import { quickSettings } from './trained.js';

const layers = [
  { name: 'fc1', offset: 0, size: 800 },
  { name: 'fc2', offset: 800, size: 200 },
];

function drawn(seed: number): TrainerSnapshot {
  const random = seededRandom(seed, 'round test');
  const values = Float32Array.from({ length: 1000 }, (_, i) => random.normal() * (i < 800 ? 0.1 : 1));
  const mask = Uint8Array.from({ length: 1000 }, () => Number(random.uniform() < 0.7));
  const snapshot = snapshotOf(values, mask, layers);
  return { ...snapshot, iteration: 0, slots: [], rates: [undefined, undefined], active: [true, true] };
}

/** A hundred images; a layer matters the more the fewer of it are left, the second ten times as much. */
function scored(snapshot: TrainerSnapshot): Evaluate {
  const magnitudes = magnitudesOf(snapshot);
  return async (rates) =>
    rates.map((each) => {
      const kept = keptBy(
        magnitudes,
        snapshot,
        each.map((rate) => rate ?? undefined),
      );
      const loss = 10 / (1 + kept[0]) + 100 / (1 + kept[1]);
      return { correct: Math.max(0, Math.round(100 - 5 * loss)), loss, kept };
    });
}

async function problem(choices: Parameters<typeof quickSettings>[0], goal: number | undefined): Promise<RoundProblem> {
  const settings = await quickSettings(choices);
  return { round: 3, snapshot: drawn(1), settings, images: 100, reference: 100, goal };
}

test('what rates keep is told without a mask as the mask tells it', async (t) => {
  for (let seed = 0; seed < 20; seed++) {
    const snapshot = drawn(seed);
    const random = seededRandom(seed, 'rates');
    const rates = [random.normal(), seed % 3 === 0 ? undefined : random.normal()];
    const { layers: counted } = compressionOf(layers, maskFor(snapshot, rates));
    t.same(
      keptBy(magnitudesOf(snapshot), snapshot, rates),
      counted.map(({ kept }) => kept),
    );
  }
});

test('raised rates keep as many as they may, within what caps allow', async (t) => {
  const snapshot = drawn(2);
  const magnitudes = magnitudesOf(snapshot);
  const kept = (rates: readonly number[]): number => keptBy(magnitudes, snapshot, rates).reduce((a, b) => a + b);
  for (const goal of [0, 1, 50, 333, 600]) t.equal(kept(raisedTo([0.4, -0.2], { snapshot, magnitudes, goal })), goal);
  const held = raisedTo([0, 0], { snapshot, magnitudes, goal: 10, ceilings: [Infinity, 0] });
  t.equal(held[1], 0, 'a layer stays below its ceiling');
  t.ok(kept(held) > 10);
});

for (const method of SEARCH_METHODS) {
  for (const goal of [undefined, 120]) {
    test(`${method}, ${goal ?? 'no'} goal: a round replayed from its journal is the same, and evaluates nothing`, async (t) => {
      const posed = await problem({ method, delta: 0.2 }, goal);
      const journal: Generation[] = [];
      const evaluate = scored(posed.snapshot);
      const found = await searchRound(posed, evaluate, { told: (generation) => void journal.push(generation) });
      t.ok(found.score, 'something was found');
      t.ok(journal.length > 2);
      const none: Evaluate = async () => t.fail('evaluated again');
      t.same(await searchRound(posed, none, { known: JSON.parse(JSON.stringify(journal)) }), found);
      const half = await searchRound(posed, evaluate, { known: journal.slice(0, 2) });
      t.same(half, found, 'and one that was cut off goes on as it would have');
      if (goal !== undefined)
        for (const { scores } of journal) for (const { kept } of scores) t.equal(kept[0] + kept[1], goal);
    });
  }
}

test('the search finds that the layer which matters should keep more', async (t) => {
  const posed = await problem({ delta: 1, search_budget: 200 }, 120);
  const found = await searchRound(posed, scored(posed.snapshot));
  const even = await searchRound(await problem({ delta: 1, shares: 'uniform' }, 120), scored(posed.snapshot));
  t.equal(even.evaluated, 1, 'where shares are given nothing is searched for');
  t.ok((found.score?.loss ?? 9) < (even.score?.loss ?? 0));
  t.ok((found.score?.kept[1] ?? 0) > (even.score?.kept[1] ?? 0));
});

test('one threshold for all layers leaves most of the layer with the larger weights', async (t) => {
  const posed = await problem({ delta: 1, shares: 'global' }, 120);
  const { rates, score } = await searchRound(posed, scored(posed.snapshot));
  t.same(score?.kept, [0, 120]);
  const mask = maskFor(posed.snapshot, rates ?? []);
  t.equal(
    mask.reduce((a, b) => a + b),
    120,
    'the mask that is applied is the one that was scored',
  );
});

test('where no candidate meets the constraint nothing is found', async (t) => {
  const posed = await problem({ delta: 0 }, 20);
  const found = await searchRound(posed, scored(posed.snapshot));
  t.equal(found.rates, undefined);
  t.ok(found.evaluated > 0);
});

test('OLMP: layers that do not take part stay as they are, and one layer alone is not searched for', async (t) => {
  const posed = await problem({ schedule: 'olmp', delta: 1 }, undefined);
  const alone = { ...posed, snapshot: { ...posed.snapshot, active: [true, false] } };
  t.equal((await searchRound(alone, scored(posed.snapshot))).evaluated, 0);
});

test('a journal of another run is refused, and so are scores that are too few', async (t) => {
  const posed = await problem({}, 120);
  const journal: Generation[] = [];
  await searchRound(posed, scored(posed.snapshot), { told: (generation) => void journal.push(generation) });
  const other = { ...posed, settings: await quickSettings({ seed: 2 }) };
  await t.rejects(searchRound(other, scored(posed.snapshot), { known: journal }), { code: 'E_JOURNAL' });
  await t.rejects(
    searchRound(posed, async () => []),
    { code: 'E_JOURNAL' },
  );
});

test('a layer of which nothing is left stays so, whatever shares are searched or given', async (t) => {
  for (const shares of ['searched', 'global', 'uniform', [3, 1]] as const) {
    const posed = await problem({ delta: 1, shares: typeof shares === 'string' ? shares : [...shares] }, 120);
    const { values, mask: drawnMask } = posed.snapshot;
    const before = drawnMask.map((bit, i) => (i < 800 ? bit : 0));
    const snapshot = { ...posed.snapshot, ...snapshotOf(values, before, layers) };
    const { rates } = await searchRound({ ...posed, snapshot }, scored(snapshot));
    t.equal(rates?.[1], undefined);
    const mask = maskFor(snapshot, rates ?? []);
    t.ok(
      mask.subarray(800).every((bit) => bit === 0),
      `${shares}: nothing comes back`,
    );
    t.equal(compressionOf(layers, mask).kept, 120, 'the other layer keeps what all may');
  }
});

test('shares are proportions: their magnitude says nothing', async (t) => {
  const found = await Promise.all(
    [1, 1e-9, 1e300].map(async (scale) => {
      const posed = await problem({ delta: 1, shares: [3 * scale, scale] }, 120);
      return (await searchRound(posed, scored(posed.snapshot))).score?.kept;
    }),
  );
  t.same(found, [
    [90, 30],
    [90, 30],
    [90, 30],
  ]);
});

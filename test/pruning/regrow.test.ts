/** Connections that come back. */
import { test } from 'tap';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { alone } from '../../sdk/pruning/alone.js';
import { goalOf } from '../../sdk/pruning/course.js';
import { type Pruned, prune } from '../../sdk/pruning/prune.js';
import { prunedLayers } from '../../sdk/pruning/pruned-layers.js';
import { largestOf, regrownOf } from '../../sdk/pruning/regrow.js';
import { PruneTrainer } from '../../sdk/pruning/trainer.js';
import { quickSettings, trained } from './trained.js';

const BY_GRADIENTS = { saliency: 'fisher', saliency_images: 200 } as const;
/** Bits stay as they are. */
const NONE = [undefined, undefined];

test('the largest are found, of equal ones the first, and nothing that is not above 0', (t) => {
  const values = Float32Array.of(0, 2, 5, 2, -7, 2, 5);
  const wanted = [[], [2], [2, 6], [1, 2, 6], [1, 2, 3, 6], [1, 2, 3, 5, 6], [1, 2, 3, 5, 6]];
  for (const [count, places] of wanted.entries()) t.same(largestOf(values, count), places, `${count}`);
  t.same(largestOf(new Float32Array(3), 2), []);
  t.end();
});

test('the part that comes back falls along half a cosine to none', (t) => {
  const settings = { regrow: 0.6, prune_stop: 3000 };
  t.same(
    [0, 1000, 1500, 2000, 3000, 4000].map((iteration) => regrownOf(iteration, 1000, settings)),
    [600, 450, 300, 150, 0, 0],
  );
  t.end();
});

test('a round that lets connections come back leaves what the curve says, and they change nothing before they learn', async (t) => {
  const settings = await quickSettings({ ...BY_GRADIENTS, regrow: 0.5, target_ratio: 10, search_every: 20 });
  const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }), settings };
  const trainer = new PruneTrainer(options);
  await trainer.advance(20);
  // Half of each layer goes; the curve leaves a tenth in this round, the last, and a quarter of that comes back.
  const before = trainer.snapshot();
  trainer.restore({ ...before, mask: before.mask.map((_, i) => Number(i % 2 === 0)) });
  await trainer.weigh();
  const masked = trainer.snapshot();
  const scored = await trainer.evaluate(trainer.scored);
  trainer.apply(NONE);
  const after = trainer.snapshot();
  const total = prunedLayers(options.network).reduce((sum, { size }) => sum + size, 0);
  const back = [...after.mask.keys()].filter((i) => after.mask[i] > masked.mask[i]);
  t.equal(back.length, Math.round(0.25 * Math.floor(total / 10)));
  t.ok(after.mask.every((bit, i) => bit >= masked.mask[i]));
  t.ok(back.every((i) => [after.values, ...after.slots].every((array) => array[i] === 0)));
  t.ok(
    masked.values.some((value, i) => value !== 0 && back.includes(i)),
    'though they had been learnt',
  );
  t.same(await trainer.evaluate(trainer.scored), scored);
  await trainer.advance(25);
  const { values } = trainer.snapshot();
  t.ok(back.some((i) => values[i] !== 0));
  trainer.close();
});

test('those come back that the network misses most', async (t) => {
  const settings = await quickSettings({ ...BY_GRADIENTS, regrow: 0.9, target_ratio: 2, learning_rate: 1e-9 });
  const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }), settings };
  const trainer = new PruneTrainer(options);
  const whole = trainer.snapshot();
  // All that leads to five of the ten digits.
  const out = options.network.parameters.find(({ name }) => name === 'fc2.weight');
  const [rows, width] = out?.shape ?? [];
  const first = out?.offset ?? 0;
  const mask = whole.mask.map((_, i) => Number(!(i >= first && i < first + (rows / 2) * width)));
  trainer.restore({ ...whole, mask });
  const poor = await trainer.evaluate(trainer.split.training);
  await trainer.weigh();
  trainer.apply(NONE);
  const { mask: after } = trainer.snapshot();
  const back = after.filter((bit, i) => bit > mask[i]).length;
  // Units that are never active have nothing to say to anybody.
  t.ok(back > (rows / 2) * width * 0.8, `${back} of ${(rows / 2) * width} come back`);
  t.ok(poor.correct < 0.7 * trainer.split.training.length);
  trainer.close();
});

test('without gradients, or without a curve, nothing can come back, and that is said', async (t) => {
  for (const choices of [
    { saliency: 'magnitude', regrow: 0.1 },
    { saliency: 'fisher', schedule: 'olmp', regrow: 0.1 },
  ] as const) {
    await t.rejects(quickSettings(choices), { code: 'E_SETTINGS', message: /--regrow 0.1 goes by gradients/ });
  }
});

/** Prunes in a folder; ends before a turn where it is told to. */
async function pruneIn(folder: string, { resume = false, until = Infinity } = {}): Promise<Pruned> {
  const settings = await quickSettings({ ...BY_GRADIENTS, regrow: 0.4, curve_end: 0.5, delta: 1 });
  const surroundings = await alone({ folder, resume });
  try {
    const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }), settings };
    async function begin(turn: number): Promise<void> {
      if (turn >= until) throw new Error('killed');
    }
    return await prune(options, { identity: 'this', surroundings: { ...surroundings, begin } });
  } finally {
    await surroundings.close();
  }
}

test('a run in which connections come back keeps to the curve, and goes on from any turn to the same bits', async (t) => {
  const [whole, cut] = [t.testdir({ whole: {}, cut: {} })].flatMap((root) => [`${root}/whole`, `${root}/cut`]);
  const run = await pruneIn(whole);
  const settings = await quickSettings({ ...BY_GRADIENTS, curve_end: 0.5 });
  const { network } = await trained();
  const total = prunedLayers(network).reduce((sum, { size }) => sum + size, 0);
  for (const { iteration, kept } of run.moments.filter((moment) => moment.iteration > settings.search_every)) {
    t.equal(kept, goalOf(Math.min(iteration, settings.prune_stop) - settings.search_every, total, settings));
  }
  t.ok(run.moments.length > 4);
  await t.rejects(pruneIn(cut, { until: 2 }), /killed/);
  await t.rejects(pruneIn(cut, { resume: true, until: 3 }), /killed/);
  const resumed = await pruneIn(cut, { resume: true });
  t.same(resumed.mask, run.mask);
  t.same(resumed.values, run.values);
});

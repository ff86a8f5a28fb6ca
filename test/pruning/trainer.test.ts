import { test } from 'tap';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { compressionOf } from '../../sdk/pruning/pruned-layers.js';
import { decodeSnapshot, encodeSnapshot, hashOf } from '../../sdk/pruning/snapshot-bytes.js';
import { PruneTrainer } from '../../sdk/pruning/trainer.js';
import { quickSettings, trained } from './trained.js';

for (const schedule of ['gradual', 'olmp'] as const) {
  test(`${schedule}: a trainer that is stopped, sent as bytes and started elsewhere comes to the same bits`, async (t) => {
    const settings = await quickSettings({ schedule, masked: schedule === 'olmp' ? 'learn' : 'stay' });
    const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }), settings };
    const whole = new PruneTrainer(options);
    await whole.advance(10);
    whole.apply([0.3, 0.1]);
    await whole.advance(60);

    const first = new PruneTrainer(options);
    await first.advance(7);
    await first.advance(10);
    first.apply([0.3, 0.1]);
    await first.advance(33);
    const bytes = encodeSnapshot(first.snapshot());
    const second = new PruneTrainer(options);
    const size = options.network.parameterCount;
    second.restore(decodeSnapshot(bytes, { layers: second.layers, size, source: 'the snapshot' }));
    t.equal(hashOf(encodeSnapshot(second.snapshot())), hashOf(bytes), 'nothing is lost on the way');
    await second.advance(60);
    t.equal(hashOf(encodeSnapshot(second.snapshot())), hashOf(encodeSnapshot(whole.snapshot())));
    const { mask, layers } = whole.snapshot();
    t.ok(compressionOf(layers, mask).ratio > 1.3, 'and something was pruned');
    for (const trainer of [whole, first, second]) trainer.close();
  });

  test(`${schedule}: the native engine comes to the same masks as the reference engine`, async (t) => {
    const settings = await quickSettings({ schedule, masked: schedule === 'olmp' ? 'learn' : 'stay' });
    const begun = await trained();
    const [a, b] = [nativeEngine({ threads: 2 }), referenceEngine()].map((engine) => {
      return new PruneTrainer({ ...begun, engine, settings });
    });
    for (const trainer of [a, b]) {
      await trainer.advance(5);
      trainer.apply([0.3, 0.1]);
      await trainer.advance(20);
    }
    const [ours, theirs] = [a.snapshot(), b.snapshot()];
    t.same(ours.mask, theirs.mask);
    const apart = ours.values.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs.values[i])), 0);
    t.ok(apart < 1e-4, `values differ by ${apart}`);
    for (const trainer of [a, b]) trainer.close();
  });
}

test('images that are kept back are never trained on', async (t) => {
  const settings = await quickSettings();
  const trainer = new PruneTrainer({ ...(await trained()), engine: referenceEngine(), settings });
  const { training, validation } = trainer.split;
  t.equal(validation.length, 80);
  t.equal(new Set([...training, ...validation]).size, 400, 'every image is in one of the two');
  t.ok(trainer.scored.every((position) => validation.includes(position)));
  trainer.close();
});

test('a snapshot of another network is refused', async (t) => {
  const options = { ...(await trained()), engine: referenceEngine(), settings: await quickSettings() };
  const trainer = new PruneTrainer(options);
  const bytes = encodeSnapshot(trainer.snapshot());
  const { layers } = trainer;
  t.throws(() => decodeSnapshot(bytes, { layers, size: 9, source: 'a.safetensors' }), { code: 'E_SNAPSHOT' });
  const size = options.network.parameterCount;
  t.throws(() => decodeSnapshot(bytes, { layers: layers.slice(1), size, source: 'a.safetensors' }), {
    code: 'E_SNAPSHOT',
  });
  t.throws(() => decodeSnapshot(bytes.slice(0, 500), { layers, size, source: 'a.safetensors' }), { code: /E_CKPT/ });
  trainer.close();
});

import { test } from 'tap';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { samplesOf, splitOf } from '../../sdk/pruning/course.js';
import { compressionOf } from '../../sdk/pruning/pruned-layers.js';
import { withShifts } from '../../sdk/pruning/shifted.js';
import { decodeSnapshot, encodeSnapshot, hashOf } from '../../sdk/pruning/snapshot-bytes.js';
import { PruneTrainer } from '../../sdk/pruning/trainer.js';
import { quickSettings, smallDigits, trained } from './trained.js';

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

test('moved images are trained on, and never those that are kept back', async (t) => {
  const data = smallDigits(400);
  const moved = withShifts(data);
  t.equal(moved.size, 5 * 400);
  const pixel = (copy: number, image: number, [y, x]: readonly [number, number]): number =>
    moved.images[((copy * 400 + image) * 28 + y) * 28 + x];
  for (const image of [0, 7, 399]) {
    for (let y = 1; y < 27; y++) {
      for (let x = 1; x < 27; x++) {
        const here = pixel(0, image, [y, x]);
        const around = [
          pixel(1, image, [y, x + 1]),
          pixel(2, image, [y, x - 1]),
          pixel(3, image, [y + 1, x]),
          pixel(4, image, [y - 1, x]),
        ];
        if (around.some((value) => value !== here)) t.fail(`image ${image} at ${y}, ${x}`);
      }
    }
    for (let i = 0; i < 28; i++) {
      const edges = [
        pixel(1, image, [i, 0]),
        pixel(2, image, [i, 27]),
        pixel(3, image, [0, i]),
        pixel(4, image, [27, i]),
      ];
      t.same(edges, [0, 0, 0, 0], 'nothing of a neighbour comes in');
    }
  }
  const settings = await quickSettings({ shift: 0.5 });
  const { training } = splitOf(400, settings);
  const samples = samplesOf(training, [0, 48], { ...settings, size: 400 });
  t.ok(samples.every((position) => training.includes(position % 400)));
  const share = samples.filter((position) => position >= 400).length / samples.length;
  t.ok(share > 0.4 && share < 0.6, `${share} of them were moved`);
  t.same(samplesOf(training, [20, 48], { ...settings, size: 400 }), samples.slice(400), 'from anywhere the same');
});

test('saliencies are measured on no more images than an epoch has, whatever is asked for', async (t) => {
  const begun = await trained();
  const hashes: string[] = [];
  for (const images of [320, 2_000_000_000]) {
    const settings = await quickSettings({ saliency: 'fisher', saliency_images: images });
    const trainer = new PruneTrainer({ ...begun, engine: nativeEngine({ threads: 1 }), settings });
    t.equal(trainer.split.training.length, 320);
    await trainer.weigh();
    hashes.push(hashOf(encodeSnapshot(trainer.snapshot())));
    trainer.close();
  }
  t.equal(hashes[0], hashes[1]);
});

test('where fewer images are kept back than candidates are to be scored on, they are scored on those, which is said', async (t) => {
  const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }) };
  const said = t.capture(process.stderr, 'write', () => true);
  const trainer = new PruneTrainer({ ...options, settings: await quickSettings({ search_images: 81 }) });
  t.same([trainer.scored.length, trainer.split.validation.length], [80, 80]);
  t.match(String(said().at(0)?.args[0]), /search_images is 81 and .* has 80 images kept back .*scored on those/);
  trainer.close();
  new PruneTrainer({ ...options, settings: await quickSettings({ search_images: 80 }) }).close();
  t.same(said(), []);
});

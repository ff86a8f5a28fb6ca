import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { batchNorm, dense, input, relu } from '../../sdk/nn/layers.js';
import { KerasLeNet, LeNet5, LeNet300100 } from '../../sdk/nn/lenet.js';
import { initialParameters, network } from '../../sdk/nn/network.js';
import { compressionOf, fullMask, prunedLayers } from '../../sdk/pruning/pruned-layers.js';
import { boundsOf, isActive, layerStatistics, maskFor, snapshotOf } from '../../sdk/pruning/surgery.js';

const whole = (size: number) => ({ name: 'fc', offset: 0, size });

test('layers with weights are pruned, their weights and biases together; batch normalisation is not', async (t) => {
  t.same(
    prunedLayers(LeNet5()).map(({ name }) => name),
    ['conv1', 'conv2', 'fc1', 'fc2', 'fc3'],
  );
  for (const net of [LeNet5(), LeNet300100(), KerasLeNet()]) {
    t.equal(compressionOf(prunedLayers(net), fullMask(net.parameterCount)).total, net.parameterCount, net.name);
  }
  const x = relu(batchNorm(dense(input([3]), { name: 'a', outFeatures: 4, bias: false }), { name: 'bn' }));
  const layers = prunedLayers(network('n', dense(x, { name: 'b', outFeatures: 2 })));
  t.same(layers, [
    { name: 'a', offset: 0, size: 12 },
    { name: 'b', offset: 12 + 16, size: 10 },
  ]);
});

test('a compression counts all weights and biases, and those that are kept, by layer', async (t) => {
  const layers = prunedLayers(LeNet300100());
  const mask = new Uint8Array(266_610);
  // What the record of OLMP keeps: 1770, 477 and 102.
  for (const [l, kept] of [1770, 477, 102].entries()) mask.fill(1, layers[l].offset, layers[l].offset + kept);
  const { ratio, kept, layers: each } = compressionOf(layers, mask);
  t.equal(kept, 2349);
  t.equal(ratio.toFixed(2), '113.50');
  t.same(
    each.map((layer) => layer.kept),
    [1770, 477, 102],
  );
  t.equal(each[2].ratio, 1010 / 102);
  t.equal(compressionOf(layers, new Uint8Array(266_610)).ratio, Infinity, 'nothing is kept');
});

test('mean and deviation are those of the magnitudes that are kept and not 0', async (t) => {
  const values = Float32Array.of(-1, 3, 0, 100, 7);
  t.same(layerStatistics(values, Uint8Array.of(1, 1, 1, 0, 1), whole(4)), { mean: 2, deviation: 1 });
  t.same(layerStatistics(values, new Uint8Array(5), whole(5)), { mean: 0, deviation: 0 }, 'nothing is kept');
  const same = layerStatistics(new Float32Array(1000).fill(0.1), fullMask(1000), whole(1000));
  t.ok(same.deviation >= 0 && same.deviation < 1e-7, 'equal magnitudes deviate by rounding alone, never by NaN');
});

test('at 0.9 t a parameter is pruned, at 1.1 t it does not come back yet, and between it stays what it is', async (t) => {
  const { prune, splice } = boundsOf({ mean: 1, deviation: 0.25 }, 4);
  t.same([prune, splice], [Math.fround(1.8), Math.fround(2.2)]);
  const above = (value: number) => Math.fround(value + 2 ** -22);
  const values = Float32Array.of(prune, above(prune), 2, splice, above(splice), -prune, -above(splice));
  const snapshot = (mask: Uint8Array) => ({
    values,
    mask,
    layers: [whole(7)],
    statistics: [{ mean: 1, deviation: 0.25 }],
  });
  t.same([...maskFor(snapshot(fullMask(7)), [4])], [0, 1, 1, 1, 1, 0, 1]);
  t.same([...maskFor(snapshot(new Uint8Array(7)), [4])], [0, 0, 0, 0, 1, 0, 1]);
});

test('a rate so low that t would be below 0 prunes nothing but zeros', async (t) => {
  const snapshot = snapshotOf(Float32Array.of(0, 1e-30, -5), fullMask(3), [whole(3)]);
  t.same([...maskFor(snapshot, [-1000])], [0, 1, 1]);
});

test('the same rates always make the same mask of a snapshot, whatever was tried before; trying changes nothing', async () => {
  const net = LeNet5();
  const layers = prunedLayers(net);
  const snapshot = snapshotOf(initialParameters(net, 1), fullMask(net.parameterCount), layers);
  const [values, mask] = [snapshot.values.slice(), snapshot.mask.slice()];
  const rate = fc.option(fc.double({ min: -2, max: 6, noNaN: true }), { nil: undefined });
  const rates = fc.array(rate, { minLength: 5, maxLength: 5 });
  fc.assert(
    fc.property(rates, rates, (one, other) => {
      const first = maskFor(snapshot, one);
      maskFor(snapshot, other);
      const again = maskFor(snapshot, one);
      const untouched = layers.every(({ offset, size }, l) => {
        return one[l] !== undefined || !first.subarray(offset, offset + size).includes(0);
      });
      return (
        Buffer.compare(first, again) === 0 &&
        untouched &&
        Buffer.compare(mask, snapshot.mask) === 0 &&
        values.every((value, i) => Object.is(value, snapshot.values[i]))
      );
    }),
    { numRuns: 20, seed: 1 },
  );
});

test('a higher rate never keeps what a lower one prunes', async () => {
  const random = seededRandom(1, 'weights');
  const values = Float32Array.from({ length: 500 }, () => random.normal());
  const snapshot = snapshotOf(
    values,
    Uint8Array.from(values, () => random.below(2)),
    [whole(500)],
  );
  const rate = fc.double({ min: -2, max: 6, noNaN: true });
  fc.assert(
    fc.property(rate, rate, (a, b) => {
      const [low, high] = [Math.min(a, b), Math.max(a, b)].map((c) => maskFor(snapshot, [c]));
      return high.every((bit, i) => bit <= low[i]);
    }),
    { seed: 1 },
  );
});

test('a snapshot is of its moment: training that goes on does not change it', async (t) => {
  const [values, mask] = [Float32Array.of(1, 2), fullMask(2)];
  const snapshot = snapshotOf(values, mask, [whole(2)]);
  values.fill(0);
  mask.fill(0);
  t.same([...snapshot.values, ...snapshot.mask], [1, 2, 1, 1]);
  const frozen = [{ mean: 9, deviation: 9 }];
  t.equal(snapshotOf(values, mask, [whole(2)], frozen).statistics, frozen, 'statistics may be those of the beginning');
});

test('rates that do not fit are refused', async (t) => {
  const snapshot = snapshotOf(Float32Array.of(1), fullMask(1), [whole(1)]);
  t.throws(() => maskFor(snapshot, [1, 2]), { code: 'E_RATE', message: '2 rates for 1 layers; each layer needs one' });
  t.throws(() => maskFor(snapshot, [Number.NaN]), { code: 'E_RATE' });
});

test('a layer is active with the probability (1 + γ · iteration)^−power, each with draws of its own', async (t) => {
  const part = (iteration: number, power?: number): number => {
    const layers = Array.from({ length: 4000 }, (_, i) => `layer${i}`);
    return layers.filter((name) => isActive(name, iteration, { seed: 1, gamma: 2e-4, power })).length / 4000;
  };
  t.equal(part(0), 1);
  // Five standard errors of a part of 4000.
  for (const [found, expected] of [
    [part(15_000), 0.25],
    [part(5000), 0.5],
    [part(5000, 2), 0.25],
  ]) {
    t.ok(
      Math.abs(found - expected) < 5 * Math.sqrt((expected * (1 - expected)) / 4000),
      `${found} is about ${expected}`,
    );
  }
  const draws = (seed: number, layer: string) =>
    Array.from({ length: 64 }, (_, i) => Number(isActive(layer, 5000 + i, { seed, gamma: 2e-4 }))).join('');
  t.equal(draws(1, 'ip1'), draws(1, 'ip1'));
  t.equal(new Set([draws(1, 'ip1'), draws(1, 'ip2'), draws(2, 'ip1')]).size, 3);
});

/** What the loss would lose with a parameter, by its gradients. */
import { test } from 'tap';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { lossAndGradients } from '../../sdk/engine/reference/batch.js';
import { batchAssembler } from '../../sdk/engine/reference/input.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { SaliencyMeter } from '../../sdk/pruning/saliency.js';
import { decodeSnapshot, encodeSnapshot } from '../../sdk/pruning/snapshot-bytes.js';
import { PruneTrainer } from '../../sdk/pruning/trainer.js';
import { quickSettings, trained } from './trained.js';

test('a saliency is the fourth root of p² · E[g²], which gradients that were computed otherwise say too', async (t) => {
  const { network, data, parameters } = await trained();
  const meter = new SaliencyMeter(network, { engine: nativeEngine({ threads: 2 }), data, batchSize: 20 });
  const order = Int32Array.from({ length: 20 }, (_, i) => 3 * i);
  const mask = Uint8Array.from(parameters, (_, i) => Number(i % 3 > 0));
  const { saliency: found, gain } = await meter.measure({ values: parameters, mask }, { data, order, gains: true });
  meter.close();

  const effective = Float64Array.from(parameters, (value, i) => value * mask[i]);
  const batch = batchAssembler(data.plan, 20)(data, order);
  const { gradients } = lossAndGradients(network, softmaxCrossEntropy(), { parameters: effective, ...batch });
  // Of one batch Adam's second moment is (1 − 0.999) · g².
  const expected = effective.map((value, i) => (value ** 2 * 0.001 * gradients[i] ** 2) ** 0.25);
  const largest = Math.max(...expected);
  const apart = expected.reduce((most, each, i) => Math.max(most, Math.abs(each - found[i])), 0);
  t.ok(largest > 0.01, `the largest is ${largest}`);
  t.ok(apart < 1e-3 * largest, `they differ by ${apart}`);
  t.equal(
    found.find((each, i) => mask[i] === 0 && each > 0),
    undefined,
    'what is masked has none',
  );
  t.ok(
    gain?.every((each, i) => each > 0 === (mask[i] === 0 && gradients[i] !== 0)),
    'but something may be gained there',
  );
});

test('what leads nowhere has no saliency, whatever its magnitude', async (t) => {
  const { network, data, parameters } = await trained();
  const [first, second] = ['weight', 'bias'].map((what) =>
    network.parameters.filter(({ name }) => name.endsWith(what)),
  );
  const [into, out] = first;
  const [outputs, inputs] = out.shape;
  const mask = new Uint8Array(parameters.length).fill(1);
  for (let o = 0; o < outputs; o++) mask[out.offset + o * inputs] = 0;
  const meter = new SaliencyMeter(network, { engine: referenceEngine(), data, batchSize: 25 });
  const order = Int32Array.from({ length: 50 }, (_, i) => i);
  const { saliency: found, gain } = await meter.measure({ values: parameters, mask }, { data, order });
  t.equal(gain, undefined);
  meter.close();
  const width = into.shape[1];
  const unit = (k: number): Float32Array => found.subarray(into.offset + k * width, into.offset + (k + 1) * width);
  t.ok(
    unit(0).every((each) => each === 0),
    'the weights of the unit that nothing leaves',
  );
  t.equal(found[second[0].offset], 0, 'and its bias');
  t.ok(
    unit(1).some((each) => each > 0),
    'those of another have some',
  );
});

test('a round by saliencies is the same wherever its snapshot is taken to, and training ends it', async (t) => {
  const settings = await quickSettings({ saliency: 'fisher', saliency_images: 60 });
  const options = { ...(await trained()), engine: nativeEngine({ threads: 1 }), settings };
  const [here, there] = [new PruneTrainer(options), new PruneTrainer(options)];
  await here.advance(10);
  t.equal(here.snapshot().saliency, undefined);
  await here.weigh();
  const weighed = here.snapshot();
  t.ok(weighed.saliency?.some((each) => each > 0));
  const size = options.network.parameterCount;
  const sent = decodeSnapshot(encodeSnapshot(weighed), { layers: there.layers, size, source: 'the snapshot' });
  t.same(sent.saliency, weighed.saliency);
  there.restore(sent);
  for (const trainer of [here, there]) trainer.apply([0.2, 0.2]);
  t.same(there.snapshot().mask, here.snapshot().mask);
  t.ok(here.snapshot().mask.includes(0));
  const plain = new PruneTrainer(options);
  plain.restore({ ...weighed, saliency: undefined });
  plain.apply([0.2, 0.2]);
  t.notSame(plain.snapshot().mask, here.snapshot().mask, 'magnitudes would make another mask');
  await here.advance(11);
  t.equal(here.snapshot().saliency, undefined);
  for (const trainer of [here, there, plain]) trainer.close();
});

/** Networks without their dead units compute what they computed before. */
import * as fc from 'fast-check';
import { type Test, test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import { rescale } from '../../sdk/dataset/transforms.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { add, batchNorm, dense, dropout, flatten, input, relu, softmax } from '../../sdk/nn/layers.js';
import { CaffeLeNet5, LeNet5, LeNet300100 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { avgPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import type { Value } from '../../sdk/nn/value.js';
import { compact } from '../../sdk/pruning/compact.js';
import { removeDeadUnits } from '../../sdk/pruning/dead-units.js';
import { compressionOf, prunedLayers } from '../../sdk/pruning/pruned-layers.js';

/** What a network makes of some random pictures. */
async function outputs(net: Network, parameters: Float32Array): Promise<Float32Array> {
  const [channels, height, width] = net.inputShape.length === 3 ? net.inputShape : [1, 1, net.inputShape[0]];
  const random = seededRandom(1, 'pictures');
  const images = Uint8Array.from({ length: 3 * channels * height * width }, () => random.below(256));
  const classes = net.outputShape[0];
  const data = fromArrays({
    images,
    labels: [0, 0, 0],
    channels,
    height,
    width,
    classes,
    transforms: [rescale(1 / 255)],
  });
  const options = {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: 3,
    input: data.plan,
  };
  const program = referenceEngine({ precision: 'float64' }).compile(net, options);
  program.load({ ...program.state(), parameters });
  const made = await program.predict(data, everySample(data));
  program.close();
  return made;
}

/** Random parameters, of which a part is kept. */
function draw(net: Network, part: number, seed: number): { values: Float32Array; mask: Uint8Array } {
  const random = seededRandom(seed, 'parameters');
  const values = Float32Array.from({ length: net.parameterCount }, () => random.normal() / 4);
  return { values, mask: Uint8Array.from(values, () => (random.uniform() < part ? 1 : 0)) };
}

async function same(
  t: Test,
  net: Network,
  { values, mask }: { values: Float32Array; mask: Uint8Array },
): Promise<void> {
  const masked = values.map((value, i) => value * mask[i]);
  const before = await outputs(net, masked);
  const trimmed = removeDeadUnits(net, values, mask);
  const small = compact(net, trimmed);
  for (const [what, after] of [
    ['trimmed', await outputs(net, trimmed.values)],
    ['compact', await outputs(small.network, small.values)],
  ] as const) {
    const worst = Math.max(...before.map((value, i) => Math.abs(value - after[i]) / (1 + Math.abs(value))));
    t.ok(worst < 1e-5, `${net.name}, ${what}: off by ${worst}`);
  }
  const kept = (of: Uint8Array) => compressionOf(prunedLayers(net), of).kept;
  t.ok(kept(trimmed.mask) <= kept(mask), 'no more parameters are kept');
  t.equal(
    compressionOf(prunedLayers(small.network), small.mask).kept,
    kept(trimmed.mask),
    'the compact one keeps the same',
  );
  t.ok(
    trimmed.values.every((value, i) => (value !== 0) === (trimmed.mask[i] === 1)),
    'the mask is baked in',
  );
}

/** Windows of all kinds between layers that can die. */
function windows(): Network {
  const conv = (x: Value, name: string, padding: 'same' | 'valid'): Value =>
    conv2d(x, { name, outChannels: 4, kernelSize: 3, padding });
  let x = relu(conv(input([2, 9, 8]), 'c1', 'same'));
  x = avgPool2d(conv(x, 'c2', 'valid'), { kernelSize: 2, padding: 'same' });
  x = maxPool2d(relu(conv(x, 'c3', 'same')), { kernelSize: 3, stride: 1, padding: 'same' });
  x = relu(dense(dropout(flatten(x), { rate: 0.5 }), { name: 'd1', outFeatures: 6, bias: false }));
  x = relu(dense(x, { name: 'd2', outFeatures: 5 }));
  return network('windows', softmax(dense(x, { name: 'd3', outFeatures: 4, bias: false })));
}

test('networks of every kind compute the same without their dead units, however much is pruned', async (t) => {
  for (const net of [windows(), LeNet5({ height: 16, width: 16 }), CaffeLeNet5({ height: 16, width: 16 })]) {
    for (const part of [0, 0.01, 0.05, 0.2, 1]) {
      for (const seed of [1, 2]) await same(t, net, draw(net, part, seed));
    }
  }
});

test('any small network does', async (t) => {
  const layer = fc.record({ units: fc.integer({ min: 1, max: 5 }), withRelu: fc.boolean(), bias: fc.boolean() });
  const cases = fc.record({
    layers: fc.array(layer, { minLength: 1, maxLength: 4 }),
    part: fc.constantFrom(0.1, 0.3, 0.5, 0.8),
    seed: fc.nat(),
  });
  await fc.assert(
    fc.asyncProperty(cases, async ({ layers, part, seed }) => {
      let x = input([3]);
      for (const [i, { units, withRelu, bias }] of layers.entries()) {
        x = dense(x, { name: `d${i}`, outFeatures: units, bias });
        if (withRelu) x = relu(x);
      }
      const net = network('any', x);
      await same(t, net, draw(net, part, seed));
    }),
    { numRuns: 100, seed: 1 },
  );
});

test('what is left has no dead unit: looking again finds nothing', async (t) => {
  for (const seed of [1, 2, 3]) {
    const net = LeNet300100({ height: 8, width: 8 });
    const { values, mask } = draw(net, 0.004, seed);
    const once = removeDeadUnits(net, values, mask);
    const twice = removeDeadUnits(net, once.values, once.mask);
    t.same(twice.values, once.values);
    const kept = (of: Uint8Array) => compressionOf(prunedLayers(net), of).kept;
    t.ok(kept(once.mask) < kept(mask) / 2, `${kept(once.mask)} of ${kept(mask)}`);
  }
});

test('the bias of a unit that nothing enters goes through ReLU into the next biases, a negative one is nothing', async (t) => {
  const build = (activation: (x: Value) => Value) =>
    network('n', dense(activation(dense(input([1]), { name: 'a', outFeatures: 3 })), { name: 'b', outFeatures: 1 }));
  // a: weights 1 0 0, biases 0 2 −2; b: weights 1 10 100, bias pruned.
  const values = Float32Array.of(1, 0, 0, 0, 2, -2, 1, 10, 100, 7);
  const mask = Uint8Array.of(1, 1, 1, 1, 1, 1, 1, 1, 1, 0);
  const withRelu = removeDeadUnits(build(relu), values, mask);
  t.same([...withRelu.values], [1, 0, 0, 0, 0, 0, 1, 0, 0, 20]);
  t.same(withRelu.alive.get('a'), [0]);
  t.equal(withRelu.mask[9], 1, 'a pruned bias is kept now');
  const without = removeDeadUnits(
    build((x) => x),
    values,
    mask,
  );
  t.equal(without.values[9], 20 - 200);
});

test('what cannot go into the next biases stays: a layer without biases, a convolution that sees its padding', async (t) => {
  const bare = dense(relu(dense(input([1]), { name: 'a', outFeatures: 2 })), {
    name: 'b',
    outFeatures: 1,
    bias: false,
  });
  const kept = removeDeadUnits(network('n', bare), Float32Array.of(1, 0, 0, 2, 1, 1), Uint8Array.of(1, 0, 0, 1, 1, 1));
  t.same([...kept.values], [1, 0, 0, 2, 1, 1]);

  const conv = (padding: 'same' | 'valid') => {
    const first = conv2d(input([1, 4, 4]), { name: 'a', outChannels: 1, kernelSize: 1 });
    return network('n', flatten(conv2d(first, { name: 'b', outChannels: 1, kernelSize: 3, padding })));
  };
  const values = Float32Array.of(0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0);
  t.equal(removeDeadUnits(conv('same'), values, new Uint8Array(12).fill(1)).values[1], 2);
  t.same(
    [...removeDeadUnits(conv('valid'), values, new Uint8Array(12).fill(1)).values],
    [...new Array(11).fill(0), 18],
  );
});

test('the inputs that are still read are named', async (t) => {
  const net = network('n', dense(flatten(input([1, 2, 2])), { name: 'a', outFeatures: 2 }));
  const { inputs } = removeDeadUnits(net, Float32Array.of(0, 1, 0, 0, 0, 1, 0, 1, 0, 0), new Uint8Array(10).fill(1));
  t.same(inputs, [1, 3]);
});

test('a network that branches or normalises is refused, naming the layer', async (t) => {
  const x = input([3]);
  const branches = network('n', add(dense(x, { name: 'a', outFeatures: 3 }), x));
  const normalises = network('n', batchNorm(dense(x, { name: 'a', outFeatures: 3 }), { name: 'bn1' }));
  for (const [net, said] of [
    [branches, /add2/],
    [normalises, /bn1/],
  ] as const) {
    const { values, mask } = draw(net, 1, 1);
    t.throws(() => removeDeadUnits(net, values, mask), { code: 'E_CHAIN', message: said });
  }
});

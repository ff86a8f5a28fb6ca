/** Whole networks, in float64, against finite differences. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { graph } from '../../sdk/engine/reference/graph.js';
import { update } from '../../sdk/engine/reference/optimizer.js';
import { type Batch, lossAndGradients } from '../../sdk/engine/reference/reference.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { add, dense, dropout, flatten, input } from '../../sdk/nn/layers.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters, type Network, network } from '../../sdk/nn/network.js';
import { adam, sgd } from '../../sdk/nn/optimizers.js';
import { count } from '../../sdk/nn/value.js';
import { relativeDifference } from './closeness.js';
import { arbitraryCase } from './random-network.js';

test('the gradients of any network are those of finite differences', async (t) => {
  let compared = 0;
  let skipped = 0;
  fc.assert(
    fc.property(arbitraryCase(), fc.integer({ min: 1, max: 4 }), ({ network: net, parameters, seed }, n) => {
      const random = seededRandom(seed, 'gradients');
      const batch = randomBatch(net, n, seed);
      const start = Float64Array.from(parameters);
      const { gradients } = lossAndGradients(net, softmaxCrossEntropy(), { parameters: start, ...batch });
      for (const { name, offset, size } of net.parameters) {
        // One random direction through all numbers of a parameter, and three single numbers of it.
        const all = Float64Array.from({ length: size }, () => random.normal() / Math.sqrt(size));
        const single = [1, 2, 3].map(() => new Float64Array(size).with(random.below(size), 1));
        const tolerance = 1e-6 * Math.max(norm(gradients.subarray(offset, offset + size)), 0.01);
        for (const direction of [all, ...single]) {
          const expected = slope(net, { start, offset, direction, batch }, tolerance);
          const actual = direction.reduce((sum, d, i) => sum + d * gradients[offset + i], 0);
          if (expected === undefined) skipped++;
          else compared++;
          if (Math.abs(actual - (expected ?? actual)) > tolerance)
            throw new Error(`${name}: ${actual}, not ${expected}`);
        }
      }
    }),
  );
  t.ok(
    skipped < compared / 50,
    `${skipped} of ${compared + skipped} skipped, for a kink of ReLU or pooling in the way`,
  );
});

test('the gradient of a batch is the mean of those of its samples, where none depends on the others or its place', async () => {
  fc.assert(
    fc.property(arbitraryCase(), ({ network: net, parameters, seed }) => {
      fc.pre(
        !net.nodes.some(({ layer }) => layer.kind === 'batchNorm' || (layer.kind === 'dropout' && layer.rate > 0)),
      );
      const { inputs, labels } = randomBatch(net, 3, seed);
      const size = count(net.inputShape);
      const mean = new Float64Array(net.parameterCount);
      for (let i = 0; i < 3; i++) {
        const one = { inputs: inputs.subarray(i * size, (i + 1) * size), labels: [labels[i]] };
        const { gradients } = lossAndGradients(net, softmaxCrossEntropy(), { parameters, ...one });
        for (const k of mean.keys()) mean[k] += gradients[k] / 3;
      }
      const { gradients } = lossAndGradients(net, softmaxCrossEntropy(), { parameters, inputs, labels });
      return relativeDifference(gradients, mean, 1e-12) < 1e-9;
    }),
  );
});

test('dropout chooses anew for each seed and step', async (t) => {
  const net = network('half', dropout(dense(input([1]), { name: 'fc', outFeatures: 64 }), { rate: 0.5 }));
  const batch = { parameters: new Float64Array(128).fill(1), inputs: Float64Array.of(1), labels: [0] };
  const [first, again, seeded, later] = [{}, { seed: 1, step: 0 }, { seed: 2 }, { step: 1 }].map((training) => {
    return String(lossAndGradients(net, softmaxCrossEntropy(), { ...batch, ...training }).gradients);
  });
  t.equal(first, again);
  t.equal(new Set([first, seeded, later]).size, 3);
});

test('a value that several layers read collects their gradients', async (t) => {
  const trunk = dense(input([1]), { name: 'trunk', outFeatures: 1 });
  const head = dense(trunk, { name: 'head', outFeatures: 1 });
  const bound = graph(network('forked', add(trunk, head, trunk)), Float64Array.of(1, 0, 3, 0), 1);
  const training = { seed: 1, step: 0 };
  bound.input[0] = 5;
  bound.forward(training);
  t.same([...bound.output], [5 + 15 + 5]);
  bound.doutput[0] = 1;
  bound.backward(training);
  t.same([...bound.gradients], [5 * (2 + 3), 2 + 3, 5, 1]);
});

test('a small step of either optimizer changes the loss by what the gradient says', async (t) => {
  const net = network(
    'smooth',
    dense(flatten(conv2d(input([2, 4, 3]), { name: 'conv', outChannels: 3, kernelSize: 2 })), {
      name: 'fc',
      outFeatures: 4,
    }),
  );
  const batch = randomBatch(net, 5, 1);
  const step = { learningRate: 1e-6, step: 1 };
  for (const optimizer of [sgd(), adam({ epsilon: 1e-12 })]) {
    const parameters = Float64Array.from(initialParameters(net, 1));
    const before = lossAndGradients(net, softmaxCrossEntropy(), { parameters, ...batch });
    const slots = [new Float64Array(net.parameterCount), new Float64Array(net.parameterCount)];
    update(optimizer, { parameters, gradients: before.gradients, slots, ...step });
    const after = lossAndGradients(net, softmaxCrossEntropy(), { parameters, ...batch });
    // Gradient descent goes along g, Adam's first step along the signs of g.
    const expected = before.gradients.reduce((sum, g) => sum - (optimizer.kind === 'sgd' ? g * g : Math.abs(g)), 0);
    const actual = (after.loss - before.loss) / step.learningRate;
    t.ok(relativeDifference([actual], [expected]) < 1e-4, `${optimizer.kind}: ${actual}, expected ${expected}`);
  }
});

interface Line {
  readonly start: Float64Array;
  /** Where in the parameters `direction` begins. */
  readonly offset: number;
  readonly direction: Float64Array;
  readonly batch: Batch;
}

/** The loss's slope along a direction; undefined where two step widths disagree, because of a kink between them. */
function slope(net: Network, { start, offset, direction, batch }: Line, tolerance: number): number | undefined {
  const at = (h: number): number => {
    const parameters = start.slice();
    for (const [i, d] of direction.entries()) parameters[offset + i] += h * d;
    return lossAndGradients(net, softmaxCrossEntropy(), { parameters, ...batch }).loss;
  };
  const [wide, narrow] = [1e-5, 2e-6].map((h) => (at(h) - at(-h)) / (2 * h));
  return Math.abs(wide - narrow) <= tolerance ? narrow : undefined;
}

function randomBatch(net: Network, n: number, seed: number): Batch {
  const random = seededRandom(seed, 'batch');
  const inputs = Float64Array.from({ length: n * count(net.inputShape) }, () => random.normal());
  const labels = Array.from({ length: n }, () => random.below(net.outputShape[0]));
  return { inputs, labels };
}

function norm(values: Float64Array): number {
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0));
}

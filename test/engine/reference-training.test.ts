/** What is different while training: dropout, batch normalisation, and parameters that no optimizer changes. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { type Dataset, everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import type { CompileOptions, Program, ProgramState } from '../../sdk/engine/engine.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { batchNorm, dense, dropout, flatten, input } from '../../sdk/nn/layers.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { adam, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { relativeDifference, sameBits, sameState } from './closeness.js';
import { arbitraryCase } from './random-network.js';

const pixel = flatten(input([1, 1, 1]));

/** A pixel, normalised with ε 1 and momentum ½; the logits are its multiples. Parameters: γ, β, moving mean and variance, weights, biases. */
const normalised = network(
  'normalised',
  dense(batchNorm(pixel, { name: 'norm', epsilon: 1, momentum: 0.5 }), { name: 'fc', outFeatures: 2 }),
);
const start = Float32Array.of(2, 1, 10, 9, 1, -1, 0, 0);

const halved = network('halved', dropout(dense(pixel, { name: 'fc', outFeatures: 2 }), { rate: 0.5 }));

test('a step normalises by its batch and moves the statistics; a last, smaller batch counts as one', async (t) => {
  const data = pixels(2, 4, 6, 7);
  const program = compile(normalised, start, { input: data.plan, batchSize: 3 });
  const { losses } = await program.train(data, everySample(data), { learningRate: 1e-9 });
  // Pixels 2, 4, 6 have mean 4 and variance 8/3, divided by 2 instead of 3: 4. Logits are ±(2x̂ + 1), labels 0, 1, 0.
  const logits = [-2, 0, 2].map((d) => (2 * d) / Math.sqrt(8 / 3 + 1) + 1);
  const each = logits.map((z, i) => Math.log(1 + Math.exp(i === 1 ? 2 * z : -2 * z)));
  t.ok(relativeDifference([losses[0]], [each.reduce((a, b) => a + b) / 3]) < 1e-6);
  // Then pixel 7 alone, of variance 0, which becomes β: logits ±1, label 1.
  t.ok(relativeDifference([losses[1]], [Math.log(1 + Math.exp(2))]) < 1e-6);
  t.same([...program.state().parameters.subarray(2, 4)], [(10 + 4) / 4 + 7 / 2, (9 + 4) / 4]);
});

test('evaluating and predicting use the moving statistics', async (t) => {
  const data = pixels(10, 13);
  const program = compile(normalised, Float32Array.of(2, 1, 10, 8, 1, -1, 0, 0), { input: data.plan, batchSize: 2 });
  t.same([...(await program.predict(data, everySample(data)))], [1, -1, 3, -3]);
  const { loss } = await program.evaluate(data, everySample(data));
  t.ok(relativeDifference([loss], [(Math.log(1 + Math.exp(-2)) + Math.log(1 + Math.exp(6))) / 2]) < 1e-6);
});

test('a step whose loss is not finite leaves the moving statistics alone', async (t) => {
  const data = pixels(2, 4);
  const weights = Float32Array.of(2, 1, 10, 9, 3e38, -3e38, 0, 0);
  const program = compile(normalised, weights, { input: data.plan, batchSize: 2 });
  const before = program.state();
  const { ended } = await program.train(data, everySample(data), { learningRate: 0.1 });
  t.equal(ended, 'diverged');
  t.ok(sameState(program.state(), before));
});

test('weight decay and momentum leave alone what is not trainable', async (t) => {
  const data = pixels(2, 4, 6, 8);
  const optimizers = [sgd(), sgd({ momentum: 0.9, weightDecay: 0.5 }), adam({ weightDecay: 0.5 })];
  const states: ProgramState[] = [];
  for (const optimizer of optimizers) {
    const program = compile(normalised, start, { input: data.plan, batchSize: 2, optimizer });
    await program.train(data, everySample(data), { learningRate: 0.1 });
    states.push(program.state());
  }
  for (const { parameters, slots } of states) {
    // The batches have means 3 and 7 and, divided by one less than two, variances of 2.
    t.same([...parameters.subarray(2, 4)], [(10 + 3) / 4 + 7 / 2, (9 + 2) / 4 + 2 / 2]);
    for (const slot of slots) t.same([...slot.subarray(2, 4)], [0, 0]);
    t.notSame([...parameters.subarray(0, 2)], [2, 1], 'γ and β are trainable');
  }
});

test('dropout has the same say in a run of the same seed, another in one of another, and none outside training', async (t) => {
  const data = pixels(...Array.from({ length: 64 }, (_, i) => i));
  const weights = Float32Array.of(0.01, -0.01, 1, 2);
  const run = async (seed?: number): Promise<Float32Array> => {
    const options = { input: data.plan, batchSize: 16 };
    const program = compile(halved, weights, seed === undefined ? options : { ...options, seed });
    await program.train(data, everySample(data), { learningRate: 0.01 });
    return program.state().parameters;
  };
  t.same(await run(), await run(1), 'the default is 1');
  t.notSame(await run(1), await run(2));

  const plain = network('plain', dense(pixel, { name: 'fc', outFeatures: 2 }));
  const [predicted, expected] = await Promise.all(
    [halved, plain].map((net) => {
      return compile(net, weights, { input: data.plan, batchSize: 16 }).predict(data, everySample(data));
    }),
  );
  t.same(predicted, expected);
});

test('evaluating and predicting do not depend on how samples are put into batches, to the last bit', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), async ({ network: net, data, parameters }) => {
      const results = [1, 3, data.size].map(async (batchSize) => {
        const program = compile(net, parameters, { input: data.plan, batchSize });
        const { loss, correct } = await program.evaluate(data, everySample(data));
        return { loss, correct, outputs: await program.predict(data, everySample(data)) };
      });
      const [single, ...others] = await Promise.all(results);
      return others.every(({ loss, correct, outputs }) => {
        return loss === single.loss && correct === single.correct && sameBits(outputs, single.outputs);
      });
    }),
    { numRuns: 50 },
  );
});

/** One-pixel images with labels 0, 1, 0, … */
function pixels(...values: readonly number[]): Dataset {
  const labels = values.map((_, i) => i % 2);
  return fromArrays({ images: Uint8Array.from(values), labels, height: 1, width: 1, classes: 2 });
}

/** A program that holds these parameters. */
function compile(
  net: Network,
  parameters: Float32Array,
  options: Omit<CompileOptions, 'loss' | 'optimizer'> & Partial<CompileOptions>,
): Program {
  const { optimizer = sgd() } = options;
  const program = referenceEngine().compile(net, { loss: softmaxCrossEntropy(), ...options, optimizer });
  program.load({ parameters, slots: slotNames(optimizer).map(() => new Float32Array(parameters.length)), step: 0 });
  return program;
}

/**
 * The TensorFlow engine, run by plain TensorFlow.js on its backend in JavaScript, against the reference and the native engine. What a
 * GPU computes can be tested only where one is.
 */
import * as tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { test } from 'tap';
import { type Dataset, epochOrder, everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import type { CompileOptions, Program } from '../../sdk/engine/engine.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { cpuEngine } from '../../sdk/engine/select.js';
import { tensorflowEngine } from '../../sdk/engine/tensorflow/tensorflow.js';
import { batchNorm, dense, dropout, flatten, input, relu } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters, network } from '../../sdk/nn/network.js';
import { adam, sgd } from '../../sdk/nn/optimizers.js';
import { sameBits, sameState } from './closeness.js';
import { arbitraryCase } from './random-network.js';
import { compile, equal, near, noise, sameParameters, sameResult, trainEpoch } from './same.js';

// Otherwise it advertises its package for Node.
tf.env().set('IS_TEST', true);

const tensorflow = await tensorflowEngine({ tf });
const reference = referenceEngine();
const TOLERANCE = 1e-3;

// The seed is fixed: where a value lies within rounding of ReLU's kink, engines rightly go different ways.
const cases = { seed: 1, numRuns: 150 };

test('training any network is as the reference trains it', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), async (drawn) => {
      const program = compile(tensorflow, drawn);
      const expected = compile(reference, drawn);
      for (let epoch = 0; epoch < 2; epoch++) {
        sameResult(await trainEpoch(program, drawn, epoch), await trainEpoch(expected, drawn, epoch), TOLERANCE);
        sameParameters(drawn.network, [program, expected], TOLERANCE);
      }
      program.close();
    }),
    cases,
  );
});

test('evaluating and predicting is as the reference does it, and changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), async (drawn) => {
      const program = compile(tensorflow, drawn);
      const expected = compile(reference, drawn);
      const before = program.state();
      const order = epochOrder(drawn.data.size, { seed: drawn.seed, epoch: 0 });
      const result = await program.evaluate(drawn.data, order);
      const right = await expected.evaluate(drawn.data, order);
      near('loss', [result.loss], [right.loss], { tolerance: TOLERANCE, floor: 0.01 });
      equal('correct', result.correct, right.correct);
      const [outputs, rightOutputs] = [program, expected].map((either) => either.predict(drawn.data, order));
      near('outputs', await outputs, await rightOutputs, { tolerance: TOLERANCE });
      equal('an unchanged state', sameState(program.state(), before), true);
      program.close();
    }),
    cases,
  );
});

test('LeNet-5 is after 50 steps what the engine of the CPUs makes of it', async () => {
  const net = LeNet5({ sigma: 0.1 });
  const optimizer = sgd({ momentum: 0.9, weightDecay: 1e-4 });
  const parameters = initialParameters(net, 1);
  const drawn = { network: net, data: noise(99, net), batchSize: 2, optimizer, parameters, seed: 1 };
  const program = compile(tensorflow, drawn);
  const expected = compile(cpuEngine(), drawn);
  sameResult(await trainEpoch(program, drawn, 1), await trainEpoch(expected, drawn, 1), TOLERANCE);
  equal('steps', program.state().step, 50);
  sameParameters(net, [program, expected], TOLERANCE);
  for (const either of [program, expected]) either.close();
});

test('a run continued from its state goes on bit for bit', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), fc.nat(3), async (drawn, steps) => {
      const order = epochOrder(drawn.data.size, { seed: drawn.seed, epoch: 1 });
      const middle = Math.min(order.length, drawn.batchSize * steps);
      const rate = { learningRate: drawn.optimizer.learningRate };
      const [whole, first, second] = [1, 2, 3].map(() => compile(tensorflow, drawn));
      const { losses } = await whole.train(drawn.data, order, rate);
      await first.train(drawn.data, order.subarray(0, middle), rate);
      second.load(first.state());
      const rest = await second.train(drawn.data, order.subarray(middle), rate);
      equal('the same state', sameState(second.state(), whole.state()), true);
      equal('the same losses', sameBits(rest.losses, losses.slice(losses.length - rest.losses.length)), true);
      for (const program of [whole, first, second]) program.close();
    }),
    { ...cases, numRuns: 30 },
  );
});

test('what one engine began, another goes on with', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), fc.boolean(), async (drawn, tensorflowFirst) => {
      const [beginner, finisher] = tensorflowFirst ? [tensorflow, reference] : [reference, tensorflow];
      const begun = compile(beginner, drawn);
      const finished = compile(finisher, drawn);
      const expected = compile(reference, drawn);
      await trainEpoch(begun, drawn, 0);
      await trainEpoch(expected, drawn, 0);
      finished.load(begun.state());
      sameResult(await trainEpoch(finished, drawn, 1), await trainEpoch(expected, drawn, 1), TOLERANCE);
      sameParameters(drawn.network, [finished, expected], TOLERANCE);
      for (const program of [begun, finished]) program.close();
    }),
    { ...cases, numRuns: 30 },
  );
});

test('a state is put back bit for bit, and what came of it is a copy', async (t) => {
  const net = normalized;
  const program = compileOn(tensorflow.compile, net, { optimizer: adam() });
  const numbers = (k: number): Float32Array => Float32Array.from({ length: net.parameterCount }, (_, i) => i / 7 + k);
  const state = { parameters: numbers(1), slots: [numbers(2), numbers(3)], step: 41 };
  program.load(state);
  const found = program.state();
  t.ok(sameState(found, state), 'what optimizers keep of moving means included');
  await program.train(pixels, everySample(pixels), { learningRate: 0.1 });
  t.ok(sameState(found, state), 'training does not change it');
  program.close();
});

test('nothing is left in TensorFlow after training, evaluating, predicting and closing', async (t) => {
  const before = tf.memory().numTensors;
  const program = compileOn(tensorflow.compile, normalized, { optimizer: sgd({ momentum: 0.5 }) });
  const held = tf.memory().numTensors;
  t.equal(held - before, 4, 'weights, what the optimizer keeps, moving mean and variance');
  for (let i = 0; i < 3; i++) {
    await program.train(pixels, everySample(pixels), { learningRate: 0.1 });
    await program.evaluate(pixels, everySample(pixels));
    await program.predict(pixels, everySample(pixels));
    program.load(program.state());
    t.equal(tf.memory().numTensors, held);
  }
  program.close();
  t.equal(tf.memory().numTensors, before);
});

test('a step whose loss is not finite is not taken', async (t) => {
  const images = Uint8Array.of(0, 1, 200, 200, 200, 200);
  const data = fromArrays({ images, labels: [0, 1, 0, 0, 0, 0], height: 1, width: 1, classes: 2 });
  for (const optimizer of [sgd({ momentum: 0.5 }), adam()]) {
    const [before, program] = [1, 2].map(() => compileOn(tensorflow.compile, tiny, { optimizer }));
    await before.train(data, Int32Array.of(0, 1), { learningRate: 3e38 });
    const held = tf.memory().numTensors;
    const result = await program.train(data, Int32Array.of(0, 1, 2, 3, 4, 5), { learningRate: 3e38 });
    t.equal(result.ended, 'diverged');
    t.equal(result.losses.length, 1);
    t.ok(sameState(program.state(), before.state()), 'the state is that after the step before');
    t.equal(tf.memory().numTensors, held, 'and nothing is left of it');
    for (const either of [before, program]) either.close();
  }
});

test('stop ends training after the step it is in, and the next call trains again', async (t) => {
  const program = compileOn(tensorflow.compile, tiny);
  for (const soon of [(stop: () => void) => stop(), setImmediate]) {
    const before = program.state().step;
    const running = program.train(pixels, new Int32Array(100_000), { learningRate: 0.1 });
    soon(() => program.stop());
    const { losses, ended } = await running;
    t.equal(ended, 'stopped');
    t.ok(losses.length >= 1, 'at least one step is taken');
    t.equal(program.state().step, before + losses.length);
  }
  const last = program.train(pixels, Int32Array.of(0, 1), { learningRate: 0.1 });
  program.stop();
  t.equal((await last).ended, 'complete', 'all that was asked for is done');
  program.close();
});

test('the event loop turns between steps', async (t) => {
  const program = compileOn(tensorflow.compile, tiny, { batchSize: 1 });
  let turns = 0;
  let timer = setImmediate(function turn() {
    turns++;
    timer = setImmediate(turn);
  });
  await program.train(pixels, new Int32Array(20), { learningRate: 0.1 });
  clearImmediate(timer);
  t.ok(turns >= 19, `${turns} turns in 20 steps`);
  program.close();
});

test('a running program refuses other work, and a closed one any', async (t) => {
  const program = compileOn(tensorflow.compile, tiny);
  const running = program.train(pixels, everySample(pixels), { learningRate: 0.1 });
  await t.rejects(program.evaluate(pixels, everySample(pixels)), { code: 'E_BUSY' });
  t.throws(() => program.state(), { code: 'E_BUSY' });
  t.throws(() => program.close(), { code: 'E_BUSY' });
  await running;
  program.close();
  program.close();
  t.throws(() => program.state(), { code: 'E_CLOSED' });
  await t.rejects(program.predict(pixels, Int32Array.of(0)), { code: 'E_CLOSED' });
});

test('what the reference refuses, the TensorFlow engine refuses too', async (t) => {
  const options = { loss: softmaxCrossEntropy(), optimizer: sgd(), batchSize: 2, input: pixels.plan };
  const big = network('big', flatten(input([1, 2, 2])));
  t.throws(() => tensorflow.compile(big, options), { code: 'E_INPUT' });
  t.throws(() => tensorflow.compile(network('picture', input([1, 1, 1])), options), { code: 'E_OUTPUT' });
  t.throws(() => tensorflow.compile(tiny, { ...options, batchSize: 0 }), { code: 'E_BATCH_SIZE' });

  const program = tensorflow.compile(tiny, options);
  const order = Int32Array.of(0);
  const larger = fromArrays({ images: new Uint8Array(4), labels: [0], height: 2, width: 2, classes: 2 });
  const finer = fromArrays({ images: new Uint8Array(1), labels: [2], height: 1, width: 1, classes: 3 });
  await t.rejects(program.evaluate(larger, order), { code: 'E_PLAN' });
  await t.rejects(program.evaluate(finer, order), { code: 'E_CLASSES' });
  await t.rejects(program.evaluate(pixels, Int32Array.of(pixels.size)), { code: 'E_ORDER' });
  await t.rejects(program.evaluate(pixels, Int32Array.of(-1)), { code: 'E_ORDER' });
  await t.rejects(program.evaluate({ ...pixels, labels: new Int32Array(1) }, order), { code: 'E_COUNT' });
  const state = program.state();
  t.throws(() => program.load({ ...state, slots: [state.parameters] }), { code: 'E_STATE' });
  t.throws(() => program.load({ ...state, parameters: new Float32Array(1) }), { code: 'E_STATE' });
  t.equal((await program.evaluate(pixels, order)).correct, 1, 'the program can still be used');
  program.close();
});

test('when TensorFlow fails, as where memory is full, the error says so, nothing is lost, and nothing left behind', async (t) => {
  let failing = false;
  // Fails behind the pass that is differentiated, where moving statistics have been made.
  const concat = (...args: Parameters<typeof tf.concat>): tf.Tensor => {
    if (failing) throw new Error('OOM when allocating tensor');
    return tf.concat(...args);
  };
  const { compile: compileFailing } = await tensorflowEngine({ tf: { ...tf, concat } });
  const program = compileOn(compileFailing, normalized);
  const before = program.state();
  const held = tf.memory().numTensors;
  failing = true;
  await t.rejects(program.train(pixels, everySample(pixels), { learningRate: 0.1 }), {
    name: 'EngineError',
    code: 'E_TENSORFLOW_RUN',
    message: /network normalized: TensorFlow\.js failed: OOM when allocating tensor; .*a smaller batch/,
  });
  t.equal(tf.memory().numTensors, held);
  t.ok(sameState(program.state(), before));
  failing = false;
  t.equal((await program.train(pixels, everySample(pixels), { learningRate: 0.1 })).ended, 'complete');
  program.close();
});

test('the engine says what runs it, and refuses what is not TensorFlow.js', async (t) => {
  t.equal(tensorflow.name, 'tensorflow');
  t.equal(tensorflow.description, `TensorFlow.js ${tf.version_core} (cpu backend, no GPU)`);
  const gpu = await tensorflowEngine({ tf: { ...tf, backend: () => ({ isUsingGpuDevice: true }) } });
  t.equal(gpu.description, `TensorFlow.js ${tf.version_core} (GPU)`);
  await t.rejects(tensorflowEngine({ tf: { version_core: '4.0.0' } }), {
    name: 'EngineError',
    code: 'E_TENSORFLOW',
    message: /not the whole of TensorFlow\.js/,
  });
});

/** Reads one pixel, tells two classes apart. */
const tiny = network('tiny', dense(flatten(input([1, 1, 1])), { name: 'fc', outFeatures: 2 }));
/** The same with all that is different while training. */
const normalized = network(
  'normalized',
  dense(dropout(relu(batchNorm(flatten(input([1, 1, 1])), { name: 'bn' })), { rate: 0.5 }), {
    name: 'fc',
    outFeatures: 2,
  }),
);
const pixels: Dataset = fromArrays({
  images: Uint8Array.from({ length: 6 }, (_, i) => i),
  labels: [0, 1, 0, 1, 0, 1],
  height: 1,
  width: 1,
  classes: 2,
});

function compileOn(
  compile: typeof tensorflow.compile,
  net: typeof tiny,
  { optimizer = sgd(), batchSize = 2 }: Partial<CompileOptions> = {},
): Program {
  return compile(net, { loss: softmaxCrossEntropy(), optimizer, batchSize, input: pixels.plan });
}

import * as fc from 'fast-check';
import { test } from 'tap';
import { type Dataset, epochOrder, fromArrays } from '../../sdk/dataset/dataset.js';
import { rescale } from '../../sdk/dataset/transforms.js';
import type { Program } from '../../sdk/engine/engine.js';
import { lossAndGradients, referenceEngine } from '../../sdk/engine/reference/reference.js';
import { dense, flatten, input } from '../../sdk/nn/layers.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters, network } from '../../sdk/nn/network.js';
import { adam, type Optimizer, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';
import { relativeDifference, sameBits, sameState } from './closeness.js';
import { arbitraryCase, type Case } from './random-network.js';

const loss = softmaxCrossEntropy();

/** Reads one pixel, tells two classes apart: logits are w · pixel + b. */
const tiny = network('tiny', dense(flatten(input([1, 1, 1])), { name: 'fc', outFeatures: 2 }));

/** Pixels 0, 1, 2, … with labels 0, 1, 0, … */
function pixels(size: number): Dataset {
  const images = Uint8Array.from({ length: size }, (_, i) => i);
  return fromArrays({ images, labels: Array.from(images, (i) => i % 2), height: 1, width: 1, classes: 2 });
}

function compileTiny(
  data: Dataset,
  { optimizer = sgd(), batchSize = 2 }: { optimizer?: Optimizer; batchSize?: number } = {},
): Program {
  return referenceEngine().compile(tiny, { loss, optimizer, batchSize, input: data.plan });
}

/** A program for a case, holding the case's parameters. */
function compileCase({ network: net, data, batchSize, optimizer, parameters }: Case): Program {
  const program = referenceEngine().compile(net, { loss, optimizer, batchSize, input: data.plan });
  program.load({ parameters, slots: slotNames(optimizer).map(() => new Float32Array(parameters.length)), step: 0 });
  return program;
}

test('a first step worked out by hand', async (t) => {
  const data = pixels(4);
  const program = compileTiny(data);
  // All parameters are 0, so both classes have probability ½: dlogits are ±½, averaged over the batch of two.
  const result = await program.train(data, Int32Array.of(2, 3), { learningRate: 4 });
  t.same(result, { losses: Float32Array.of(Math.log(2)), correct: 1, ended: 'complete', exchangeSeconds: 0 });
  const { parameters, step } = program.state();
  // dw₀ = (−½ · 2 + ½ · 3) / 2 = ¼, dw₁ = −¼; db = 0
  t.same([...parameters], [-1, 1, 0, 0]);
  t.equal(step, 1);
});

test('losses are those before each update, and a last, smaller batch is a step whose mean is over its real size', async (t) => {
  const data = pixels(5);
  const program = compileTiny(data, { batchSize: 2 });
  const result = await program.train(data, Int32Array.of(0, 1, 2, 3, 4), { learningRate: 0.1 });
  t.equal(result.losses.length, 3);
  t.equal(program.state().step, 3);

  const parameters = new Float32Array(4);
  for (const [i, positions] of [[0, 1], [2, 3], [4]].entries()) {
    const batch = { inputs: Float64Array.from(positions), labels: positions.map((p) => p % 2) };
    const step = lossAndGradients(tiny, loss, { parameters, ...batch });
    t.equal(result.losses[i], Math.fround(step.loss));
    for (const k of parameters.keys()) parameters[k] -= 0.1 * step.gradients[k];
  }
  t.same(program.state().parameters, parameters);
});

test('a run continued from its state goes on bit for bit, at any step and for any network', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), fc.nat(), async (drawn, cut) => {
      const { data, batchSize, seed } = drawn;
      const order = epochOrder(data.size, { seed, epoch: 1 });
      const middle = Math.min(order.length, batchSize * (cut % 4));
      const rate = { learningRate: drawn.optimizer.learningRate };
      const whole = compileCase(drawn);
      const { losses } = await whole.train(data, order, rate);

      const first = compileCase(drawn);
      await first.train(data, order.subarray(0, middle), rate);
      const second = compileCase(drawn);
      second.load(first.state());
      const rest = await second.train(data, order.subarray(middle), rate);
      return (
        sameState(second.state(), whole.state()) &&
        sameBits(rest.losses, losses.subarray(losses.length - rest.losses.length))
      );
    }),
    { numRuns: 50 },
  );
});

test('state is a copy: training goes on without changing it', async (t) => {
  const data = pixels(2);
  const program = compileTiny(data, { optimizer: adam() });
  const before = program.state();
  await program.train(data, Int32Array.of(0, 1), { learningRate: 0.1 });
  t.same(before.parameters, new Float32Array(4));
  t.same(before.slots, [new Float32Array(4), new Float32Array(4)]);
  t.equal(before.step, 0);
});

test('float64 keeps parameters between steps more exactly; its state is float32 all the same', async (t) => {
  const data = pixels(2);
  const options = { loss, optimizer: sgd(), batchSize: 2, input: data.plan };
  const parametersAfter = async (precision: 'float32' | 'float64', learningRate: number): Promise<Float32Array> => {
    const program = referenceEngine({ precision }).compile(tiny, options);
    program.load({ parameters: Float32Array.of(1, 1, 0, 0), slots: [], step: 0 });
    for (let i = 0; i < 8; i++) await program.train(data, Int32Array.of(0, 1), { learningRate });
    return program.state().parameters;
  };
  t.same(await parametersAfter('float32', 1e-8), Float32Array.of(1, 1, 0, 0), 'each step is lost in rounding');
  t.ok((await parametersAfter('float64', 1e-7))[1] > 1, 'small steps add up');
});

test('evaluate gives the mean loss over all samples and the hits, and changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), async (drawn) => {
      const { data } = drawn;
      const program = compileCase(drawn);
      const before = program.state();
      const order = Int32Array.from({ length: data.size }, (_, i) => i);
      const { loss: mean, correct } = await program.evaluate(data, order);
      const predicted = await program.predict(data, order);
      const outputs = predicted.length / data.size;
      const rows = Array.from(order, (i) => predicted.subarray(i * outputs, (i + 1) * outputs));
      const expected = rows.reduce((sum, row, i) => sum + crossEntropy(row, data.labels[i]), 0) / data.size;
      const hits = rows.filter((row, i) => row.indexOf(Math.max(...row)) === data.labels[i]).length;
      return relativeDifference([mean], [expected], 1) < 1e-5 && correct === hits && sameState(program.state(), before);
    }),
    { numRuns: 50 },
  );
});

test('predict gives the rows of the samples asked for, in that order', async (t) => {
  const data = pixels(4);
  const program = compileTiny(data);
  program.load({ parameters: Float32Array.of(1, 10, 0, 0.5), slots: [], step: 0 });
  const outputs = await program.predict(data, Int32Array.of(3, 0, 3));
  t.same([...outputs], [3, 30.5, 0, 0.5, 3, 30.5]);
});

test('over no samples there are no losses, no outputs, and the mean loss is not a number', async (t) => {
  const data = pixels(2);
  const program = compileTiny(data);
  const none = new Int32Array(0);
  const result = await program.train(data, none, { learningRate: 1 });
  t.same(result, { losses: new Float32Array(0), correct: 0, ended: 'complete', exchangeSeconds: 0 });
  t.same(await program.evaluate(data, none), { loss: Number.NaN, correct: 0 });
  t.equal((await program.predict(data, none)).length, 0);
});

test('a step whose loss is not finite is not taken', async (t) => {
  const images = Uint8Array.of(0, 1, 200, 200, 200, 200);
  const data = fromArrays({ images, labels: [0, 1, 0, 0, 0, 0], height: 1, width: 1, classes: 2 });
  for (const optimizer of [sgd({ momentum: 0.5 }), adam()]) {
    const reference = compileTiny(data, { optimizer });
    const program = compileTiny(data, { optimizer });
    await reference.train(data, Int32Array.of(0, 1), { learningRate: 3e38 });
    const order = Int32Array.of(0, 1, 2, 3, 4, 5);
    const result = await program.train(data, order, { learningRate: 3e38 });
    t.equal(result.ended, 'diverged');
    t.equal(result.losses.length, 1);
    t.ok(sameState(program.state(), reference.state()), 'the state is that after the step before');
  }
});

test('stop ends training after the step it is in, and the next call trains again', async (t) => {
  const data = pixels(6);
  const program = compileTiny(data);
  const order = Int32Array.of(0, 1, 2, 3, 4, 5);
  const stopped = program.train(data, order, { learningRate: 0.1 });
  program.stop();
  const { losses, ended } = await stopped;
  t.equal(ended, 'stopped');
  t.equal(losses.length, 1);
  t.equal(program.state().step, 1);

  const rest = await program.train(data, order.subarray(2), { learningRate: 0.1 });
  t.equal(rest.ended, 'complete');
  t.equal(program.state().step, 3);
});

test('stop in the last step changes nothing: all steps asked for are taken', async (t) => {
  const data = pixels(2);
  const program = compileTiny(data);
  const last = program.train(data, Int32Array.of(0, 1), { learningRate: 0.1 });
  program.stop();
  t.equal((await last).ended, 'complete');
});

test('the event loop turns between steps', async (t) => {
  const data = pixels(2);
  const program = compileTiny(data, { batchSize: 1 });
  let turns = 0;
  let timer = setImmediate(function turn() {
    turns++;
    timer = setImmediate(turn);
  });
  await program.train(data, new Int32Array(20), { learningRate: 0.1 });
  clearImmediate(timer);
  t.ok(turns >= 19, `${turns} turns in 20 steps`);
});

test('a running program refuses other work until it is done', async (t) => {
  const data = pixels(4);
  const program = compileTiny(data);
  const order = Int32Array.of(0, 1, 2, 3);
  const running = program.train(data, order, { learningRate: 0.1 });
  await t.rejects(program.evaluate(data, order), { code: 'E_BUSY' });
  t.throws(() => program.state(), { code: 'E_BUSY' });
  t.throws(() => program.close(), { code: 'E_BUSY' });
  await running;
  t.equal(program.state().step, 2);
});

test('a closed program refuses all work, and can be closed again', async (t) => {
  const data = pixels(2);
  const program = compileTiny(data);
  program.close();
  program.close();
  t.throws(() => program.state(), { code: 'E_CLOSED' });
  await t.rejects(program.predict(data, Int32Array.of(0)), { code: 'E_CLOSED' });
});

test('a network that cannot read the images, or does not end in classes, is not compiled', async (t) => {
  const options = { loss, optimizer: sgd(), batchSize: 2, input: pixels(1).plan };
  const engine = referenceEngine();
  const image = input([1, 2, 2]);
  t.throws(() => engine.compile(network('big', flatten(image)), options), {
    code: 'E_INPUT',
    message: /big reads \[1, 2, 2\] but the transforms make \[1, 1, 1\]/,
  });
  t.throws(() => engine.compile(network('wide', dense(input([2]), { name: 'fc', outFeatures: 2 })), options), {
    code: 'E_INPUT',
  });
  const square = fromArrays({ images: new Uint8Array(4), labels: [0], height: 2, width: 2, classes: 1 });
  const picture = network('picture', maxPool2d(image, { kernelSize: 2 }));
  t.throws(() => engine.compile(picture, { ...options, input: square.plan }), { code: 'E_OUTPUT' });
  for (const batchSize of [0, 1.5, Number.NaN]) {
    t.throws(() => engine.compile(tiny, { ...options, batchSize }), { code: 'E_BATCH_SIZE' });
  }
});

test('data that do not fit the program are refused', async (t) => {
  const data = pixels(2);
  const program = compileTiny(data);
  const one = { images: Uint8Array.of(1), labels: [0], height: 1, width: 1 };
  const order = Int32Array.of(0);
  const more = fromArrays({ ...one, classes: 3 });
  await t.rejects(program.evaluate(more, order), { code: 'E_CLASSES' });
  const otherwise = fromArrays({ ...one, classes: 2, transforms: [rescale(0.5)] });
  await t.rejects(program.evaluate(otherwise, order), { code: 'E_PLAN' });
  await t.rejects(program.evaluate(data, Int32Array.of(0, 2)), { code: 'E_ORDER', message: /no sample 2/ });
  await t.rejects(program.evaluate(data, Int32Array.of(-1)), { code: 'E_ORDER' });
  t.equal((await program.evaluate(data, order)).correct, 1, 'the program can still be used');
});

test('a state of another network or optimizer is refused', async (t) => {
  const program = compileTiny(pixels(1), { optimizer: sgd({ momentum: 0.5 }) });
  const state = program.state();
  t.throws(() => program.load({ ...state, parameters: new Float32Array(5) }), { code: 'E_STATE' });
  t.throws(() => program.load({ ...state, slots: [] }), { code: 'E_STATE' });
  t.throws(() => program.load({ ...state, slots: [new Float32Array(3)] }), { code: 'E_STATE' });
  t.throws(() => program.load({ ...state, step: -1 }), { code: 'E_STATE' });
});

test('a separable problem is learned', async (t) => {
  const images = Uint8Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? i : 255 - i));
  const labels = Array.from(images, (_, i) => i % 2);
  const data = fromArrays({ images, labels, height: 1, width: 1, classes: 2, transforms: [rescale(1 / 255)] });
  const program = compileTiny(data, { optimizer: sgd({ momentum: 0.9 }), batchSize: 8 });
  program.load({ parameters: initialParameters(tiny, 1), slots: [new Float32Array(4)], step: 0 });
  for (let epoch = 0; epoch < 30; epoch++) {
    await program.train(data, epochOrder(64, { seed: 1, epoch }), { learningRate: 0.1 });
  }
  const order = Int32Array.from({ length: 64 }, (_, i) => i);
  t.equal((await program.evaluate(data, order)).correct, 64);
});

function crossEntropy(row: Float32Array, label: number): number {
  const max = Math.max(...row);
  return Math.log(row.reduce((sum, z) => sum + Math.exp(z - max), 0)) + max - row[label];
}

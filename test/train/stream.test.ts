import { type Test, test } from 'tap';
import { type Checkpoint, fromTensorFile, toTensorFile } from '../../sdk/checkpoint/checkpoint.js';
import { type Dataset, fromArrays } from '../../sdk/dataset/dataset.js';
import { type ImageStream, imageFolder, imagenetTransforms } from '../../sdk/dataset/image-stream.js';
import { normalize, rescale } from '../../sdk/dataset/transforms.js';
import { centerCrop } from '../../sdk/dataset/views.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { network } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';
import type { Callback } from '../../sdk/train/callback.js';
import { Model } from '../../sdk/train/model.js';
import { quarters, writeClasses, writeFiles } from '../dataset/pictures.js';

const engine = nativeEngine({ threads: 2 });

function small(): Model {
  let x = relu(conv2d(input([3, 32, 32]), { name: 'conv1', outChannels: 4, kernelSize: 5 }));
  x = flatten(maxPool2d(x, { kernelSize: 2 }));
  const net = network('small', dense(x, { name: 'fc', outFeatures: 2 }));
  return new Model({ network: net, optimizer: sgd({ learningRate: 0.01, momentum: 0.9 }), engine, seed: 4 });
}

/** Two classes of nine images, and two images that are bad. */
async function images(
  t: Test,
  { workers = 2 } = {},
): Promise<{ train: ImageStream; held: ImageStream; folder: string }> {
  const folder = await writeClasses(t.testdir(), { classes: 2, each: 9 });
  writeFiles(folder, { 'a/bad.jpg': 'no image', 'b/bad.jpg': '' });
  const train = await imageFolder(folder, { transforms: imagenetTransforms('train', 32), workers });
  const held = await imageFolder(folder, { transforms: imagenetTransforms('val', 32), workers });
  return { train, held, folder };
}

/** Trains for four epochs of five steps, or until `stopAt` steps, and gives the last checkpoint and the history. */
async function run(
  { train, held }: { train: ImageStream; held: ImageStream },
  { stopAt, resume }: { stopAt?: number; resume?: Checkpoint } = {},
): Promise<{ last: Checkpoint; steps: number[]; losses: number[] }> {
  const controller = new AbortController();
  let last: Checkpoint | undefined;
  const steps: number[] = [];
  const losses: number[] = [];
  const watch: Callback = {
    name: 'watch',
    everySteps: 1,
    onPause: (seen) => {
      steps.push(seen.step);
      if (seen.step === stopAt) controller.abort();
    },
    onEpochEnd: (_, { loss, validationLoss }) => void losses.push(loss, validationLoss ?? Number.NaN),
    onTrainEnd: (seen) => void (last = seen.checkpoint()),
  };
  const options = { epochs: 4, batchSize: 4, callbacks: [watch], validation: held, resume, signal: controller.signal };
  await small()
    .train(train, options)
    .catch((error: unknown) => {
      if (!(error instanceof Error && 'code' in error && error.code === 'E_INTERRUPTED')) throw error;
    });
  if (last === undefined) throw new Error('the run ended without a checkpoint');
  return { last: fromTensorFile(toTensorFile(last), 'memory'), steps, losses };
}

test('a model trains on a stream, and the number of threads that decode changes nothing', async (t) => {
  const whole = await run(await images(t));
  t.same(
    whole.steps,
    Array.from({ length: 20 }, (_, i) => i + 1),
  );
  t.equal(whole.losses.length, 8);
  t.ok(whole.losses.every(Number.isFinite));
  const again = await run(await images(t, { workers: 3 }));
  t.same(again.last, whole.last);
  t.same(again.losses, whole.losses);
});

test('a run over a stream with bad images, stopped anywhere and resumed, ends as one never stopped', async (t) => {
  const whole = await run(await images(t));
  for (const stopAt of [1, 4, 5, 7, 19]) {
    // Each by a stream of its own, which does not know yet what is bad.
    const stopped = await run(await images(t), { stopAt });
    t.equal(stopped.last.step, stopAt);
    const ended = await run(await images(t), { resume: stopped.last });
    t.equal(ended.steps[0], stopAt + 1, 'what is done is left out');
    t.same(ended.last, whole.last, `stopped after ${stopAt}`);
  }
});

test('a checkpoint is not resumed on other images', async (t) => {
  const set = await images(t);
  const { last } = await run(set, { stopAt: 3 });
  writeFiles(set.folder, { 'a/more.jpg': await quarters(40, 40).jpeg().toBuffer() });
  const train = await imageFolder(set.folder, { transforms: imagenetTransforms('train', 32) });
  await t.rejects(run({ ...set, train }, { resume: last }), { code: 'E_RESUME', message: /samples|checksum/ });
});

test('a stream is trained on, and evaluated, as the same images in memory are', async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 2, each: 10 });
  const transforms = [centerCrop(32), rescale(1 / 255), normalize([0.4, 0.5, 0.6], 0.25)];
  const stream = await imageFolder(folder, { transforms, workers: 2 });
  const all: Dataset[] = [];
  for await (const batch of stream.batches({ batchSize: 20 })) all.push(batch);
  const { images: pixels, labels } = all[0];
  const memory = fromArrays({
    images: pixels,
    labels,
    height: 32,
    width: 32,
    channels: 3,
    classes: 2,
    transforms: transforms.slice(1).flatMap((transform) => ('size' in transform ? [] : [transform])),
  });
  const results = [];
  for (const data of [stream, memory]) {
    const model = small();
    const before = await model.evaluate(data);
    const history = await model.train(data, { epochs: 3, batchSize: 4, validation: data });
    const after = await model.evaluate(data);
    t.equal(after.accuracy, history[2].accuracy);
    results.push({ before, after, parameters: Buffer.from(model.state.parameters.buffer).toString('hex') });
  }
  t.equal(results[0].parameters, results[1].parameters, 'to the last bit');
  t.equal(results[0].before.accuracy, results[1].before.accuracy);
  t.ok(Math.abs(results[0].before.loss - results[1].before.loss) < 1e-6);
});

test('evaluation leaves bad images out; one of nothing but those is refused', async (t) => {
  const { held, folder } = await images(t);
  const { accuracy } = await small().evaluate(held);
  t.ok(Number.isInteger(Math.round(accuracy * 18 * 1e6) / 1e6), `${accuracy} of 18 images`);
  for (const name of ['a', 'b']) writeFiles(folder, { [`bad/${name}/1.jpg`]: 'x' });
  const bad = await imageFolder(`${folder}/bad`, { transforms: imagenetTransforms('val', 32) });
  await t.rejects(small().evaluate(bad), { code: 'E_EMPTY', message: /none of its images can be decoded/ });
});

test('prediction leaves bad images out, in the order of the files', async (t) => {
  const { held, folder } = await images(t);
  const model = small();
  const { logits, classes } = await model.predict(held);
  t.equal(classes.length, 18);
  t.equal(logits.length, 36);
  t.same([...held.skipped.keys()].sort(), ['a/bad.jpg', 'b/bad.jpg']);
  const all: Dataset[] = [];
  for await (const batch of held.batches({ batchSize: 20 })) all.push(batch);
  const memory = await model.predict(all[0]);
  t.same(logits, memory.logits, 'as the same images in memory');
  t.same(classes, memory.classes);
  for (const name of ['a', 'b']) writeFiles(folder, { [`bad/${name}/1.jpg`]: 'x' });
  const bad = await imageFolder(`${folder}/bad`, { transforms: imagenetTransforms('val', 32) });
  await t.rejects(model.predict(bad), { code: 'E_EMPTY' });
});

test('a last, smaller batch is trained on when asked', async (t) => {
  const { train } = await images(t);
  const [record] = await small().train(train, { epochs: 1, batchSize: 8, dropRemainder: false });
  t.equal(record.step, 3);
});

test('what goes wrong while a stream is trained on ends the run', async (t) => {
  const { train } = await images(t);
  const failing: Callback = {
    name: 'failing',
    onPause: () => {
      throw new Error('a callback failed');
    },
  };
  await t.rejects(small().train(train, { epochs: 2, batchSize: 4, callbacks: [failing] }), {
    message: 'a callback failed',
  });
  const short: ImageStream = { ...train, batches: (pass) => train.batches({ ...pass, to: 2 }) };
  await t.rejects(small().train(short, { epochs: 1, batchSize: 4 }), {
    code: 'E_COUNT',
    message: /its batches ended before step 3 of epoch 1/,
  });
});

import { test } from 'tap';
import type { Checkpoint } from '../../sdk/checkpoint/checkpoint.js';
import { fromArrays } from '../../sdk/dataset/dataset.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { heUniform } from '../../sdk/nn/initializers.js';
import { dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { network } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import type { Callback } from '../../sdk/train/callback.js';
import { Model } from '../../sdk/train/model.js';
import { smallDigits } from '../small-digits.js';

const mlp = () => {
  const hidden = relu(dense(flatten(input([1, 32, 32])), { name: 'fc1', outFeatures: 32, initializer: heUniform() }));
  return network('mlp', dense(hidden, { name: 'fc2', outFeatures: 10 }));
};

test('a model learns on every engine, and both learn the same', async (t) => {
  const { train, test: held } = smallDigits();
  const results = [];
  for (const engine of [nativeEngine({ threads: 2 }), referenceEngine()]) {
    const model = new Model({ network: mlp(), optimizer: sgd({ learningRate: 0.02, momentum: 0.9 }), engine });
    const before = await model.evaluate(held);
    const history = await model.train(train, { epochs: 3, batchSize: 32, validation: held });
    t.equal(history.length, 3);
    t.ok(history[2].accuracy > before.accuracy + 0.3, `${before.accuracy} → ${history[2].accuracy}`);
    const after = await model.evaluate(held);
    t.equal(after.accuracy, history[2].accuracy);
    t.ok(Math.abs(after.loss - (history[2].validationLoss ?? 0)) < 1e-9, 'the sum may be taken in another order');
    results.push(history[2]);
  }
  t.ok(Math.abs(results[0].loss - results[1].loss) < 1e-3, `${results[0].loss} and ${results[1].loss}`);
});

test('predict gives a row of logits per sample and the class of the largest', async (t) => {
  const { test: held } = smallDigits({ train: 10, test: 37 });
  const model = new Model({ network: LeNet5(), engine: nativeEngine({ threads: 2 }) });
  const { logits, classes } = await model.predict(held);
  t.equal(logits.length, 370);
  t.equal(classes.length, 37);
  for (const [i, c] of classes.entries())
    t.equal(logits[i * 10 + c], Math.max(...logits.subarray(i * 10, i * 10 + 10)));
  const hits = classes.filter((c, i) => c === held.labels[i]).length;
  t.equal((await model.evaluate(held)).accuracy, hits / 37);
});

test('two runs with one seed and thread count end in the same bits, another seed does not', async (t) => {
  const { train } = smallDigits();
  const run = async (seed: number) => {
    const model = new Model({ network: LeNet5(), engine: nativeEngine({ threads: 2 }), seed });
    await model.train(train, { epochs: 2, batchSize: 24 });
    return Buffer.from(model.state.parameters.buffer);
  };
  const first = await run(1);
  t.ok(first.equals(await run(1)));
  t.notOk(first.equals(await run(2)));
});

test('a last, smaller batch is left out, or trained on when asked', async (t) => {
  const { train } = smallDigits({ train: 100, test: 10 });
  for (const [dropRemainder, steps] of [
    [true, 3],
    [false, 4],
  ] as const) {
    const model = new Model({ network: mlp(), engine: nativeEngine({ threads: 2 }) });
    const [epoch] = await model.train(train, { epochs: 1, batchSize: 32, dropRemainder });
    t.equal(epoch.step, steps);
  }
});

test('what does not fit is refused before the first step', async (t) => {
  const { train } = smallDigits({ train: 40, test: 10 });
  const model = new Model({ network: LeNet5(), engine: nativeEngine({ threads: 1 }) });
  await t.rejects(model.train(train, { epochs: 1, batchSize: 64 }), {
    code: 'E_BATCH',
    message: 'a batch of 64 is larger than the data set: small/train holds 40 samples',
  });
  await t.rejects(model.train(train, { epochs: 1, batchSize: 0 }), { code: 'E_BATCH' });
  const narrow = fromArrays({
    images: new Uint8Array(784),
    labels: [0],
    height: 28,
    width: 28,
    classes: 10,
    source: 'narrow',
  });
  await t.rejects(model.evaluate(narrow), {
    code: 'E_SHAPE',
    message: 'narrow: its images are [1, 28, 28] after the transforms, the network lenet reads [1, 32, 32]',
  });
  const many = fromArrays({ images: new Uint8Array(1024), labels: [0], height: 32, width: 32, classes: 11 });
  await t.rejects(model.evaluate(many), { code: 'E_LABEL' });
});

test('a loss that is no number stops the run, names the step and keeps the parameters before it', async (t) => {
  const { train } = smallDigits();
  for (const engine of [nativeEngine({ threads: 2 }), referenceEngine()]) {
    const model = new Model({ network: mlp(), optimizer: sgd({ learningRate: 1e30 }), engine });
    const reasons: string[] = [];
    const watch = { name: 'watch', onTrainEnd: (_: unknown, reason: string) => void reasons.push(reason) };
    await t.rejects(model.train(train, { epochs: 2, batchSize: 32, callbacks: [watch] }), {
      code: 'E_DIVERGED',
      message: /no longer a number at step 2 \(epoch 1, step 2\)/,
    });
    t.same(reasons, ['diverged']);
    t.equal(model.state.step, 1);
  }
});

test('a checkpoint says the epochs and steps that its parameters were trained for', async (t) => {
  const { train } = smallDigits();
  const model = new Model({ network: mlp(), engine: nativeEngine({ threads: 1 }) });
  const counts = () => [model.checkpoint().epoch, model.checkpoint().step];
  const steps = Math.floor(train.size / 32);
  t.same(counts(), [0, 0]);
  await model.train(train, { epochs: 2, batchSize: 32 });
  t.same(counts(), [2, 2 * steps]);
  let last: Checkpoint | undefined;
  const keep: Callback = { name: 'keep', onTrainEnd: (run) => void (last = run.checkpoint()) };
  const other = new Model({ network: mlp(), engine: nativeEngine({ threads: 1 }) });
  await other.train(train, { epochs: 3, batchSize: 32, callbacks: [keep] });
  await model.train(train, { epochs: 1, batchSize: 32 });
  t.same(counts(), [3, 3 * steps], 'more training adds to it');
  await model.train(train, { epochs: 4, batchSize: 32, ...(last && { resume: last }) });
  t.same(counts(), [4, 4 * steps], 'a resumed one goes on from the checkpoint’s');
  model.load(model.checkpoint());
  t.same(counts(), [0, 0], 'a start is fresh');
});

test('a model without a network is refused', async (t) => {
  // From JavaScript.
  t.throws(() => Reflect.construct(Model, [{}]), { name: 'NetworkError', code: 'E_NETWORK' });
});

test('layers and parameters that are skipped start as the seed draws them, the others are those of the checkpoint', async (t) => {
  const engine = nativeEngine({ threads: 1 });
  const [given, fresh] = [7, 1].map((seed) => new Model({ network: LeNet5(), engine, seed }).checkpoint().parameters);
  const wider = new Model({ network: LeNet5({ classes: 12 }), engine, seed: 1 });
  const model = new Model({ network: LeNet5(), engine, seed: 1 });
  const checkpoint = { parameters: given, optimizer: new Map(), epoch: 3, step: 9 };
  for (let again = 0; again < 2; again++) {
    model.load(checkpoint, { skip: ['fc3', 'conv1.weight'] });
    for (const [name, { data }] of model.checkpoint().parameters) {
      const from = name.startsWith('fc3.') || name === 'conv1.weight' ? fresh : given;
      t.same(data, from.get(name)?.data, name);
    }
    // Nor does what was there before change what is drawn.
    model.load(checkpoint);
  }
  t.same(model.checkpoint().parameters, given, 'nothing is skipped that was not named');
  t.throws(() => wider.load(checkpoint, { source: 'a.ckpt' }), {
    code: 'E_CKPT_SHAPE',
    message: /^a\.ckpt: "fc3\.weight" .*; "fc3\.bias" .*; its classes are 10: --num_classes 10$/,
  });
  t.throws(() => wider.load(checkpoint, { source: 'a.ckpt', skip: [] }), {
    message: /: --num_classes 10; training can start layers afresh: --ckpt_skip fc3$/,
  });
  wider.load(checkpoint, { skip: ['fc3'] });
  const larger = new Model({ network: LeNet5({ height: 64, width: 64 }), engine });
  t.throws(() => larger.load(checkpoint, { skip: ['fc3'] }), {
    message:
      / fit --network lenet5 --image_height 32 --image_width 32; training can start layers afresh: --ckpt_skip fc1$/,
  });
  t.throws(() => model.load(checkpoint, { skip: ['fc3', 'fc4'] }), {
    code: 'E_CKPT_SKIP',
    message: /^cannot skip "fc4": the network lenet has the layers conv1, conv2, fc1, fc2, fc3,/,
  });
});

test('parameters that are not numbers are refused before they are taken, unless they are skipped', async (t) => {
  const model = new Model({ network: LeNet5(), engine: nativeEngine({ threads: 1 }) });
  const before = model.checkpoint().parameters;
  const bias = { shape: [84], data: new Float32Array(84).fill(Number.NaN, 80) };
  const checkpoint = { parameters: new Map([...before, ['fc2.bias', bias]]), optimizer: new Map(), epoch: 0, step: 0 };
  t.throws(() => model.load(checkpoint, { source: 'a.ckpt' }), {
    code: 'E_CKPT_NAN',
    message:
      'a.ckpt: NaN or infinite are 4 of the 84 numbers of "fc2.bias": its training went wrong; use an older checkpoint',
  });
  t.same(model.checkpoint().parameters, before);
  model.load(checkpoint, { skip: ['fc2'] });
});

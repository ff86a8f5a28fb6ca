import * as fc from 'fast-check';
import { test } from 'tap';
import { type Checkpoint, fromTensorFile, toTensorFile } from '../../sdk/checkpoint/checkpoint.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { adam, sgd } from '../../sdk/nn/optimizers.js';
import type { Callback } from '../../sdk/train/callback.js';
import { LearningRateScheduler } from '../../sdk/train/callbacks/learning-rate-scheduler.js';
import { EarlyStopping, ReduceLROnPlateau } from '../../sdk/train/callbacks/plateau.js';
import { Model } from '../../sdk/train/model.js';
import { smallDigits } from '../small-digits.js';

const { train, test: held } = smallDigits({ train: 160, test: 50 });
const plans = {
  sgd: () => ({ optimizer: sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3 }) }),
  adam: () => ({ optimizer: adam({ learningRate: 0.002 }) }),
};
const callbacks = (): Callback[] => [
  new LearningRateScheduler((epoch, rate) => (epoch === 2 ? rate * 0.5 : rate)),
  new ReduceLROnPlateau({ monitor: 'loss', patience: 1, minDelta: 10 }),
];

/** Trains to the end, or until `stopAt` steps, and gives the last checkpoint. */
async function run(
  kind: keyof typeof plans,
  { stopAt, resume }: { stopAt?: number; resume?: Checkpoint },
): Promise<Checkpoint> {
  const model = new Model({ network: LeNet5(), ...plans[kind](), engine: nativeEngine({ threads: 2 }), seed: 5 });
  const controller = new AbortController();
  let last: Checkpoint | undefined;
  const watch: Callback = {
    name: 'watch',
    everySteps: 1,
    onPause: (seen) => (seen.step === stopAt ? controller.abort() : undefined),
    onTrainEnd: (seen) => void (last = seen.checkpoint()),
  };
  const done = model.train(train, {
    epochs: 4,
    batchSize: 32,
    validation: held,
    callbacks: [...callbacks(), watch],
    resume,
    signal: controller.signal,
  });
  await done.catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'E_INTERRUPTED')) throw error;
  });
  if (last === undefined) throw new Error('the run ended without a checkpoint');
  // As a file would hold it.
  return fromTensorFile(toTensorFile(last), 'memory');
}

for (const kind of ['sgd', 'adam'] as const) {
  test(`with ${kind}, a run stopped anywhere and resumed ends as one never stopped`, async (t) => {
    const whole = await run(kind, {});
    t.equal(whole.step, 20);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 19 }), fc.integer({ min: 1, max: 19 }), async (a, b) => {
        let resume: Checkpoint | undefined;
        for (const stopAt of [Math.min(a, b), Math.max(a, b)]) resume = await run(kind, { stopAt, resume });
        const end = await run(kind, { resume });
        t.same(end, whole);
      }),
      { numRuns: 12 },
    );
  });
}

test('a checkpoint of another run is not resumed; the difference is named', async (t) => {
  const checkpoint = await run('sgd', { stopAt: 3 });
  const with_ = (options: { seed?: number; adam?: boolean }) =>
    new Model({
      network: LeNet5(),
      ...(options.adam ? plans.adam() : plans.sgd()),
      engine: nativeEngine({ threads: 2 }),
      seed: options.seed ?? 5,
    });
  await t.rejects(with_({ seed: 6 }).train(train, { epochs: 4, resume: checkpoint }), {
    code: 'E_RESUME',
    message: 'the checkpoint is of a run with seed 5, this one has 6: resume with the same',
  });
  await t.rejects(with_({}).train(train, { epochs: 4, batchSize: 16, resume: checkpoint }), { code: 'E_RESUME' });
  await t.rejects(with_({ adam: true }).train(train, { epochs: 4, resume: checkpoint }), { name: 'CheckpointError' });
  const images = train.images.map((byte, at) => (at === 5000 ? byte ^ 1 : byte));
  await t.rejects(with_({}).train({ ...train, images }, { epochs: 4, resume: checkpoint }), {
    code: 'E_RESUME',
    message: /a data set with the checksum .*: resume on the same data set/,
  });
  const { state: _, ...parametersAlone } = checkpoint;
  await t.rejects(with_({}).train(train, { epochs: 4, resume: parametersAlone }), { code: 'E_RESUME' });
});

test('a run that early stopping ended stays ended when it is resumed', async (t) => {
  const make = () => new Model({ network: LeNet5(), engine: nativeEngine({ threads: 2 }) });
  let last: Checkpoint | undefined;
  const keep: Callback = { name: 'keep', onTrainEnd: (seen) => void (last = seen.checkpoint()) };
  const stopping = () => new EarlyStopping({ monitor: 'loss', patience: 2, minDelta: 100 });
  const history = await make().train(train, { epochs: 9, callbacks: [stopping(), keep] });
  t.equal(history.length, 3, 'the first epoch is the best, two more do not improve on it');
  t.equal(last?.step, 15);
  t.same(await make().train(train, { epochs: 9, resume: last, callbacks: [stopping(), keep] }), []);
  t.equal(last?.step, 15);
});

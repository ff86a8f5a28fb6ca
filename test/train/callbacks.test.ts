import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { loadCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import type { Callback, EpochRecord } from '../../sdk/train/callback.js';
import { HistoryFile } from '../../sdk/train/callbacks/history-file.js';
import { LearningRateScheduler } from '../../sdk/train/callbacks/learning-rate-scheduler.js';
import { ModelCheckpoint } from '../../sdk/train/callbacks/model-checkpoint.js';
import { EarlyStopping, ReduceLROnPlateau } from '../../sdk/train/callbacks/plateau.js';
import { UploadOutput } from '../../sdk/train/callbacks/upload-output.js';
import { Model } from '../../sdk/train/model.js';
import { smallDigits } from '../small-digits.js';

const { train, test: held } = smallDigits({ train: 160, test: 50 });
const model = () => new Model({ network: LeNet5(), engine: nativeEngine({ threads: 2 }) });
const fit = (callbacks: readonly Callback[], epochs = 3): Promise<readonly EpochRecord[]> =>
  model().train(train, { epochs, batchSize: 32, validation: held, callbacks });

test('ModelCheckpoint saves every so many steps and at the end, as epoch and step within it', async (t) => {
  const folder = t.testdir();
  const checkpoints = new ModelCheckpoint({ folder, saveCheckpointSteps: 4 });
  await fit([checkpoints]);
  t.same(readdirSync(folder).sort(), [
    'checkpoint_lenet-1_4.ckpt',
    'checkpoint_lenet-2_3.ckpt',
    'checkpoint_lenet-3_2.ckpt',
    'checkpoint_lenet-3_5.ckpt',
  ]);
  t.equal(checkpoints.latest, join(folder, 'checkpoint_lenet-3_5.ckpt'));
  const { epoch, step } = await loadCheckpoint(join(folder, 'checkpoint_lenet-2_3.ckpt'));
  t.same({ epoch, step }, { epoch: 2, step: 8 });
});

test('ModelCheckpoint keeps the last few, and no other file is touched', async (t) => {
  const folder = t.testdir({ 'other-1_1.ckpt': '', 'notes.txt': '' });
  await fit([
    new ModelCheckpoint({
      folder,
      prefix: 'mine',
      saveCheckpointSteps: 1,
      keepCheckpointMax: 2,
      format: 'safetensors',
    }),
  ]);
  t.same(readdirSync(folder).sort(), ['mine-3_4.safetensors', 'mine-3_5.safetensors', 'notes.txt', 'other-1_1.ckpt']);
});

test('HistoryFile holds one record per epoch', async (t) => {
  const folder = t.testdir();
  const history = await fit([new HistoryFile({ folder })]);
  const { epochs } = JSON.parse(readFileSync(join(folder, 'history.json'), 'utf8'));
  t.same(epochs, history);
  t.same(
    epochs.map(({ epoch, step }: EpochRecord) => [epoch, step]),
    [
      [1, 5],
      [2, 10],
      [3, 15],
    ],
  );
});

test('a resumed run goes on with the history it finds, and begins anew with a damaged one', async (t) => {
  const folder = t.testdir();
  await fit([new HistoryFile({ folder }), new ModelCheckpoint({ folder })]);
  const resume = await loadCheckpoint(join(folder, 'checkpoint_lenet-3_5.ckpt'));
  const go = (epochs: number) =>
    model().train(train, { epochs, batchSize: 32, resume, callbacks: [new HistoryFile({ folder })] });
  t.equal((await go(4)).length, 4);
  writeFileSync(join(folder, 'history.json'), '{"epochs": [');
  t.same(
    (await go(5)).map(({ epoch }) => epoch),
    [4, 5],
  );
});

test('EarlyStopping and ReduceLROnPlateau act when a figure no longer improves', async (t) => {
  const rates = (records: readonly EpochRecord[]): number[] => records.map(({ learningRate }) => learningRate);
  t.equal((await fit([new EarlyStopping({ monitor: 'validationLoss', patience: 1, minDelta: 99 })], 6)).length, 2);
  t.equal((await fit([new EarlyStopping({ monitor: 'loss', patience: 1 })], 2)).length, 2, 'the loss falls');
  const plateau = new ReduceLROnPlateau({
    monitor: 'loss',
    patience: 1,
    minDelta: 99,
    factor: 0.5,
    minLearningRate: 0.004,
  });
  t.same(rates(await fit([plateau], 5)), [0.01, 0.01, 0.005, 0.004, 0.004]);
  t.same(rates(await fit([new LearningRateScheduler((epoch) => 0.01 / epoch)], 2)), [0.01, 0.005]);
  await t.rejects(fit([new LearningRateScheduler(() => Number.NaN)]), { code: 'E_OPTION' });
  t.throws(() => new EarlyStopping({ patience: 0 }), { code: 'E_OPTION' });
  t.throws(() => new ReduceLROnPlateau({ factor: 1 }), { code: 'E_OPTION' });
  t.throws(() => new ModelCheckpoint({ folder: '.', keepCheckpointMax: 0 }), { code: 'E_OPTION' });
});

test('UploadOutput copies after each epoch what is new; a failed round is made up for, the last must succeed', async (t) => {
  const from = t.testdir({ out: {} });
  const [out, to] = [join(from, 'out'), join(from, 'to')];
  const atDestination: string[][] = [];
  const disturb: Callback = {
    name: 'disturb',
    onEpochBegin: (_run, epoch) => {
      // A file in the place of the destination makes the second epoch's round fail.
      if (epoch === 2) {
        atDestination.push(readdirSync(to));
        rmSync(to, { recursive: true });
        writeFileSync(to, '');
      } else if (epoch === 3) rmSync(to);
    },
  };
  await fit([
    disturb,
    new ModelCheckpoint({ folder: out, saveCheckpointSteps: 5 }),
    new UploadOutput({ from: out, to }),
  ]);
  t.same(atDestination, [['checkpoint_lenet-1_5.ckpt']]);
  t.same(readdirSync(to).sort(), readdirSync(out).sort());
  writeFileSync(join(from, 'file'), '');
  await t.rejects(
    fit([new ModelCheckpoint({ folder: out }), new UploadOutput({ from: out, to: join(from, 'file') })]),
    {
      name: 'StorageError',
    },
  );
});

test('when a callback fails, what was saved before is still copied, and the failure is what the run ends with', async (t) => {
  const root = t.testdir({ out: {} });
  const [out, to] = [join(root, 'out'), join(root, 'to')];
  const reasons: string[] = [];
  const fails: Callback = {
    name: 'fails',
    onPause: (run) => {
      if (run.step === 7) throw new Error('no space left');
    },
    everySteps: 1,
    onTrainEnd: (_run, reason) => void reasons.push(reason),
  };
  const upload = new UploadOutput({ from: out, to });
  const saves = new ModelCheckpoint({ folder: out, saveCheckpointSteps: 2 });
  await t.rejects(fit([saves, fails, upload]), { message: 'no space left' });
  t.same(reasons, ['failed']);
  t.same(readdirSync(to), readdirSync(out));
  t.equal(readdirSync(to).length, 3);
});

test('a diverged run with nothing saved says that it diverged', async (t) => {
  const out = t.testdir();
  const wild = new Model({
    network: LeNet5(),
    optimizer: sgd({ learningRate: 1e30 }),
    engine: nativeEngine({ threads: 2 }),
  });
  const upload = new UploadOutput({ from: out, to: join(out, '..', 'never') });
  await t.rejects(wild.train(train, { epochs: 1, callbacks: [upload] }), { code: 'E_DIVERGED' });
});

test('a number of epochs or steps that means nothing is refused', async (t) => {
  for (const epochs of [0, -1, 1.5, Number.NaN]) await t.rejects(fit([], epochs), { code: 'E_OPTION' });
  await t.rejects(fit([{ name: 'never', everySteps: 0 }]), { code: 'E_OPTION', message: /never: everySteps/ });
});

test('when the last save fails, what was saved before is still copied', async (t) => {
  const root = t.testdir({ out: {} });
  const [out, to] = [join(root, 'out'), join(root, 'to')];
  const saves = new ModelCheckpoint({ folder: out, saveCheckpointSteps: 2 });
  const fails: Callback = {
    name: 'fails',
    onTrainEnd: () => {
      throw new Error('no space left');
    },
  };
  await t.rejects(fit([saves, fails, new UploadOutput({ from: out, to })], 1), { message: 'no space left' });
  t.same(readdirSync(to), readdirSync(out));
});

/** The figures, in the order of the table: what each is called, what it should reach, and how it is measured. */
import { mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset } from '../sdk/dataset/dataset.js';
import { mnist } from '../sdk/dataset/mnist.js';
import type { Engine } from '../sdk/engine/engine.js';
import { loadLibrary } from '../sdk/engine/native/library.js';
import { nativeEngine } from '../sdk/engine/native/native.js';
import { referenceEngine } from '../sdk/engine/reference/reference.js';
import { LeNet5 } from '../sdk/nn/lenet.js';
import { buildNetwork } from '../sdk/nn/networks.js';
import { workFolder } from '../sdk/platform/work-folders.js';
import { Model } from '../sdk/train/model.js';
import { peakMemoryOf, secondsOf, secondsUntil } from './command.js';
import { evaluatorFigures } from './evaluators.js';
import { trainingFlops } from './flops.js';
import { layerFigures } from './layers.js';
import { loaderFigures } from './loader.js';
import { differingBytes, median, medianOf, seconds } from './measure.js';
import { besidePeer, type Task } from './peer.js';
import { rankFigures } from './ranks.js';
import type { Facts, Measurement } from './report.js';

/** What the figures are measured with. */
export interface Bench {
  /** A folder for whatever; it is removed afterwards. */
  readonly folder: string;
  /** The data set for the command, */
  readonly zip: string;
  /** unpacked for the peer, */
  readonly dataFolder: string;
  /** and loaded. */
  readonly trainSet: Dataset;
  readonly testSet: Dataset;
  /** How often to measure what takes no more than some seconds. */
  readonly repeats: number;
}

/** Something to measure. */
export interface Figure extends Facts {
  measure(bench: Bench): Promise<Measurement>;
}

/** By the names that `--only` and `--json` use. */
export const figures: Readonly<Record<string, Figure>> = {
  accuracy: {
    title: 'test accuracy after 5 epochs, batch 32, seed 1',
    unit: '%',
    target: { is: '≥', limit: 98.8, ofMnist: true },
    async measure({ trainSet, testSet }) {
      const model = lenet(nativeEngine({ threads: 2 }));
      await train(model, trainSet, 5);
      return { value: 100 * (await model.evaluate(testSet)).accuracy };
    },
  },
  epoch_2_threads: {
    title: 'an epoch of training, batch 32, shuffling and batch assembly included, 2 threads',
    unit: 's',
    target: { is: '≤', limit: 1 / 12, ofPeer: true },
    measure: (bench) => epoch(bench, 2),
  },
  epoch_1_thread: {
    title: 'the same with 1 thread',
    unit: 's',
    target: { is: '≤', limit: 1 / 7, ofPeer: true },
    measure: (bench) => epoch(bench, 1),
  },
  peak_share: {
    title: 'share of the multiply-add peak that training reaches, 2 threads',
    unit: '%',
    async measure({ trainSet, repeats }) {
      const { instructionSets, peak } = loadLibrary();
      const [best] = instructionSets();
      const model = lenet(nativeEngine({ threads: 2 }));
      const peaks: number[] = [];
      const took = await medianOf(repeats, async () => {
        peaks.push(await peak(best, 2, 0.5));
        return seconds(() => train(model, trainSet));
      });
      const flops = trainingFlops(model.network) * (trainSet.size - (trainSet.size % BATCH));
      const floor = flops / median(peaks);
      const note = `${best}, ${(median(peaks) / 1e9).toFixed(0)} GFLOP/s: the floor is ${floor.toFixed(2)} s an epoch`;
      return { value: (100 * floor) / took, note };
    },
  },
  evaluate: {
    title: 'evaluating the test set, 2 threads',
    unit: 's',
    target: { is: '≤', limit: 0.1, ofMnist: true },
    measure({ dataFolder: folder, testSet, repeats }) {
      const model = lenet(nativeEngine({ threads: 2 }));
      return besidePeer(() => model.evaluate(testSet), peerTask('evaluate', { folder, threads: 2, repeats }));
    },
  },
  lenet_keras: {
    title: 'the Keras LeNet (484 714 parameters) trained on MNIST, batch 128, 2 threads',
    unit: 'images/s',
    target: { is: '≥', limit: 2, ofPeer: true },
    measure: ({ dataFolder, repeats }) => kerasSpeed(dataFolder, 2, repeats),
  },
  ...layerFigures,
  ...loaderFigures,
  ...rankFigures,
  ...evaluatorFigures,
  reference: {
    title: 'training on the reference engine',
    unit: 'images/s',
    target: { is: '≥', limit: 300 },
    async measure({ trainSet, repeats }) {
      const few = subset(trainSet, 10 * BATCH);
      const model = lenet(referenceEngine());
      return { value: few.size / (await medianOf(repeats, () => seconds(() => train(model, few)))) };
    },
  },
  first_step: {
    title: 'from `mindts train` on the zip to the first step, saved; warm cache',
    unit: 's',
    target: { is: '≤', limit: 1.5, ofMnist: true },
    // A checkpoint after every step: the clock stops when the first is there.
    async measure({ folder, zip, repeats }) {
      const untilSaved = async (): Promise<number> => {
        const out = await mkdtemp(join(folder, 'first-'));
        return secondsUntil(checkpoint(workFolder('output', out), 1), [...training(zip, out), SAVE_EVERY + 1]);
      };
      return { value: await medianOf(repeats, untilSaved) };
    },
  },
  help: {
    title: '`mindts --help`, the whole process',
    unit: 's',
    target: { is: '≤', limit: 0.2 },
    measure: async ({ repeats }) => ({ value: await medianOf(3 * repeats, () => secondsOf(['--help'])) }),
  },
  memory: {
    title: 'peak memory of `mindts train`, unzipping included',
    unit: 'MB',
    target: { is: '≤', limit: 300, ofMnist: true },
    async measure({ folder, zip }) {
      const out = await mkdtemp(join(folder, 'memory-'));
      return { value: (await peakMemoryOf(training(zip, out), join(out, 'cache'))) / 1e6 };
    },
  },
  same_seed: {
    title: 'difference between the last checkpoints of two runs with one seed and thread count',
    unit: 'bytes',
    target: { is: '≤', limit: 0 },
    async measure({ folder, zip, trainSet }) {
      const [one, other] = [await mkdtemp(join(folder, 'one-')), await mkdtemp(join(folder, 'other-'))];
      for (const out of [one, other]) await secondsOf(training(zip, out));
      const last = Math.floor(trainSet.size / BATCH);
      return { value: await differingBytes(checkpoint(one, last), checkpoint(other, last)) };
    },
  },
  resume: {
    title: 'the same between an undisturbed run and one after SIGKILL and --resume',
    unit: 'bytes',
    target: { is: '≤', limit: 0 },
    async measure({ folder, zip, trainSet }) {
      const [whole, killed] = [await mkdtemp(join(folder, 'whole-')), await mkdtemp(join(folder, 'killed-'))];
      const last = Math.floor(trainSet.size / BATCH);
      const some = Math.floor(last / 4);
      await secondsOf([...training(zip, whole), SAVE_EVERY + some]);
      const half = [...training(zip, killed), SAVE_EVERY + some];
      await secondsUntil(checkpoint(workFolder('output', killed), some), half);
      await secondsOf([...half, '--resume']);
      return { value: await differingBytes(checkpoint(whole, last), checkpoint(killed, last)) };
    },
  },
};

const BATCH = 32;
const SAVE_EVERY = '--save_checkpoint_steps=';

function epoch({ dataFolder: folder, trainSet, repeats }: Bench, threads: number): Promise<Measurement> {
  const model = lenet(nativeEngine({ threads }));
  return besidePeer(() => train(model, trainSet), peerTask('train', { folder, threads, repeats }));
}

function peerTask(
  command: 'train' | 'evaluate',
  { folder, threads, repeats }: { readonly folder: string; readonly threads: number; readonly repeats: number },
): Task {
  return { script: 'torch_lenet.py', args: [folder, String(threads), 'lenet5'], command, repeats };
}

/** Images a second over some steps; a whole epoch would show nothing more. */
async function kerasSpeed(folder: string, threads: number, repeats: number): Promise<Measurement> {
  const [batchSize, size] = [128, 128 * 20];
  const { network, transforms } = buildNetwork('lenet-keras');
  const few = subset(await mnist(folder, { split: 'train', transforms }), size);
  const model = new Model({ network, engine: nativeEngine({ threads }), seed: 1 });
  const task = {
    script: 'torch_lenet.py',
    args: [folder, String(threads), 'lenet-keras'],
    command: `train ${size}`,
    repeats,
  };
  const { value, peer, note } = await besidePeer(() => model.train(few, { epochs: 1, batchSize }), task);
  return { value: size / value, ...(peer && { peer: size / peer }), ...(note && { note }) };
}

/** The first samples of a data set. */
function subset(data: Dataset, size: number): Dataset {
  const { height, width, channels } = data.plan.source;
  const images = data.images.subarray(0, size * height * width * channels);
  return { ...data, size, images, labels: data.labels.subarray(0, size) };
}

function lenet(engine: Engine): Model {
  return new Model({ network: LeNet5(), engine, seed: 1 });
}

async function train(model: Model, data: Dataset, epochs = 1): Promise<void> {
  await model.train(data, { epochs, batchSize: BATCH });
}

/** The command that trains for an epoch. */
function training(zip: string, out: string): string[] {
  return ['train', `--data_url=${zip}`, `--train_url=${out}`, '--epoch_size=1', '--threads=2'];
}

function checkpoint(folder: string, step: number): string {
  return join(folder, `checkpoint_lenet-1_${step}.ckpt`);
}

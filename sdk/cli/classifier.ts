/**
 * What the launch scripts for MNIST do between the data and the results. scripts/train.ts and scripts/inference.ts spell the same out,
 * to be read and changed; the scripts for other clusters differ in what comes before and after, and call this.
 */
import { join } from 'node:path';
import type { Options } from '../args/option.js';
import { writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { loadCheckpoint } from '../checkpoint/checkpoint.js';
import { narrowedTo } from '../checkpoint/narrowed.js';
import { mnist } from '../dataset/mnist.js';
import { selectEngine } from '../engine/select.js';
import { buildNetwork } from '../nn/networks.js';
import { sgd } from '../nn/optimizers.js';
import { type Output, prepareOutput } from '../platform/output.js';
import { fetchCheckpoint } from '../platform/prepare.js';
import { copyParallel } from '../storage/copy.js';
import { shownUrl } from '../storage/url.js';
import { HistoryFile } from '../train/callbacks/history-file.js';
import { LossMonitor } from '../train/callbacks/loss-monitor.js';
import { ModelCheckpoint } from '../train/callbacks/model-checkpoint.js';
import { ProgressBar } from '../train/callbacks/progress-bar.js';
import { UploadOutput } from '../train/callbacks/upload-output.js';
import { Model } from '../train/model.js';
import { classificationReport } from '../train/report.js';
import type { deviceOptions, networkOptions, trainingOptions } from './options.js';
import { printSummary } from './summary.js';

/** The values of a table of options. */
type Values<O> = O extends Options<infer V> ? V : never;
/** What builds a classifier. */
export type ClassifierArgs = Values<typeof networkOptions> & Values<typeof deviceOptions>;
/** What trains one. */
export type TrainingArgs = ClassifierArgs & Values<typeof trainingOptions>;

/** What a script has prepared for training. */
export interface Training {
  /** Where train/ and test/ lie. */
  readonly folder: string;
  /** What `--data_url` said, for the command to try next. */
  readonly dataUrl?: string;
  readonly output: Output;
  /** Where the output goes. */
  readonly url: string;
  /** Gives the model the parameters to start from. */
  readonly start: (model: Model) => void;
  readonly signal: AbortSignal;
}

/**
 * Trains as scripts/train.ts does: checkpoints and history go to the output folder, and are copied after every epoch.
 *
 * @throws what `mnist`, `selectEngine`, `Model.train` and the callbacks throw
 */
export async function trainClassifier(
  args: TrainingArgs,
  { folder, dataUrl, output, url, start, signal }: Training,
): Promise<void> {
  const { num_classes: classes, image_height: height, image_width: width } = args;
  const { network, transforms } = buildNetwork(args.network, { classes, height, width });
  const trainSet = await mnist(folder, { split: 'train', classes, transforms });
  const testSet = await mnist(folder, { split: 'test', classes, transforms });
  const { learning_rate: learningRate, momentum, weight_decay: weightDecay } = args;
  const optimizer = sgd({ learningRate, momentum, weightDecay });
  const engine = await selectEngine({ target: args.device_target, threads: args.threads });
  const model = new Model({ network, optimizer, engine, seed: args.seed });
  if (!output.resume) start(model);

  const { save_checkpoint_steps: saveCheckpointSteps, keep_checkpoint_max: keepCheckpointMax } = args;
  const saving = { folder: output.folder, saveCheckpointSteps, keepCheckpointMax, perRank: args.ckpt_per_rank };
  const checkpoints = new ModelCheckpoint(saving);
  log.info(`training ${network.name} on ${trainSet.size} images: ${engine.description}`);
  const history = await model.train(trainSet, {
    epochs: args.epoch_size,
    batchSize: args.batch_size,
    validation: testSet,
    resume: output.resume,
    signal,
    callbacks: [
      new ProgressBar(),
      new LossMonitor(),
      new HistoryFile({ folder: output.folder }),
      checkpoints,
      new UploadOutput({ from: output.folder, to: url }),
    ],
  });
  printSummary(history, { ...args, checkpoint: checkpoints.latest, data_url: dataUrl, train_url: url });
}

/**
 * Classifies a test set as scripts/inference.ts does, and writes `result.txt` and `result.json`.
 *
 * @param job folder: where test/ lies; checkpoint: the URL of the trained parameters; url: where the results go
 * @throws what `fetchCheckpoint`, `mnist`, `Model.load` and `copyParallel` throw
 */
export async function classifyTestSet(
  args: ClassifierArgs,
  { folder, checkpoint, url }: { readonly folder: string; readonly checkpoint: string; readonly url: string },
): Promise<void> {
  const { num_classes: classes, image_height: height, image_width: width } = args;
  const { network, transforms } = buildNetwork(args.network, { classes, height, width });
  const testSet = await mnist(folder, { split: 'test', classes, transforms });
  const engine = await selectEngine({ target: args.device_target, threads: args.threads });
  const loaded = await loadCheckpoint(await fetchCheckpoint(checkpoint));
  const model = new Model({ network: narrowedTo(network, loaded), engine });
  model.load(loaded, { source: shownUrl(checkpoint) });

  const { classes: predictions } = await model.predict(testSet);
  const output = await prepareOutput({ url, kind: 'result' });
  const lines = [...predictions].map((predicted, i) => `Predicted: "${predicted}", Actual: "${testSet.labels[i]}"\n`);
  const report = classificationReport(predictions, testSet.labels, classes);
  await writeFileAtomic(join(output.folder, 'result.txt'), lines.join(''));
  await writeFileAtomic(join(output.folder, 'result.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await copyParallel(output.folder, url);
  const accuracy = `accuracy ${(100 * report.accuracy).toFixed(2)} % of ${testSet.size} images`;
  log.info(`${accuracy}; details in ${shownUrl(url)}`);
}

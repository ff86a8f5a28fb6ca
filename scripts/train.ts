/**
 * Trains LeNet-5, or a relative, on an MNIST-format data set. The same file runs
 *   on OpenI (Qizhi) and ModelArts   as the start file: the platform adds --data_url and --train_url
 *   at home                          npx mindts train --data_url MNISTData.zip --train_url out
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Trains LeNet-5, or a relative, on an MNIST-format data set.',
  config: 'mnist.yaml',
  ranks: 'all' as const,
  options: {
    data_url: mindts.dataUrl,
    train_url: mindts.text({ required: true, placeholder: 'URL', description: 'where checkpoints and history go' }),
    ...mindts.startOptions,
    ...mindts.trainingOptions,
    ...mindts.networkOptions,
    ...mindts.deviceOptions,
  },
  examples: ['npx mindts train --data_url MNISTData.zip --train_url out --epoch_size 5'],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Prepare: copy and unzip what came from the platform.
  const startFromCheckpoint = await mindts.fetchStart(args);
  const folder = await mindts.prepareData(args.data_url);
  const output = await mindts.prepareOutput({ url: args.train_url, resume: args.resume });

  // The network, how it learns, and the data set as it wants it: resized and normalised while batches are put together.
  const { num_classes: classes, image_height: height, image_width: width } = args;
  const { network, transforms } = mindts.buildNetwork(args.network, { classes, height, width });
  const trainSet = await mindts.mnist(folder, { split: 'train', classes, transforms });
  const testSet = await mindts.mnist(folder, { split: 'test', classes, transforms });
  const { learning_rate: learningRate, momentum, weight_decay: weightDecay } = args;
  const optimizer = mindts.sgd({ learningRate, momentum, weightDecay });
  const engine = await mindts.selectEngine({ target: args.device_target, threads: args.threads });
  const model = new mindts.Model({ network, optimizer, engine, seed: args.seed });
  if (!output.resume) startFromCheckpoint(model);

  // Train, save, copy back.
  const { save_checkpoint_steps: saveCheckpointSteps, keep_checkpoint_max: keepCheckpointMax } = args;
  const saving = { folder: output.folder, saveCheckpointSteps, keepCheckpointMax, perRank: args.ckpt_per_rank };
  const checkpoints = new mindts.ModelCheckpoint(saving);
  mindts.log.info(`training ${network.name} on ${trainSet.size} images: ${engine.description}`);
  const history = await model.train(trainSet, {
    epochs: args.epoch_size,
    batchSize: args.batch_size,
    validation: testSet,
    resume: output.resume,
    signal,
    callbacks: [
      new mindts.ProgressBar(),
      new mindts.LossMonitor(),
      new mindts.HistoryFile({ folder: output.folder }),
      checkpoints,
      new mindts.UploadOutput({ from: output.folder, to: args.train_url }),
    ],
  });
  mindts.printSummary(history, { checkpoint: checkpoints.latest, ...args });
});

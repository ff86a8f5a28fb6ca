/**
 * Trains LeNet-5 on an MNIST-format data set. The same file runs
 *   on OpenI (Qizhi) and ModelArts   as the start file, called with --data_url and --train_url
 *   at home                          npx mindts train --data_url MNISTData.zip --train_url out
 * Options not given here come from configs/mnist.yaml.
 */
import * as mindts from 'mindts';

const options = {
  data_url: mindts.text({ required: true, placeholder: 'URL', description: 'the data set: a folder or zip, or builtin:digits' }),
  train_url: mindts.text({ required: true, placeholder: 'URL', description: 'where checkpoints and history go' }),
  ckpt_url: mindts.text({ placeholder: 'URL', description: 'a checkpoint to start from' }),
  resume: mindts.flag({ description: 'go on from the newest checkpoint, bit for bit' }),
  device_target: mindts.choice(mindts.DEVICE_TARGETS, { default: 'CPU', description: 'what to train on' }),
  threads: mindts.integer({ min: 1, max: 1024, description: 'threads to train with (default: all processors)' }),
  num_classes: mindts.integer({ min: 2, default: 10, description: 'classes of the data set' }),
  image_height: mindts.integer({ min: 16, default: 32, description: 'rows that images are resized to' }),
  image_width: mindts.integer({ min: 16, default: 32, description: 'columns that images are resized to' }),
  epoch_size: mindts.integer({ min: 1, default: 10, description: 'how often to go over the data' }),
  batch_size: mindts.integer({ min: 1, default: 32, description: 'images per step' }),
  learning_rate: mindts.number({ above: 0, default: 0.01, description: 'how far a step goes' }),
  momentum: mindts.number({ min: 0, max: 0.999999, default: 0.9, description: 'how much of the last step stays' }),
  weight_decay: mindts.number({ min: 0, default: 0, description: 'how fast unused weights fade' }),
  save_checkpoint_steps: mindts.integer({ min: 1, default: 1875, description: 'steps between checkpoints' }),
  keep_checkpoint_max: mindts.integer({ min: 1, default: 150, description: 'checkpoints to keep' }),
  seed: mindts.integer({ default: 1, description: 'the same seed gives the same run' }),
};

const spec = { description: 'Trains LeNet-5 on an MNIST-format data set.', options, config: 'mnist.yaml' };

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Copy and unzip.
  const data = await mindts.prepareData(args.data_url);
  const output = await mindts.prepareOutput({ trainUrl: args.train_url, resume: args.resume });

  // Data set, network, model.
  const transforms = mindts.mnistTransforms(args.image_height, args.image_width);
  const [train, test] = await Promise.all((['train', 'test'] as const).map((split) =>
    mindts.mnist(data, { split, classes: args.num_classes, transforms })));
  const network = mindts.LeNet5({ classes: args.num_classes, height: args.image_height, width: args.image_width });
  const optimizer = mindts.sgd({ learningRate: args.learning_rate, momentum: args.momentum, weightDecay: args.weight_decay });
  const engine = mindts.selectEngine({ target: args.device_target, threads: args.threads });
  const model = new mindts.Model({ network, optimizer, engine, seed: args.seed });
  if (args.ckpt_url) model.load(await mindts.loadCheckpoint(await mindts.fetchFile(args.ckpt_url)), args.ckpt_url);

  // Train, save, copy back.
  mindts.log.info(`training ${network.name} on ${train.size} images with ${engine.description}`);
  const history = await model.train(train, {
    epochs: args.epoch_size, batchSize: args.batch_size, validation: test, resume: output.resume, signal,
    callbacks: [
      new mindts.ProgressBar(), new mindts.LossMonitor(), new mindts.TimeMonitor(),
      new mindts.HistoryFile({ folder: output.folder }),
      new mindts.ModelCheckpoint({ folder: output.folder, saveCheckpointSteps: args.save_checkpoint_steps, keepCheckpointMax: args.keep_checkpoint_max }),
      new mindts.UploadOutput({ from: output.folder, to: args.train_url }),
    ],
  });
  await mindts.summarize(history, args);
});

/**
 * Trains LeNet-5, or a relative, on C2Net from a model of the task. The same file runs
 *   on C2Net   as the start file: the platform adds --multi_data_url and --pretrain_url, or sets the variables that prepare() reads
 *   at home    npx mindts pretrain_for_c2net --multi_data_url '[…]' --ckpt_url out/….ckpt --train_url finer
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Trains LeNet-5, or a relative, on C2Net, on from a model of the task.',
  config: 'mnist.yaml',
  ranks: 'all' as const,
  options: {
    ...mindts.dataSetOptions,
    ...mindts.collectedOptions,
    ...mindts.startOptions,
    ...mindts.trainingOptions,
    ...mindts.networkOptions,
    ...mindts.deviceOptions,
  },
  examples: [
    `npx mindts pretrain_for_c2net --ckpt_url out/checkpoint_lenet-5_1875.ckpt --train_url finer --multi_data_url \\
    '[{"dataset_url": "MNISTData.zip", "dataset_name": "MNISTData.zip"}]'`,
  ],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Prepare: the data sets, unpacked, and the model: --ckpt_url, or the one of --pretrain_url, a file, folder or zip.
  const dataSets = await mindts.prepareDataSets(args);
  const folder = await mindts.chooseDataSet(dataSets, args);
  const start = await mindts.fetchStart(args, { dataSets, required: true });

  // Results go to --train_url, or stay in /cache/output, which the platform collects when the task is over.
  const url = mindts.outputUrl(args.train_url);
  const output = await mindts.prepareOutput({ url, resume: args.resume });

  // Train as train.ts does, save, copy back; pack the models where the platform wants them packed.
  await mindts.trainClassifier(args, { folder, output, url, start, signal });
  await mindts.uploadModels(output.folder, args.model_url);
});

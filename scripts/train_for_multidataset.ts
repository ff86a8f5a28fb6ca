/**
 * Trains LeNet-5, or a relative, in a task with several data sets: one holds the images, another may hold the checkpoint to start from.
 * The same file runs
 *   on OpenI (Qizhi)   as the start file: the platform adds --multi_data_url and --train_url
 *   at home            npx mindts train_for_multidataset --multi_data_url '[{"dataset_url": …, "dataset_name": …}]' --train_url out
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Trains LeNet-5, or a relative, in a task with several data sets.',
  config: 'mnist.yaml',
  ranks: 'all' as const,
  options: {
    ...mindts.dataSetOptions,
    train_url: mindts.text({ required: true, placeholder: 'URL', description: 'where checkpoints and history go' }),
    ...mindts.startOptions,
    ...mindts.trainingOptions,
    ...mindts.networkOptions,
    ...mindts.deviceOptions,
  },
  examples: [
    `npx mindts train_for_multidataset --train_url out --multi_data_url \\
    '[{"dataset_url": "s3://bucket/MNISTData/", "dataset_name": "MNISTData"}, {"dataset_url": "s3://bucket/model/", "dataset_name": "model"}]'`,
  ],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Prepare: every data set to a folder of its own, /cache/data/<name>. The one with train/ and test/ is the one to train on.
  const dataSets = await mindts.prepareDataSets(args);
  const folder = await mindts.chooseDataSet(dataSets, args);

  // Where it starts: --ckpt_url, --pretrain_url, or the checkpoint in another data set; afresh when there is none.
  const start = await mindts.fetchStart(args, { dataSets });
  const output = await mindts.prepareOutput({ url: args.train_url, resume: args.resume });

  // Train as train.ts does, save, copy back.
  await mindts.trainClassifier(args, { folder, output, url: args.train_url, start, signal });
});

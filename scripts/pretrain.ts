/**
 * Trains LeNet-5, or a relative, from a checkpoint that is there already. The same file runs
 *   on OpenI (Qizhi)   as the start file: the platform adds --data_url, --train_url, and --ckpt_url for the model that was chosen
 *   at home            npx mindts pretrain --data_url MNISTData.zip --ckpt_url out/….ckpt --train_url finer
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Trains LeNet-5, or a relative, on from a checkpoint.',
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
  examples: [
    'npx mindts pretrain --data_url MNISTData.zip --ckpt_url out/checkpoint_lenet-5_1875.ckpt --train_url finer',
    'npx mindts pretrain --data_url digits.zip --ckpt_url out/checkpoint_lenet-5_1875.ckpt --ckpt_skip fc3 --train_url finer',
  ],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // Prepare: the checkpoint, the data set, a place for the output.
  const start = await mindts.fetchStart(args, { required: true });
  const folder = await mindts.prepareData(args.data_url);
  const output = await mindts.prepareOutput({ url: args.train_url, resume: args.resume });

  // Train as train.ts does, save, copy back.
  await mindts.trainClassifier(args, { folder, dataUrl: args.data_url, output, url: args.train_url, start, signal });
});

/**
 * Classifies the test set of one of several data sets with a trained LeNet-5, or a relative. The same file runs
 *   on OpenI (Qizhi)   as the start file: the platform adds --multi_data_url, --ckpt_url and --result_url
 *   at home            npx mindts inference_for_multidataset --multi_data_url '[…]' --ckpt_url out/….ckpt --result_url result
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Classifies the test set of one of several data sets with a trained LeNet-5, or a relative.',
  options: {
    ...mindts.dataSetOptions,
    ...mindts.modelOptions,
    result_url: mindts.text({ required: true, placeholder: 'URL', description: 'where result.txt and result.json go' }),
    ...mindts.networkOptions,
    ...mindts.deviceOptions,
  },
  examples: [
    `npx mindts inference_for_multidataset --ckpt_url out/checkpoint_lenet-5_1875.ckpt --result_url result --multi_data_url \\
    '[{"dataset_url": "s3://bucket/MNISTData/", "dataset_name": "MNISTData"}]'`,
  ],
};

export default mindts.launch(import.meta.url, spec, async (args) => {
  // Prepare: every data set to a folder of its own, and the checkpoint from --ckpt_url, --pretrain_url, or another data set.
  const dataSets = await mindts.prepareDataSets(args);
  const folder = await mindts.chooseDataSet(dataSets, { ...args, split: 'test' });
  const checkpoint = await mindts.requireCheckpoint(args, { dataSets });

  // Predict as inference.ts does, write, copy back.
  await mindts.classifyTestSet(args, { folder, checkpoint, url: args.result_url });
});

/**
 * Classifies a test set on C2Net with a trained LeNet-5, or a relative. The same file runs
 *   on C2Net   as the start file: the platform adds --multi_data_url and --pretrain_url, or sets the variables that prepare() reads
 *   at home    npx mindts inference_for_c2net --multi_data_url '[…]' --ckpt_url out/….ckpt --result_url result
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Classifies a test set on C2Net with a trained LeNet-5, or a relative.',
  options: {
    ...mindts.dataSetOptions,
    ...mindts.modelOptions,
    result_url: mindts.text({
      placeholder: 'URL',
      description: 'where results go (default: what the platform collects)',
    }),
    ...mindts.networkOptions,
    ...mindts.deviceOptions,
  },
  examples: [
    `npx mindts inference_for_c2net --ckpt_url out/checkpoint_lenet-5_1875.ckpt --result_url result --multi_data_url \\
    '[{"dataset_url": "MNISTData.zip", "dataset_name": "MNISTData.zip"}]'`,
  ],
};

export default mindts.launch(import.meta.url, spec, async (args) => {
  // Prepare: the data sets, unpacked, and the model: --ckpt_url, or the one of --pretrain_url, a file, folder or zip.
  const dataSets = await mindts.prepareDataSets(args);
  const folder = await mindts.chooseDataSet(dataSets, { ...args, split: 'test' });
  const checkpoint = await mindts.requireCheckpoint(args, { dataSets });

  // Predict as inference.ts does, write; copy to --result_url, or to /cache/output, which the platform collects.
  await mindts.classifyTestSet(args, { folder, checkpoint, url: mindts.outputUrl(args.result_url) });
});

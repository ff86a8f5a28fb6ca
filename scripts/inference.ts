/**
 * Classifies the test set of an MNIST-format data set with a trained LeNet-5, or a relative. The same file runs
 *   on OpenI (Qizhi) and ModelArts   as the start file: the platform adds --data_url, --ckpt_url and --result_url
 *   at home                          npx mindts inference --data_url MNISTData.zip --ckpt_url out/….ckpt --result_url result
 */
import { join } from 'node:path';
import * as mindts from 'mindts';

const spec = {
  description: 'Classifies the test set of an MNIST-format data set with a trained LeNet-5, or a relative.',
  options: {
    data_url: mindts.dataUrl,
    ...mindts.modelOptions,
    result_url: mindts.text({ required: true, placeholder: 'URL', description: 'where result.txt and result.json go' }),
    ...mindts.networkOptions,
    ...mindts.deviceOptions,
  },
  examples: [
    'npx mindts inference --data_url MNISTData.zip --ckpt_url out/checkpoint_lenet-5_1875.ckpt --result_url result',
  ],
};

export default mindts.launch(import.meta.url, spec, async (args) => {
  // Prepare: copy and unzip what came from the platform.
  const folder = await mindts.prepareData(args.data_url);
  const url = await mindts.requireCheckpoint(args);
  const checkpoint = await mindts.loadCheckpoint(await mindts.fetchCheckpoint(url));

  // The network, the data set as it wants it, the trained parameters; where pruning took units out, without them.
  const { num_classes: classes, image_height: height, image_width: width } = args;
  const { network, transforms } = mindts.buildNetwork(args.network, { classes, height, width });
  const testSet = await mindts.mnist(folder, { split: 'test', classes, transforms });
  const engine = await mindts.selectEngine({ target: args.device_target, threads: args.threads });
  const model = new mindts.Model({ network: mindts.narrowedTo(network, checkpoint), engine });
  model.load(checkpoint, { source: url });

  // Predict, write, copy back.
  const { classes: predictions } = await model.predict(testSet);
  const output = await mindts.prepareOutput({ url: args.result_url, kind: 'result' });
  const lines = [...predictions].map((predicted, i) => `Predicted: "${predicted}", Actual: "${testSet.labels[i]}"\n`);
  const report = mindts.classificationReport(predictions, testSet.labels, classes);
  await mindts.writeFileAtomic(join(output.folder, 'result.txt'), lines.join(''));
  await mindts.writeFileAtomic(join(output.folder, 'result.json'), `${JSON.stringify(report, undefined, 2)}\n`);
  await mindts.copyParallel(output.folder, args.result_url);
  mindts.log.info(
    `accuracy ${(100 * report.accuracy).toFixed(2)} % of ${testSet.size} images; details in ${args.result_url}`,
  );
});

/**
 * An evaluator of pruning on a cluster; any number of them may come and go at any time. The same file runs
 *   on OpenPAI   as the fourth of the four jobs in configs/openpai
 *   at home      npx mindts prune_evaluator --work_url work --data_url MNISTData.zip
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Evaluates candidates in a run of pruning on a cluster.',
  options: { ...mindts.workOptions, data_url: mindts.dataUrl, ...mindts.deviceOptions, ...mindts.compatRunOptions },
  examples: ['npx mindts prune_evaluator --work_url work --data_url MNISTData.zip --threads 1'],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  const data = await mindts.prepareData(args.data_url);
  const engine = await mindts.selectEngine({ target: args.device_target, threads: args.threads });

  // By the seed's own files, or by those of a run that main has begun.
  const isCompat = await mindts.takePartByFiles(args, signal, async ({ folder, settings, ...run }) => {
    const { network, transforms } = mindts.buildNetwork(run.network);
    const images = await mindts.mnist(data, { split: 'train', classes: 10, transforms });
    await mindts.seedEvaluator(folder, { network, engine, data: images, settings, signal });
  });
  if (isCompat) return;
  await mindts.takePart(args, async (run) => {
    const images = await mindts.mnist(data, { split: 'train', classes: run.classes, transforms: run.transforms });
    await mindts.evaluatorRole(run, { engine, data: images, signal });
  });
});

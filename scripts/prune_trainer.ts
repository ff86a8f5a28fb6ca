/**
 * The trainer of pruning on a cluster: trains, has rates searched for, retrains, and writes the results. The same file runs
 *   on OpenPAI   as the second of the four jobs in configs/openpai
 *   at home      npx mindts prune_trainer --work_url work --data_url MNISTData.zip --train_url out
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Trains and prunes in a run on a cluster, and writes the results.',
  options: {
    ...mindts.workOptions,
    data_url: mindts.dataUrl,
    train_url: mindts.text({ required: true, placeholder: 'URL', description: 'where results go' }),
    ...mindts.deviceOptions,
    ...mindts.compatTrainerOptions,
  },
  examples: ['npx mindts prune_trainer --work_url work --data_url MNISTData.zip --train_url out'],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  const data = await mindts.prepareData(args.data_url);
  const engine = await mindts.selectEngine({ target: args.device_target, threads: args.threads });
  const results = {
    url: args.train_url,
    prepare: () => mindts.prepareOutput({ url: args.train_url }),
    copyBack: (folder: string) => mindts.copyParallel(folder, args.train_url),
  };

  // By the seed's own files, where that was said.
  const isCompat = await mindts.takePartByFiles(args, signal, async (run) => {
    const { network, transforms } = mindts.buildNetwork(run.network);
    const model = new mindts.Model({ network });
    const url = await mindts.requireCheckpoint(args);
    model.load(await mindts.loadCheckpoint(await mindts.fetchCheckpoint(url)), { source: url });
    await mindts.trainByFiles(run, {
      network,
      engine,
      parameters: model.state.parameters,
      data: await mindts.mnist(data, { split: 'train', classes: 10, transforms }),
      test: await mindts.mnist(data, { split: 'test', classes: 10, transforms }),
      results,
      signal,
    });
  });
  if (isCompat) return;

  // What main has said: the network, and how it is pruned.
  await mindts.takePart(args, async (run) => {
    const { classes, transforms } = run;
    await mindts.trainPruned(run, {
      engine,
      data: await mindts.mnist(data, { split: 'train', classes, transforms }),
      test: await mindts.mnist(data, { split: 'test', classes, transforms }),
      results,
      signal,
    });
  });
});

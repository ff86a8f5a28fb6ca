/**
 * Prunes a trained network: searches for what each layer can do without (OLMP with NCS), and retrains what is left. The same file runs
 *   on OpenI (Qizhi) and ModelArts   as the start file: the platform adds --data_url, --ckpt_url and --train_url
 *   at home                          npx mindts prune --network lenet300-100 --ckpt_url lenet300100_iter_10000.caffemodel …
 */
import * as mindts from 'mindts';

const spec = {
  description:
    'Prunes a trained network: searches for what each layer can do without, and retrains what is left. What no option says is in configs/pruning.yaml.',
  options: {
    data_url: mindts.dataUrl,
    ckpt_url: mindts.text({ required: true, placeholder: 'URL', description: 'the trained parameters' }),
    train_url: mindts.text({ required: true, placeholder: 'URL', description: 'where results go' }),
    ...mindts.networkOptions,
    ...mindts.pruneOptions,
    ...mindts.deviceOptions,
  },
  defaults: mindts.settingDefaults,
  examples: [
    'npx mindts prune --network lenet300-100 --ckpt_url lenet300100_iter_10000.caffemodel --data_url MNISTData.zip --train_url out',
    'npx mindts prune status --work_url s3://bucket/work    # of a run on a cluster, see prune_main; prune stop ends it',
  ],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // How to prune: what was said, and configs/pruning.yaml for the rest.
  const settings = await mindts.settingsFor(args.network, mindts.choicesOf(args));

  // Prepare: copy and unzip what came from the platform.
  const data = await mindts.prepareData(args.data_url);

  // The network with its trained parameters, and the data set as it wants it.
  const { num_classes: classes, image_height: height, image_width: width } = args;
  const { network, transforms } = mindts.buildNetwork(args.network, { classes, height, width });
  const trainSet = await mindts.mnist(data, { split: 'train', classes, transforms });
  const testSet = await mindts.mnist(data, { split: 'test', classes, transforms });
  const engine = await mindts.selectEngine({ target: args.device_target, threads: args.threads });
  const model = new mindts.Model({ network, engine });
  model.load(await mindts.loadCheckpoint(await mindts.fetchCheckpoint(args.ckpt_url)), { source: args.ckpt_url });
  const job = { network, engine, data: trainSet, test: testSet, parameters: model.state.parameters, settings };

  // Nothing is written where settings fit neither the network nor the data.
  mindts.requireFitting(job);
  const how = { resume: args.resume, files: Object.values(mindts.RUN_FILES) };
  const { folder } = await mindts.prepareOutput({ url: args.train_url, ...how });

  // Prune, write, copy back: after every round what a run goes on from, at the end all that came of it.
  const copyBack = () => mindts.copyParallel(folder, args.train_url);
  try {
    const where = { folder, resume: args.resume, signal, saved: copyBack };
    if (args.sensitivity) await mindts.writeSensitivity(folder, job);
    else mindts.printPruned(await mindts.pruneNetwork(job, where), args.train_url);
  } catch (error) {
    // What a search had found until it was told to end is in its journal.
    if (signal.aborted) await copyBack();
    throw error;
  }
  await copyBack();
});

/**
 * The search of pruning on a cluster: asks the evaluators for candidates, and tells the trainer what is best. The same file runs
 *   on OpenPAI   as the third of the four jobs in configs/openpai
 *   at home      npx mindts prune_search --work_url work
 */
import * as mindts from 'mindts';

const spec = {
  description: 'Searches for rates in a run of pruning on a cluster.',
  options: {
    ...mindts.workOptions,
    ...mindts.compatRunOptions,
    block_size: mindts.integer({
      min: 1,
      description: 'candidates that an evaluator takes at once (default: as many as come out even)',
    }),
  },
  examples: ['npx mindts prune_search --work_url work'],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // By the seed's own files, or by those of a run that main has begun.
  const isCompat = await mindts.takePartByFiles(args, signal, ({ network, ...run }) => {
    const layers = mindts.prunedLayers(mindts.buildNetwork(network).network).map(({ name }) => name);
    return mindts.seedSearch(run.folder, { settings: run.settings, layers, signal });
  });
  if (isCompat) return;
  await mindts.takePart(args, (run) => mindts.searchRole(run, { blockSize: args.block_size, signal }));
});

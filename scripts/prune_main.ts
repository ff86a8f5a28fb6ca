/**
 * The main role of pruning on a cluster: says what is pruned and how, and leads the other three to the end. The same file runs
 *   on OpenPAI   as the first of the four jobs in configs/openpai
 *   at home      npx mindts prune_main --work_url work --network lenet300-100 --ckpt_url lenet300100_iter_10000.caffemodel
 */
import * as mindts from 'mindts';

const spec = {
  description:
    'Leads a run of pruning on a cluster: says what is pruned, grants turns, tells all to end. What no option says is in configs/pruning.yaml.',
  options: {
    ...mindts.workOptions,
    ckpt_url: mindts.text({ required: true, placeholder: 'URL', description: 'the trained parameters' }),
    ...mindts.networkOptions,
    ...mindts.runOptions,
    ...mindts.compatOptions,
    resume: mindts.flag({ description: 'let a run that was stopped go on' }),
  },
  defaults: mindts.settingDefaults,
  examples: [
    'npx mindts prune_main --work_url work --network lenet300-100 --ckpt_url lenet300100_iter_10000.caffemodel --seed 1',
  ],
};

export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
  // What to prune, and how: what was said, and configs/pruning.yaml for the rest.
  const { network: name, num_classes: classes, image_height: height, image_width: width } = args;
  const settings = await mindts.settingsFor(name, mindts.choicesOf(args));
  const { network } = mindts.buildNetwork(name, { classes, height, width });
  const model = new mindts.Model({ network });
  model.load(await mindts.loadCheckpoint(await mindts.fetchCheckpoint(args.ckpt_url)), { source: args.ckpt_url });

  // Lead by the seed's own files, where that was said.
  if (args.compat_files) return mindts.leadByFiles(args, signal);

  // Lead: everything else is in the work folder.
  const outcome = await mindts.mainRole(await mindts.workFolderOf(args), {
    network: name,
    classes,
    height: height ?? null,
    width: width ?? null,
    settings,
    parameters: model.state.parameters,
    resume: args.resume,
    signal,
  });
  if (outcome !== undefined) mindts.printOutcome(outcome);
});

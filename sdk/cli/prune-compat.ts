/** `--compat_files`: the four roles by the seed's own files, so that each may be a Python role of the seed. */
import { choice, flag, integer, type Options, text } from '../args/option.js';
import { ArgumentError, TrainError } from '../base/errors.js';
import { log } from '../base/log.js';
import { NETWORK_NAMES, type NetworkName } from '../nn/networks.js';
import { type SeedFolder, seedFolder } from '../pruning/compat/folder.js';
import { seedMain } from '../pruning/compat/main.js';
import { seedTrainer } from '../pruning/compat/trainer.js';
import { untilStop } from '../pruning/roles/holding.js';
import { type PruneSettings, settingsFor } from '../pruning/settings.js';
import type { TrainerOptions } from '../pruning/trainer.js';
import { conclude, printPruned } from './prune-network.js';
import { choicesOf, type PruneArgs, runOptions } from './prune-options.js';
import { once, type TrainerJob, type WorkArgs } from './prune-roles.js';

/** What makes a role one of the seed's. */
export interface CompatArgs {
  readonly compat_files: boolean;
  readonly patience: number;
}

/** The same as options. */
export const compatOptions: Options<CompatArgs> = {
  compat_files: flag({ description: "use the seed's own files, so that its Python roles can take part" }),
  patience: integer({ min: 1, default: 600, description: 'seconds to wait for another role, for --compat_files' }),
};

/** What each role has to be told then, since no main says it. */
export interface CompatRunArgs extends CompatArgs, Omit<PruneArgs, 'seed'> {
  readonly network: NetworkName | undefined;
  readonly seed: number | undefined;
}

/** The same as options. */
export const compatRunOptions: Options<CompatRunArgs> = {
  ...compatOptions,
  ...runOptions,
  network: choice(NETWORK_NAMES, { description: 'which network, for --compat_files (default: lenet300-100)' }),
  seed: integer({ description: 'the same seed keeps the same images back, for --compat_files (default: 1)' }),
};

/** Of the trainer, besides. */
export const compatTrainerOptions: Options<CompatRunArgs & { readonly ckpt_url: string | undefined }> = {
  ...compatRunOptions,
  ckpt_url: text({ placeholder: 'URL', description: 'the trained parameters, for --compat_files' }),
};

/** A run by the seed's files, as a role is told of it. */
export interface CompatRun {
  readonly folder: SeedFolder;
  readonly network: NetworkName;
  readonly settings: PruneSettings;
}

/**
 * Takes part by the seed's files, where `--compat_files` says so; that the run is over is a good end.
 *
 * @returns whether it said so
 * @throws ArgumentError `E_ARGUMENT_VALUE` for `--run`; PruningError `E_SETTINGS`, and what `role` throws; TrainError `E_INTERRUPTED`
 */
export async function takePartByFiles(
  args: WorkArgs & CompatRunArgs,
  signal: AbortSignal,
  role: (run: CompatRun) => Promise<unknown>,
): Promise<boolean> {
  if (!args.compat_files) {
    const own = new Set(Object.keys(compatTrainerOptions));
    for (const name of Object.keys(compatOptions)) own.delete(name);
    const given = Object.entries(args).flatMap(([name, value]) => (own.has(name) && value !== undefined ? [name] : []));
    if (given.length > 0) log.warn(`passed over what main says, but for --compat_files: --${given.join(', --')}`);
    return false;
  }
  const { network = 'lenet300-100' } = args;
  const settings = await seedSettings(network, args);
  await untilStop(() => interruptible(signal, async () => role({ folder: await folderOf(args), network, settings })));
  return true;
}

/** Leads a run by the seed's files. */
export async function leadByFiles(
  args: WorkArgs & CompatArgs & PruneArgs & { readonly network: string; readonly resume: boolean },
  signal: AbortSignal,
): Promise<void> {
  if (args.resume) {
    throw new ArgumentError(
      'E_ARGUMENT_VALUE',
      '--resume: the files of --compat_files do not hold a run that could go on',
    );
  }
  const settings = await seedSettings(args.network, args);
  await interruptible(signal, async () => seedMain(await folderOf(args), { ...settings, signal }));
  log.info('all iterations are reported: the trainer writes what came of them');
}

/** What the trainer's launch file gives it. */
export interface CompatTrainerJob extends TrainerJob, Pick<TrainerOptions, 'network' | 'parameters'> {}

/** Trains by the seed's files; at the end it writes the files that `mindts prune` would, but journal and state. */
export function trainByFiles(
  { folder: work, settings }: CompatRun,
  { test, results: { url, prepare, copyBack }, signal, ...own }: CompatTrainerJob,
): Promise<void> {
  const job = { ...own, settings };
  const prepared = once(prepare);
  return seedTrainer(work, job, {
    signal,
    prepare: prepared,
    async finish(pruned) {
      const { folder } = await prepared();
      const report = await conclude({ ...job, test }, pruned, folder);
      await copyBack(folder);
      printPruned(report, url);
    },
  });
}

/** The seed's roles know one schedule. */
function seedSettings(
  network: string,
  args: Omit<PruneArgs, 'seed'> & { readonly seed: number | undefined },
): Promise<PruneSettings> {
  return settingsFor(network, choicesOf({ ...args, seed: args.seed ?? 1, schedule: args.schedule ?? 'olmp' }));
}

function folderOf({ work_url: url, run, patience }: WorkArgs & CompatArgs): Promise<SeedFolder> {
  if (run === 'default') return seedFolder(url, { patienceMs: patience * 1000 });
  const why = "--compat_files has one run in a folder, since the seed's files have no names of runs";
  throw new ArgumentError('E_ARGUMENT_VALUE', `--run ${run}: ${why}: give another --work_url`);
}

/** Ends a role's work in order, wherever it is. */
async function interruptible<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  const told = new TrainError('E_INTERRUPTED', 'interrupted: the same command goes on, but main, which begins anew');
  signal.addEventListener('abort', goOn);
  try {
    return await work();
  } catch (error) {
    throw signal.aborted ? told : error;
  } finally {
    signal.removeEventListener('abort', goOn);
  }
}

/** Without a listener the process would end at once. */
function goOn(): void {}

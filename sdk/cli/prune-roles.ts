/** What the launch files of the four roles do between their arguments and their roles. */
import { join } from 'node:path';
import { type Options, text } from '../args/option.js';
import { writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { RUN_FILES } from '../pruning/alone.js';
import { type RunFolder, runFolder } from '../pruning/farm/folder.js';
import { untilStop } from '../pruning/roles/holding.js';
import { type Joined, joinPruning } from '../pruning/roles/joined.js';
import type { Outcome } from '../pruning/roles/messages.js';
import { type TrainerRoleOptions, trainerRole } from '../pruning/roles/trainer.js';
import { shownUrl } from '../storage/url.js';
import { conclude, type PruneJob, printPruned } from './prune-network.js';

/** Where a run on a cluster lies. */
export interface WorkArgs {
  readonly work_url: string;
  readonly run: string;
}

/** The same as options. */
export const workOptions: Options<WorkArgs> = {
  work_url: text({ required: true, placeholder: 'URL', description: 'the folder that the roles share, in any store' }),
  run: text({ default: 'default', placeholder: 'NAME', description: 'which run in that folder' }),
};

/** The folder of a run. */
export function workFolderOf({ work_url: url, run }: WorkArgs): Promise<RunFolder> {
  return runFolder(url, run);
}

/**
 * Takes part in a run, as soon as its main has begun it; that the run is stopped is a good end.
 *
 * @throws PruningError `E_RUN`, `E_FARM_SILENT`, and what `role` throws
 */
export async function takePart(args: WorkArgs, role: (run: Joined) => Promise<unknown>): Promise<void> {
  const folder = await workFolderOf(args);
  log.info(`joining ${shownUrl(folder.url)}, as soon as main has begun it`);
  await untilStop(async () => role(await joinPruning(folder)));
}

/** What the trainer's launch file gives it. */
export interface TrainerJob extends Pick<PruneJob, 'engine' | 'data' | 'test'>, Pick<TrainerRoleOptions, 'signal'> {
  /** Where results go: to a folder that is prepared when nothing more can be refused, and from there to a URL. */
  readonly results: {
    readonly url: string;
    readonly prepare: () => Promise<{ readonly folder: string }>;
    readonly copyBack: (folder: string) => Promise<unknown>;
  };
}

/** Trains; at the end it writes the files that `mindts prune` would, but the state, which is in the work folder. */
export function trainPruned(
  run: Joined,
  { test, results: { url, prepare, copyBack }, ...own }: TrainerJob,
): Promise<never> {
  const prepared = once(prepare);
  return trainerRole(run, {
    ...own,
    prepare: prepared,
    async finish(trained, pruned, journal): Promise<Outcome> {
      const { folder } = await prepared();
      const lines = journal.map((generation) => `${JSON.stringify(generation)}\n`);
      await writeFileAtomic(join(folder, RUN_FILES.journal), lines.join(''));
      const report = await conclude({ ...trained, test }, pruned, folder);
      await copyBack(folder);
      printPruned(report, url);
      const { ratio, accuracy, accuracyBefore } = report;
      return { url: shownUrl(url), ratio, accuracy, accuracyBefore };
    },
  });
}

/** Does something when it is first asked for, and gives the same ever after. */
export function once<T>(work: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => (result ??= work());
}

/** The last words of main. */
export function printOutcome({ url, ratio, accuracy, accuracyBefore }: Outcome): void {
  log.info(`ratio       ${ratio.toFixed(2)}×`);
  log.info(
    `accuracy    ${(100 * accuracy).toFixed(2)} % on the test set, ${(100 * accuracyBefore).toFixed(2)} % before`,
  );
  log.info(`results     ${url}`);
}

/** What pruning does between the data and the results. */
import { log } from '../base/log.js';
import type { Dataset } from '../dataset/dataset.js';
import { type AloneOptions, alone } from '../pruning/alone.js';
import { finish, type PruneReport, writePruned } from '../pruning/finish.js';
import { identityOf } from '../pruning/identity.js';
import { type Pruned, prune } from '../pruning/prune.js';
import type { Compression } from '../pruning/pruned-layers.js';
import type { PruneSettings } from '../pruning/settings.js';
import type { TrainerOptions } from '../pruning/trainer.js';
import { Model } from '../train/model.js';

/** What is pruned, and the images that say at the end how well it went. */
export interface PruneJob extends TrainerOptions {
  readonly test: Dataset;
}

/**
 * Prunes a network on this machine, looks at the test set once, and writes the files of the run into its folder. Where no candidate of any
 * search met the constraint, the network stays as it was, and a warning says so.
 *
 * @throws what `prune` throws
 */
export async function pruneNetwork(
  job: PruneJob,
  { signal, ...where }: AloneOptions & { readonly signal?: AbortSignal | undefined },
): Promise<PruneReport> {
  const surroundings = await alone(where);
  try {
    const pruned = await prune(job, { surroundings, identity: identityOf(job), signal });
    return await conclude(job, pruned, where.folder);
  } finally {
    await surroundings.close();
  }
}

/** Looks at the test set, and writes the files of a run that has come to its end. */
export async function conclude(
  { network, engine, test, parameters, settings }: PruneJob,
  pruned: Pruned,
  folder: string,
): Promise<PruneReport> {
  const isDense = pruned.rounds.found === 0 && pruned.rounds.searched > 0;
  if (isDense) {
    log.warn(
      `no candidate of ${roundsOf(pruned.rounds.searched)} loses at most ${settings.delta} of the accuracy: the network stays as it was; more rounds (a smaller --search_every, more --iterations), a larger --delta or a smaller --target_ratio may help`,
    );
  }
  const kept = isDense ? { ...pruned, values: parameters } : pruned;
  const finished = finish(network, kept.values, kept.mask);
  if (!isDense) warnOfShort(finished.compression, settings, pruned.rounds);
  const model = new Model({ network, engine });
  const accuracyOf = async (values: Float32Array): Promise<number> => {
    const state = { ...model.state, parameters: values };
    return (await model.evaluateWith(state, test)).accuracy;
  };
  const [accuracy, accuracyBefore] = [await accuracyOf(finished.values), await accuracyOf(parameters)];
  return writePruned(folder, { network, finished, pruned: kept, settings }, { accuracy, accuracyBefore });
}

/** Says where a run has not come as far as it should, or too far. */
function warnOfShort(
  { kept, ratio }: Compression,
  { schedule, target_ratio: target, delta }: PruneSettings,
  { found, searched }: Pruned['rounds'],
): void {
  if (kept === 0) log.warn(`nothing is left of the network: a smaller --delta than ${delta} keeps what it needs`);
  if (schedule !== 'gradual' || ratio >= target) return;
  log.warn(
    `${ratio.toFixed(1)}× is short of --target_ratio ${target}: in ${searched - found} of ${roundsOf(searched)} no candidate lost at most ${delta} of the accuracy; a larger --delta or --search_budget, or a smaller --search_every may help`,
  );
}

function roundsOf(count: number): string {
  return count === 1 ? '1 round' : `${count} rounds`;
}

/** The last words of a run. */
export function printPruned(report: PruneReport, url: string): void {
  for (const { name, kept, total, ratio } of report.layers) {
    log.info(`  ${name.padEnd(8)} ${String(kept).padStart(7)} of ${String(total).padStart(7)}  ${ratio.toFixed(1)}×`);
  }
  log.info(`ratio       ${report.ratio.toFixed(2)}×: ${report.kept} of ${report.total} parameters are kept`);
  log.info(`accuracy    ${percent(report.accuracy)} on the test set, ${percent(report.accuracyBefore)} before`);
  log.info(`size        ${report.bytes.sparse} bytes sparse, ${report.bytes.dense} dense`);
  log.info(`results     ${url}`);
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}

/** What scripts/prune.ts does between the data and the results. */
import { createHash } from 'node:crypto';
import { log } from '../base/log.js';
import { checksum, type Dataset } from '../dataset/dataset.js';
import { finish, type PruneReport, writePruned } from '../pruning/finish.js';
import { type PruneOptions, prune } from '../pruning/prune.js';
import type { TrainerOptions } from '../pruning/trainer.js';
import { Model } from '../train/model.js';

/**
 * Prunes a network, looks at the test set once, and writes the files of the run into its folder. Where no candidate of any search met the
 * constraint, the network stays as it was, and a warning says so.
 *
 * @throws what `prune` throws
 */
export async function pruneNetwork(
  options: TrainerOptions & { readonly test: Dataset },
  run: Omit<PruneOptions, 'identity'>,
): Promise<PruneReport> {
  const { network, engine, data, test, parameters, settings } = options;
  const digest = createHash('sha256').update(
    new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength),
  );
  const start = digest.digest('hex').slice(0, 16);
  const identity = JSON.stringify({ network: network.name, parameters: start, data: checksum(data) });
  const pruned = await prune(options, { ...run, identity });
  const isDense = pruned.rounds.found === 0 && pruned.rounds.searched > 0;
  if (isDense) {
    log.warn(
      `no candidate of ${pruned.rounds.searched} rounds loses at most ${settings.delta} of the accuracy: the network stays as it was; a larger --delta or --search_budget, or a smaller --target_ratio may help`,
    );
  }
  const kept = isDense ? { ...pruned, values: parameters } : pruned;
  const finished = finish(network, kept.values, kept.mask);
  const model = new Model({ network, engine });
  const accuracyOf = async (values: Float32Array): Promise<number> => {
    const state = { ...model.state, parameters: values };
    return (await model.evaluateWith(state, test)).accuracy;
  };
  const [accuracy, accuracyBefore] = [await accuracyOf(finished.values), await accuracyOf(parameters)];
  return writePruned(run.folder, { network, finished, pruned: kept, settings }, { accuracy, accuracyBefore });
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

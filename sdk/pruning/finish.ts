/** The end of a run: dead units out, masks baked in, files and figures. */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { PruningError } from '../base/errors.js';
import { writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { type Checkpoint, saveCheckpoint } from '../checkpoint/checkpoint.js';
import type { Network } from '../nn/network.js';
import { drawChart } from '../report/chart.js';
import { parametersAlone } from '../train/snapshot.js';
import { type Compact, compact } from './compact.js';
import { removeDeadUnits } from './dead-units.js';
import type { Pruned } from './prune.js';
import { type Compression, compressionOf, prunedLayers } from './pruned-layers.js';
import type { Moment } from './run-state.js';
import type { PruneSettings } from './settings.js';

/** What is left of a network. */
export interface Finished {
  /** All parameters; what is pruned is 0. */
  readonly values: Float32Array;
  readonly compression: Compression;
  /** The smaller network, where units were taken out. */
  readonly compact: Compact | undefined;
}

/** What stands in `prune.json`. */
export interface PruneReport {
  readonly network: string;
  /** All weights and biases, divided by those that are kept. */
  readonly ratio: number;
  readonly kept: number;
  readonly total: number;
  /** On the test set, 0 to 1, of the pruned network; looked at once. */
  readonly accuracy: number;
  /** Of the network that it began with. */
  readonly accuracyBefore: number;
  /** On the validation split, which all was chosen by. */
  readonly validation: number;
  readonly layers: Compression['layers'];
  /** Of the files with all parameters, and with those that are kept. */
  readonly bytes: { readonly dense: number; readonly sparse: number };
  /** By layer, the units of the compact network; absent where no unit was taken out. */
  readonly units?: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly candidates: number;
  readonly rounds: { readonly found: number; readonly searched: number };
  readonly seed: number;
  readonly settings: PruneSettings;
  readonly curve: readonly Moment[];
}

/** The files of a finished run. */
export const PRUNED_FILES = {
  dense: 'pruned.ckpt',
  compact: 'compact.ckpt',
  sparse: 'pruned.mtsp',
  report: 'prune.json',
  curves: 'curves.svg',
} as const;

/**
 * Takes dead units out where the network's layers follow one another, and bakes the mask in.
 *
 * @example
 * const net = LeNet300100();
 * const values = new Float32Array(net.parameterCount).fill(1);
 * finish(net, values, new Uint8Array(values.length).fill(1)).compact; // undefined: no unit is dead
 */
export function finish(network: Network, values: Float32Array, mask: Uint8Array): Finished {
  const layers = prunedLayers(network);
  try {
    const trimmed = removeDeadUnits(network, values, mask);
    const small = compact(network, trimmed);
    return {
      values: trimmed.values,
      compression: compressionOf(layers, trimmed.mask),
      compact: small.network.parameterCount < network.parameterCount ? small : undefined,
    };
  } catch (error) {
    if (!(error instanceof PruningError) || error.code !== 'E_CHAIN') throw error;
    log.warn(`${error.message}; they are left in`);
    const baked = values.map((value, i) => (mask[i] === 0 ? 0 : value));
    return { values: baked, compression: compressionOf(layers, mask), compact: undefined };
  }
}

/**
 * Writes the files of a finished run into a folder.
 *
 * @param accuracies of the test set, before and after
 * @throws StorageError `E_WRITE`
 */
export async function writePruned(
  folder: string,
  {
    network,
    finished,
    pruned,
    settings,
  }: {
    readonly network: Network;
    readonly finished: Finished;
    readonly pruned: Pruned;
    readonly settings: PruneSettings;
  },
  { accuracy, accuracyBefore }: { readonly accuracy: number; readonly accuracyBefore: number },
): Promise<PruneReport> {
  const file = (name: keyof typeof PRUNED_FILES): string => join(folder, PRUNED_FILES[name]);
  const checkpoint = checkpointOf(network, finished.values);
  await saveCheckpoint(file('dense'), checkpoint);
  await saveCheckpoint(file('sparse'), checkpoint);
  const { compression, compact: small } = finished;
  // Always: else that of an earlier run would stay.
  await saveCheckpoint(file('compact'), small ? checkpointOf(small.network, small.values) : checkpoint);
  const sizes = small?.network.parameters.filter(({ shape }) => shape.length > 1) ?? [];
  const report: PruneReport = {
    network: network.name,
    ratio: compression.ratio,
    kept: compression.kept,
    total: compression.total,
    accuracy,
    accuracyBefore,
    validation: pruned.validation,
    layers: compression.layers,
    bytes: { dense: (await stat(file('dense'))).size, sparse: (await stat(file('sparse'))).size },
    ...(small && { units: Object.fromEntries(sizes.map(({ name, shape }) => [name.replace(/\.\w+$/, ''), shape[0]])) }),
    seconds: Math.round(pruned.seconds * 10) / 10,
    candidates: pruned.candidates,
    rounds: pruned.rounds,
    seed: settings.seed,
    settings,
    curve: pruned.moments,
  };
  await writeFileAtomic(file('curves'), drawCurves(report));
  await writeFileAtomic(file('report'), `${JSON.stringify(report, undefined, 2)}\n`);
  return report;
}

function checkpointOf(network: Network, values: Float32Array): Checkpoint {
  return parametersAlone(network, { parameters: values, slots: [], step: 0 }, 0);
}

function drawCurves({ network, total, curve, ratio, accuracy }: PruneReport): string {
  const along = (y: (moment: Moment) => number): [number, number][] => curve.map((m) => [m.iteration, y(m)]);
  return drawChart(`${network}: ${ratio.toFixed(1)}× at ${(100 * accuracy).toFixed(2)} %`, [
    {
      title: 'compression',
      x: 'iterations',
      isLogarithmic: true,
      curves: [{ name: 'ratio', points: along((m) => total / m.kept) }],
    },
    {
      title: 'validation accuracy, %',
      x: 'iterations',
      curves: [{ name: 'accuracy', points: along((m) => 100 * m.accuracy) }],
    },
  ]);
}

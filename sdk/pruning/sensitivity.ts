/** What a network loses when one layer alone is pruned, without retraining: where there is much to take, and where little. */
import { join } from 'node:path';
import { writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { startProgress } from '../base/progress.js';
import { drawChart } from '../report/chart.js';
import { splitOf } from './course.js';
import { evaluateHere } from './evaluate-here.js';
import { magnitudesOf, raisedTo } from './magnitudes.js';
import { PruneTrainer, type TrainerOptions } from './trainer.js';

/** A layer's accuracy on the images that candidates are scored on, from all of it to a thousandth. */
export interface LayerSensitivity {
  readonly name: string;
  readonly points: readonly {
    /** The part of the layer's parameters that is pruned. */
    readonly sparsity: number;
    /** The rate that prunes so many. */
    readonly rate: number;
    readonly kept: number;
    readonly accuracy: number;
    readonly loss: number;
  }[];
}

/** The parts of a layer that are pruned in turn. */
const SPARSITIES = [
  0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.998, 0.999,
];

/**
 * Measures it, on the validation split.
 *
 * @throws what a `PruneTrainer` throws
 */
export async function sensitivityOf(options: TrainerOptions): Promise<readonly LayerSensitivity[]> {
  const trainer = new PruneTrainer(options);
  const { layers } = trainer;
  const bar = startProgress({ label: `sensitivity of ${options.network.name}`, total: layers.length, unit: 'layers' });
  try {
    const snapshot = trainer.snapshot();
    const magnitudes = magnitudesOf(snapshot);
    const evaluate = evaluateHere(trainer, snapshot);
    const result: LayerSensitivity[] = [];
    for (const [l, { name, size }] of layers.entries()) {
      const alone = { ...snapshot, layers: [layers[l]], statistics: [snapshot.statistics[l]] };
      const own = { kept: [magnitudes.kept[l]], masked: [magnitudes.masked[l]] };
      const rates = SPARSITIES.map((sparsity) => {
        const goal = Math.round(size * (1 - sparsity));
        return raisedTo([0], { snapshot: alone, magnitudes: own, goal })[0];
      });
      const candidates = rates.map((rate) => layers.map((_, i) => (i === l ? rate : null)));
      const scores = await evaluate(candidates, { round: 0, generation: l });
      const points = scores.map(({ correct, loss, kept }, i) => {
        return {
          sparsity: SPARSITIES[i],
          rate: rates[i],
          kept: kept[l],
          accuracy: correct / trainer.scored.length,
          loss,
        };
      });
      result.push({ name, points });
      bar.update(l + 1, name);
    }
    bar.done();
    return result;
  } catch (error) {
    bar.fail();
    throw error;
  } finally {
    trainer.close();
  }
}

/**
 * Writes `sensitivity.json` and `sensitivity.svg` into a folder.
 *
 * @throws StorageError `E_WRITE`, and what {@link sensitivityOf} throws
 */
export async function writeSensitivity(folder: string, options: TrainerOptions): Promise<void> {
  const { network, data, settings } = options;
  const layers = await sensitivityOf(options);
  const images = Math.min(settings.search_images, splitOf(data.size, settings).validation.length);
  const curves = layers.map(({ name, points }) => {
    return { name, points: points.map(({ sparsity, accuracy }) => [100 * sparsity, 100 * accuracy] as const) };
  });
  const panel = { title: 'validation accuracy, %', x: '% of the layer pruned', curves, range: [0, 100] as const };
  await writeFileAtomic(join(folder, 'sensitivity.svg'), drawChart(`${network.name}, one layer at a time`, [panel]));
  const content = { network: network.name, seed: settings.seed, images, layers };
  await writeFileAtomic(join(folder, 'sensitivity.json'), `${JSON.stringify(content, undefined, 2)}\n`);
  for (const { name, points } of layers) {
    const [{ accuracy: whole }] = points;
    const most = points.findLast(({ accuracy }) => accuracy >= whole - 0.01);
    log.info(
      `  ${name.padEnd(8)} can lose ${(100 * (most?.sparsity ?? 0)).toFixed(1)} % alone within 1 % of the accuracy`,
    );
  }
}

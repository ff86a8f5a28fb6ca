/** An evaluator by the seed's files, its single_threading1: the part of the parameters that a candidate keeps, or 1.1 where it misses the constraint. */
import { PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { shownUrl } from '../../storage/url.js';
import { evaluateHere } from '../evaluate-here.js';
import { Waits } from '../farm/pace.js';
import { isStop } from '../roles/holding.js';
import type { Evaluate } from '../round.js';
import { hashOf } from '../snapshot-bytes.js';
import { type LayerStatistics, layerStatistics } from '../surgery.js';
import { PruneTrainer, type TrainerOptions } from '../trainer.js';
import { answerFile, SEED_FILES, type SeedFolder, solutionFile } from './folder.js';
import { decodeMaskedModel } from './model.js';
import { decodeNpy, encodeAnswer } from './npy.js';
import { INFEASIBLE, requireSeedSettings } from './settings.js';

/** What single_threading1 has as constants; `data` are all training images, as the trainer has them. */
export interface SeedEvaluatorOptions extends Omit<TrainerOptions, 'parameters'> {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Evaluates until the run is over.
 *
 * @returns how many candidates it has evaluated
 * @throws PruningError `E_SETTINGS`; `E_FARM_SILENT` where nobody asks for anything; `E_NPY_…`; CheckpointError for another network's model
 */
export async function seedEvaluator(folder: SeedFolder, { signal, ...options }: SeedEvaluatorOptions): Promise<number> {
  requireSeedSettings(options.settings);
  const bench = new Bench(folder, options);
  const advice = 'is a search running? Start it, or give a longer --patience';
  const waits = new Waits({ pace: folder.pace, signal, what: `candidates in ${shownUrl(folder.url)}`, advice });
  log.info(`waiting for candidates in ${shownUrl(folder.url)}`);
  let done = 0;
  try {
    for (;;) {
      signal?.throwIfAborted();
      const taken = await takeSome(folder);
      if (taken.size > 0) {
        const fitness = await bench.evaluate([...taken.values()], signal);
        for (const [i, [number, vector]] of [...taken].entries()) {
          await folder.write(answerFile(number), encodeAnswer({ vector, fitness: fitness[i] }));
        }
        done += taken.size;
        waits.begin();
        continue;
      }
      await folder.requireGoing();
      await waits.wait();
    }
  } catch (error) {
    if (!isStop(error)) throw error;
    log.info(`the run is over: ${done} candidates were evaluated here`);
    return done;
  } finally {
    bench.close();
  }
}

/** With another one every candidate would miss the constraint, and nobody would know why. */
function accuracyIn(bytes: Uint8Array, source: string): number {
  const numbers = decodeNpy(bytes, source);
  if (numbers.length === 1 && numbers[0] >= 0 && numbers[0] <= 1) return numbers[0];
  const holds = `[${numbers.slice(0, 8).join(', ')}] where one accuracy from 0 to 1 belongs`;
  throw new PruningError('E_NPY_FORMAT', `${source}: holds ${holds}; is it the trainer's?`);
}

/** The most candidates taken at once; others may want some too. */
const MOST = 4;

/** Candidates that are now this evaluator's alone, by the numbers of their files. */
async function takeSome(folder: SeedFolder): Promise<ReadonlyMap<number, readonly number[]>> {
  const taken = new Map<number, readonly number[]>();
  for (const name of await folder.list('')) {
    const number = /^solution_(\d{1,15})\.npy$/.exec(name)?.[1];
    if (number === undefined || name !== solutionFile(Number(number))) continue;
    const vector = await folder.look(name, decodeNpy);
    if (vector !== undefined && (await folder.claim(name))) taken.set(Number(number), vector);
    if (taken.size === MOST) break;
  }
  return taken;
}

/** A trainer that is put at one model after another. */
class Bench {
  #at: { readonly sha256: string; readonly evaluate: Evaluate } | undefined;
  #trainer: PruneTrainer | undefined;
  /** Of the first model that does not say: the seed freezes them so. */
  #frozen: readonly LayerStatistics[] | undefined;

  constructor(
    readonly folder: SeedFolder,
    readonly options: Omit<TrainerOptions, 'parameters'>,
  ) {}

  /** The fitness of each. */
  async evaluate(vectors: readonly (readonly number[])[], signal: AbortSignal | undefined): Promise<readonly number[]> {
    const how = { from: 'trainer', signal, keep: true };
    const reference = await this.folder.receive(SEED_FILES.accuracy, accuracyIn, how);
    const { evaluate, trainer } = await this.folder.receive(
      SEED_FILES.model,
      (bytes, source) => this.#put(bytes, source),
      how,
    );
    const { layers, scored } = trainer;
    const wrong = vectors.find((vector) => vector.length !== layers.length);
    if (wrong !== undefined) {
      const holds = `a candidate of ${wrong.length} rates, and ${this.options.network.name} has ${layers.length} layers`;
      throw new PruningError('E_SETTINGS', `${shownUrl(this.folder.url)}: ${holds}: give the trainer's --network`);
    }
    const scores = await evaluate(
      vectors.map((vector) => vector.map((rate) => (rate < 0 ? null : rate))),
      { round: 0, generation: 0 },
    );
    const total = layers.reduce((sum, { size }) => sum + size, 0);
    // Rounding is no loss: 0.98 − 0.08 − 0.9 is not 0.
    const least = reference - this.options.settings.delta - 1e-9;
    return scores.map(({ correct, kept }) =>
      correct / scored.length >= least ? kept.reduce((sum, one) => sum + one, 0) / total : INFEASIBLE,
    );
  }

  close(): void {
    this.#trainer?.close();
  }

  #put(bytes: Uint8Array, source: string): { readonly evaluate: Evaluate; readonly trainer: PruneTrainer } {
    const sha256 = hashOf(bytes);
    const { network } = this.options;
    if (this.#at?.sha256 !== sha256 || this.#trainer === undefined) {
      const { values, mask, statistics: said } = decodeMaskedModel(bytes, network, source);
      // No step is taken here: images that are moved would only fill the memory.
      const settings = { ...this.options.settings, shift: 0 };
      this.#trainer ??= new PruneTrainer({ ...this.options, settings, parameters: values });
      const { layers } = this.#trainer;
      this.#frozen ??= layers.map((layer) => layerStatistics(values, mask, layer));
      const snapshot = { ...this.#trainer.snapshot(), values, mask, statistics: said ?? this.#frozen };
      this.#trainer.restore(snapshot);
      this.#at = { sha256, evaluate: evaluateHere(this.#trainer, snapshot) };
    }
    return { evaluate: this.#at.evaluate, trainer: this.#trainer };
  }
}

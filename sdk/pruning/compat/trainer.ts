/**
 * The trainer by the seed's files, its LoopTest1: the run that one machine makes, its rounds granted by a main and searched by a search that
 * may be Python's. What a search says is not believed: its rates are scored here, and those that miss the constraint are not applied.
 */
import { PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import type { Dataset } from '../../dataset/dataset.js';
import { shownUrl } from '../../storage/url.js';
import { evaluateHere } from '../evaluate-here.js';
import { identityOf } from '../identity.js';
import { type Pruned, prune, type Surroundings } from '../prune.js';
import { type RoundProblem, type RoundResult, resultOf } from '../round.js';
import { decodeRun, encodeRun } from '../run-state.js';
import type { PruneTrainer, TrainerOptions } from '../trainer.js';
import { SEED_FILES, type SeedFolder } from './folder.js';
import { encodeMaskedModel } from './model.js';
import { decodeNpy, encodeNpy } from './npy.js';
import { requireSeedSettings } from './settings.js';
import { parseTurn, startText } from './texts.js';

/** What the trainer does at the end. */
export interface SeedTrainerOptions {
  readonly signal?: AbortSignal | undefined;
  /** Makes a place for the results; called when nothing more is refused. */
  prepare?(): Promise<unknown>;
  /** Writes the results. */
  finish(pruned: Pruned): Promise<unknown>;
}

/**
 * Prunes, writes the results, and answers main until it is over.
 *
 * @throws PruningError `E_SETTINGS` for a schedule that the seed's roles do not know; `E_FARM_SILENT` where main or the search do not
 *   answer; `E_RUN` for the state of another run; `E_NPY_…`, `E_SEED_TEXT`, `E_STOPPED`
 */
export async function seedTrainer(
  folder: SeedFolder,
  options: TrainerOptions,
  { signal, prepare, finish }: SeedTrainerOptions,
): Promise<void> {
  requireSeedSettings(options.settings);
  const course = new Course(folder, options, signal);
  await finish(await prune(options, { surroundings: course, identity: identityOf(options), prepare, signal }));
  await course.end();
}

/** The seed's batches: what Python's evaluators read before anything else. */
const BATCH = 64;

class Course implements Surroundings {
  #isOver = false;

  constructor(
    readonly folder: SeedFolder,
    readonly options: TrainerOptions,
    readonly signal: AbortSignal | undefined,
  ) {}

  async load(expected: Parameters<Surroundings['load']>[0]): ReturnType<Surroundings['load']> {
    const bytes = await this.folder.read(SEED_FILES.state);
    if (bytes === undefined) return undefined;
    const source = `${shownUrl(this.folder.url)}/${SEED_FILES.state}`;
    const advice = 'start prune_main --compat_files before the trainer, which clears the folder, or name another';
    return decodeRun(bytes, { ...expected, source, advice });
  }

  /** The grant stays until the turn is done, so that a trainer that was killed finds it again. */
  async begin(): Promise<void> {
    if (this.#isOver || (await this.#turn()) !== undefined) return;
    log.warn('main says that it is over: training goes on to its end, nothing more is searched for');
    await this.#exit();
  }

  async search(problem: RoundProblem, trainer: PruneTrainer, note: (text: string) => void): Promise<RoundResult> {
    const { snapshot, reference, images, round, settings } = problem;
    const { layers, active, rates } = snapshot;
    const nothing = { rates: undefined, score: undefined, evaluated: 0 };
    const taking = layers.flatMap((_, l) => (active[l] ? [l] : []));
    if (this.#isOver || taking.length < Math.min(2, layers.length)) return nothing;
    const { rates: first, rate_min: least, rate_max: most } = settings;
    const start = taking.map((l) => Math.min(most, Math.max(least, rates[l] ?? first[l] ?? first[0])));
    const { folder, signal } = this;
    // Of a search that was late.
    for (const old of [SEED_FILES.over, SEED_FILES.rates]) await folder.remove(old);
    await folder.write(SEED_FILES.model, encodeMaskedModel(this.options.network, snapshot));
    await folder.write(SEED_FILES.images, batchOf(this.options.data, trainer.scored.subarray(0, BATCH)));
    await folder.write(SEED_FILES.accuracy, encodeNpy(Float64Array.of(reference / images), []));
    const text = startText({ rates: start, layers: taking.map((l) => layers[l].name) });
    await folder.write(SEED_FILES.start, Buffer.from(text));
    note(`round ${round}: waiting for the search`);
    const how = { from: 'search', signal };
    await folder.receive(SEED_FILES.over, () => true, how);
    const vector = await folder.receive(
      SEED_FILES.rates,
      (bytes, source) => ratesIn(bytes, layers.length, source),
      how,
    );
    if (vector.every((rate) => rate === null)) return { ...nothing, evaluated: 1 };
    const [score] = await evaluateHere(trainer, snapshot)([vector], { round, generation: 0 });
    if (resultOf(problem, score).violation === 0) {
      return { rates: vector.map((rate) => rate ?? undefined), score, evaluated: 1 };
    }
    const has = `${((100 * score.correct) / images).toFixed(2)} % here, before ${((100 * reference) / images).toFixed(2)} %`;
    log.warn(`round ${round}: what the search has found has ${has}`);
    return { ...nothing, evaluated: 1 };
  }

  async save(state: Parameters<Surroundings['save']>[0]): Promise<void> {
    await this.folder.write(SEED_FILES.state, encodeRun(state));
    const [before, now] = [state.moments.at(-2)?.iteration ?? 0, state.snapshot.iteration];
    if (!this.#isOver) await this.#report(now - before);
  }

  /** The seed's mains may count otherwise, and grant more. */
  async end(): Promise<void> {
    while (!this.#isOver) {
      const asked = await this.#turn();
      if (asked !== undefined) await this.#report(asked);
      else await this.#exit();
    }
  }

  /** Iterations that are granted, or undefined when it is over. */
  async #turn(): Promise<number | undefined> {
    const turn = await this.folder.receive(SEED_FILES.turn, parseTurn, {
      from: 'main',
      signal: this.signal,
      keep: true,
    });
    return turn === 'over' ? undefined : turn;
  }

  async #report(iterations: number): Promise<void> {
    await this.folder.remove(SEED_FILES.turn);
    await this.folder.write(SEED_FILES.report, Buffer.from(String(iterations)));
  }

  async #exit(): Promise<void> {
    this.#isOver = true;
    await this.folder.remove(SEED_FILES.turn);
    await this.folder.write(SEED_FILES.start, Buffer.from('exit'));
    await this.folder.end();
  }
}

/** A negative rate leaves a layer as it is. */
function ratesIn(bytes: Uint8Array, layers: number, source: string): readonly (number | null)[] {
  const rates = decodeNpy(bytes, source);
  if (rates.length === layers && rates.every(Number.isFinite)) return rates.map((rate) => (rate < 0 ? null : rate));
  const holds = `[${rates.slice(0, 8).join(', ')}] where one rate for each of ${layers} layers belongs`;
  throw new PruningError('E_NPY_FORMAT', `${source}: holds ${holds}; is the search of the same network?`);
}

/** Images as Caffe's examples have them: float32 [images, channels, rows, columns], divided by 256. */
function batchOf({ images, plan }: Dataset, which: Int32Array): Uint8Array {
  const { height, width, channels } = plan.source;
  const size = height * width * channels;
  const batch = new Float32Array(which.length * size);
  for (const [i, at] of which.entries()) {
    const bytes = images.subarray(at * size, (at + 1) * size);
    for (const [k, byte] of bytes.entries()) {
      batch[i * size + (k % channels) * height * width + Math.floor(k / channels)] = byte / 256;
    }
  }
  return encodeNpy(batch, [which.length, channels, height, width]);
}

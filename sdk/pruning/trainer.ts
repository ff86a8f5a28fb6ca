/**
 * The one who trains while a network is pruned: a program, the order of its samples, and the iteration it has come to. What it does from one
 * iteration to another depends on its snapshot and the settings alone, however often it stops between; so one process, and roles that
 * are killed and started again elsewhere, come to the same bits.
 */
import { EngineError, PruningError, TrainError } from '../base/errors.js';
import { log } from '../base/log.js';
import type { Dataset } from '../dataset/dataset.js';
import type { Engine, EvaluateResult, Masking, Program } from '../engine/engine.js';
import { UNTOUCHED } from '../engine/engine.js';
import { softmaxCrossEntropy } from '../nn/losses.js';
import type { Network } from '../nn/network.js';
import { sgd } from '../nn/optimizers.js';
import { goalOf, learningRatesOf, type Split, samplesOf, splitOf } from './course.js';
import { fullMask, type PrunedLayer, prunedLayers } from './pruned-layers.js';
import { largestOf, regrownOf } from './regrow.js';
import { type Saliencies, SaliencyMeter } from './saliency.js';
import { type PruneSettings, requireImages, requireLayers } from './settings.js';
import { withShifts } from './shifted.js';
import {
  boundsOf,
  isActive,
  type LayerStatistics,
  layerStatistics,
  maskFor,
  type Snapshot,
  weighed,
} from './surgery.js';

/** One rate for each layer; undefined for one whose bits stay as they are. */
export type Rates = readonly (number | undefined)[];

/** All that a trainer is at an iteration: what masks are made from, and what it needs to go on. */
export interface TrainerSnapshot extends Snapshot {
  /** Optimizer steps taken. */
  readonly iteration: number;
  /** What the optimizer keeps, one after another as the engine has it. */
  readonly slots: readonly Float32Array[];
  /** The rates that were applied last; undefined for layers that none were applied to. */
  readonly rates: Rates;
  /** Which layers take part in this iteration's surgery. */
  readonly active: readonly boolean[];
}

/** What a trainer works with. */
export interface TrainerOptions {
  readonly network: Network;
  readonly engine: Engine;
  /** All training images; a part is kept back, see {@link splitOf}. */
  readonly data: Dataset;
  /** What is to be pruned. */
  readonly parameters: Float32Array;
  readonly settings: PruneSettings;
}

/**
 * That a network can be pruned with these settings and data, before anything is written anywhere.
 *
 * @throws PruneSettingsError `E_SETTINGS` for settings that fit neither the network nor the data; PruningError `E_NOTHING` for a network without weights
 */
export function requireFitting({
  network,
  data,
  settings,
}: Pick<TrainerOptions, 'network' | 'data' | 'settings'>): Pick<PruneTrainer, 'layers' | 'split'> {
  const layers = prunedLayers(network);
  if (layers.length === 0) {
    throw new PruningError('E_NOTHING', `network ${network.name} has no layer with weights: there is nothing to prune`);
  }
  requireLayers(settings, layers);
  const split = splitOf(data.size, settings);
  requireImages(settings, { source: data.source, split });
  return { layers, split };
}

/** See the head of this file. Close it at the end. */
export class PruneTrainer {
  readonly layers: readonly PrunedLayer[];
  readonly split: Split;
  /** Images that candidates are scored on: the first of the validation split. */
  readonly scored: Int32Array;
  /** The images with those that are moved. */
  private readonly trained: Dataset;
  private readonly program: Program;
  private readonly masking: Masking;
  private readonly initial: readonly LayerStatistics[];
  private readonly meter: SaliencyMeter | undefined;
  private rates: Rates;
  private at = 0;
  /** Of this iteration. */
  private measured: Partial<Saliencies> = {};

  /**
   * @throws PruneSettingsError `E_SETTINGS`, PruningError `E_NOTHING`: see {@link requireFitting}
   * @throws EngineError `E_MASKING` for an engine that cannot leave parameters out
   */
  constructor(private readonly options: TrainerOptions) {
    const { network, data, parameters, settings } = options;
    ({ layers: this.layers, split: this.split } = requireFitting(options));
    this.scored = this.split.validation.slice(0, settings.search_images);
    if (this.scored.length < settings.search_images) {
      const there = `${data.source} has ${this.scored.length} images kept back (validation ${settings.validation})`;
      log.warn(`search_images is ${settings.search_images} and ${there}: candidates are scored on those`);
    }
    ({ program: this.program, masking: this.masking } = maskable(options));
    this.trained = settings.shift > 0 ? withShifts(data) : data;
    const { engine } = options;
    this.meter =
      settings.saliency === 'fisher'
        ? new SaliencyMeter(network, { engine, data, batchSize: settings.batch_size })
        : undefined;
    this.initial = this.layers.map((layer) => layerStatistics(parameters, fullMask(parameters.length), layer));
    this.rates = this.layers.map(() => undefined);
    const slots = this.program.state().slots.map(({ length }) => new Float32Array(length));
    this.program.load({ parameters, slots, step: 0 });
  }

  /** Optimizer steps taken. */
  get iteration(): number {
    return this.at;
  }

  /**
   * Trains up to an iteration.
   *
   * @param signal ends it after the step in hand
   * @returns the mean loss of the steps taken
   * @throws TrainError `E_DIVERGED`, `E_INTERRUPTED`
   */
  async advance(to: number, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<number> {
    const { prune_stop: last } = this.options.settings;
    const stop = (): void => this.program.stop();
    signal?.addEventListener('abort', stop);
    const from = this.at;
    let sum = 0;
    try {
      // What is done with masked parameters changes there.
      while (this.at < to) sum += await this.train(this.at < last ? Math.min(to, last) : to, signal);
    } finally {
      signal?.removeEventListener('abort', stop);
    }
    return sum / (to - from);
  }

  /** Measures what thresholds are to be over, where that is not magnitudes: snapshots and masks of this iteration are then by it. */
  async weigh(): Promise<void> {
    if (this.meter === undefined) return;
    const { data, settings } = this.options;
    const images = Math.min(settings.saliency_images, this.split.training.length);
    const batches = Math.ceil(images / settings.batch_size);
    const order = samplesOf(this.split.training, [this.at, this.at + batches], { ...settings, size: data.size });
    const how = { data: this.trained, order, gains: settings.regrow > 0 };
    this.measured = await this.meter.measure(this.snapshot(), how);
  }

  /** All there is to know. Statistics are those of the dense network in `olmp`, else those of what is kept now. */
  snapshot(): TrainerSnapshot {
    const { settings } = this.options;
    const { parameters: values, slots } = this.program.state();
    const mask = this.masking.get() ?? fullMask(values.length);
    const { saliency } = this.measured;
    const statistics =
      settings.schedule === 'olmp'
        ? this.initial
        : this.layers.map((layer) => layerStatistics(weighed({ values, saliency }), mask, layer));
    return {
      values,
      mask,
      saliency,
      layers: this.layers,
      statistics,
      slots,
      iteration: this.at,
      rates: this.rates,
      active: this.layers.map(({ name }) => this.isActive(name, this.at)),
    };
  }

  /** Goes on from a snapshot of a trainer with the same options. */
  restore({ values, mask, saliency, slots, iteration, rates }: TrainerSnapshot): void {
    this.measured = { saliency };
    this.program.load({ parameters: values, slots, step: iteration });
    this.masking.set(mask.includes(0) ? mask : undefined);
    this.rates = rates;
    this.at = iteration;
  }

  /** Takes the mask that rates make of the present snapshot, and what comes back. In `olmp` surgery goes on with them at every step. */
  apply(rates: Rates): void {
    const mask = maskFor(this.snapshot(), rates);
    const back = this.regrown();
    for (const i of back) mask[i] = 1;
    this.masking.set(mask);
    this.begin(back);
    this.rates = rates.map((rate, l) => rate ?? this.rates[l]);
  }

  /** Loss and hits of the network as it is now over some of the training images. */
  evaluate(order: Int32Array): Promise<EvaluateResult> {
    return this.program.evaluate(this.options.data, order);
  }

  /** The program's masks, with the images that candidates are scored on. */
  get candidates(): { readonly masking: Masking; readonly data: Dataset; readonly order: Int32Array } {
    return { masking: this.masking, data: this.options.data, order: this.scored };
  }

  /** Frees the program. */
  close(): void {
    this.program.close();
    this.meter?.close();
  }

  /** The places of what was masked and comes back in this round. */
  private regrown(): readonly number[] {
    const { settings } = this.options;
    const { gain } = this.measured;
    const total = this.layers.reduce((sum, { size }) => sum + size, 0);
    const goal = goalOf(this.at, total, settings);
    if (gain === undefined || goal === undefined) return [];
    return largestOf(gain, regrownOf(this.at, goal, settings));
  }

  /** What comes back begins at zero: so it changes nothing at first, and a candidate's score is that of what is taken. */
  private begin(places: readonly number[]): void {
    if (places.length === 0) return;
    const { parameters, slots, step } = this.program.state();
    for (const array of [parameters, ...slots]) for (const i of places) array[i] = 0;
    this.program.load({ parameters, slots, step });
  }

  /** The sum of the losses of the steps taken. */
  private async train(to: number, signal: AbortSignal | undefined): Promise<number> {
    const { data, settings } = this.options;
    const isPruning = this.at < settings.prune_stop;
    const range = [this.at, to] as const;
    if (signal?.aborted) throw this.interrupted();
    const { losses, ended } = await this.program.train(
      this.trained,
      samplesOf(this.split.training, range, { ...settings, size: data.size }),
      {
        learningRate: learningRatesOf(range, settings),
        maskedStay: settings.masked === 'stay' || !isPruning,
        surgery: settings.schedule === 'olmp' && isPruning ? this.surgery(range) : undefined,
      },
    );
    this.at += losses.length;
    this.measured = {};
    if (ended === 'diverged') {
      throw new TrainError(
        'E_DIVERGED',
        `the loss is no longer a number at iteration ${this.at + 1}; a smaller --learning_rate than ${settings.learning_rate} may help`,
      );
    }
    if (this.at < to) throw this.interrupted();
    return losses.reduce((sum, loss) => sum + loss, 0);
  }

  private surgery([from, to]: readonly [number, number]) {
    const active = new Uint8Array((to - from) * this.layers.length);
    for (let i = from; i < to; i++) {
      for (const [l, { name }] of this.layers.entries()) {
        active[(i - from) * this.layers.length + l] = Number(this.isActive(name, i));
      }
    }
    return { ...bounded(this.layers, this.initial, [this.rates]), active };
  }

  private isActive(layer: string, iteration: number): boolean {
    const { schedule, seed, gamma } = this.options.settings;
    return schedule === 'gradual' || isActive(layer, iteration, { seed, gamma });
  }

  private interrupted(): TrainError {
    const { iterations } = this.options.settings;
    return new TrainError('E_INTERRUPTED', `stopped after iteration ${this.at} of ${iterations}`);
  }
}

/**
 * Rates as engines take them.
 *
 * @param candidates the rates of each
 * @throws PruningError `E_RATE` for one that is no number
 */
export function bounded(
  layers: readonly PrunedLayer[],
  statistics: readonly LayerStatistics[],
  candidates: readonly Rates[],
): { readonly spans: Int32Array; readonly bounds: Float32Array } {
  const spans = Int32Array.from(layers.flatMap(({ offset, size }) => [offset, offset + size]));
  const bounds = candidates.flatMap((rates) =>
    rates.flatMap((rate, l): readonly number[] => {
      if (rate === undefined) return UNTOUCHED;
      const { prune, splice } = boundsOf(statistics[l], rate);
      return [prune, splice];
    }),
  );
  return { spans, bounds: Float32Array.from(bounds) };
}

function maskable({ network, engine, data, settings }: TrainerOptions): {
  readonly program: Program;
  readonly masking: Masking;
} {
  const { batch_size: batchSize, learning_rate: learningRate, momentum, weight_decay: weightDecay, seed } = settings;
  const biases = network.parameters.filter(({ name, trainable }) => trainable && name.endsWith('.bias'));
  const program = engine.compile(network, {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate, momentum, weightDecay }),
    batchSize,
    seed,
    input: data.plan,
    // As Caffe's examples have it: lr_mult 2.
    rateFactors: Object.fromEntries(biases.map(({ name }) => [name, 2])),
  });
  const { masking } = program;
  if (masking !== undefined) return { program, masking };
  program.close();
  throw new EngineError(
    'E_MASKING',
    `the ${engine.name} engine cannot prune: use the native engine (--device_target CPU)`,
  );
}

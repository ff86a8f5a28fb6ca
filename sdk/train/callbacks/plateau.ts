/** Callbacks that act when a figure no longer gets better. */
import { TrainError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import type { Callback, EpochRecord, Json, Run } from '../callback.js';

/** What to watch, and what counts as better. */
export interface PlateauOptions {
  /** `loss` and `validationLoss` should fall, `accuracy` should rise. Default `accuracy`. */
  readonly monitor?: 'accuracy' | 'loss' | 'validationLoss';
  /** Epochs without improvement before something is done. Default 3. */
  readonly patience?: number;
  /** A smaller change is no improvement. Default 0. */
  readonly minDelta?: number;
}

/** Counts epochs since the best. */
class Plateau {
  best: number | undefined;
  waited = 0;
  private readonly monitor: 'accuracy' | 'loss' | 'validationLoss';
  private readonly patience: number;
  private readonly minDelta: number;

  constructor({ monitor = 'accuracy', patience = 3, minDelta = 0 }: PlateauOptions) {
    if (!Number.isInteger(patience) || patience < 1) {
      throw new TrainError('E_OPTION', `patience must be a whole number of epochs of at least 1, not ${patience}`);
    }
    this.monitor = monitor;
    this.patience = patience;
    this.minDelta = minDelta;
  }

  /** Takes an epoch's figures and says whether patience has run out. */
  isOver(record: EpochRecord): boolean {
    const value = record[this.monitor];
    if (value === undefined) {
      throw new TrainError('E_OPTION', `there is no ${this.monitor} to watch: give train() a validation set`);
    }
    const gain = this.monitor === 'accuracy' ? value - (this.best ?? -Infinity) : (this.best ?? Infinity) - value;
    if (gain > this.minDelta) {
      this.best = value;
      this.waited = 0;
    } else this.waited++;
    return this.waited >= this.patience;
  }

  describe(): string {
    return `${this.monitor} has not improved on ${this.best?.toPrecision(4)} for ${this.waited} epochs`;
  }

  state(): { readonly [key: string]: Json } {
    return { waited: this.waited, ...(this.best !== undefined && { best: this.best }) };
  }

  restore(state: Json): void {
    this.best = numberIn(state, 'best');
    this.waited = numberIn(state, 'waited') ?? 0;
  }
}

/** Ends training when a figure has not improved for `patience` epochs. */
export class EarlyStopping implements Callback {
  readonly name = 'EarlyStopping';
  private readonly plateau: Plateau;
  private stopped = false;

  constructor(options: PlateauOptions = {}) {
    this.plateau = new Plateau(options);
  }

  onTrainBegin(run: Run): void {
    if (this.stopped) run.stop('earlyStopping');
  }

  onEpochEnd(run: Run, record: EpochRecord): void {
    if (!this.plateau.isOver(record)) return;
    this.stopped = true;
    log.info(`early stopping after epoch ${record.epoch}: ${this.plateau.describe()}`);
    run.stop('earlyStopping');
  }

  state(): Json {
    return { ...this.plateau.state(), stopped: this.stopped };
  }

  restore(state: Json): void {
    this.plateau.restore(state);
    this.stopped = isRecord(state) && state['stopped'] === true;
  }
}

/** Multiplies the learning rate by `factor` when a figure has not improved for `patience` epochs. */
export class ReduceLROnPlateau implements Callback {
  readonly name = 'ReduceLROnPlateau';
  private readonly plateau: Plateau;
  private readonly factor: number;
  private readonly minLearningRate: number;

  /** @param options factor: in (0, 1), default 0.1; minLearningRate: never goes below, default 0 */
  constructor({
    factor = 0.1,
    minLearningRate = 0,
    ...options
  }: PlateauOptions & { readonly factor?: number; readonly minLearningRate?: number } = {}) {
    if (!(factor > 0 && factor < 1)) {
      throw new TrainError('E_OPTION', `ReduceLROnPlateau: factor must lie between 0 and 1, not at ${factor}`);
    }
    this.plateau = new Plateau(options);
    this.factor = factor;
    this.minLearningRate = minLearningRate;
  }

  onEpochEnd(run: Run, record: EpochRecord): void {
    if (!this.plateau.isOver(record)) return;
    const rate = Math.max(run.learningRate * this.factor, this.minLearningRate);
    if (rate < run.learningRate) {
      const [before, after] = [run.learningRate, rate].map((value) => Number(value.toPrecision(4)));
      log.info(`learning rate ${before} → ${after} after epoch ${record.epoch}: ${this.plateau.describe()}`);
      run.learningRate = rate;
    }
    this.plateau.waited = 0;
  }

  state(): Json {
    return this.plateau.state();
  }

  restore(state: Json): void {
    this.plateau.restore(state);
  }
}

function isRecord(value: Json): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function numberIn(state: Json, key: string): number | undefined {
  const value = isRecord(state) ? state[key] : undefined;
  return typeof value === 'number' ? value : undefined;
}

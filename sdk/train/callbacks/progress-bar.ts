import { type Progress, startProgress } from '../../base/progress.js';
import type { Callback, Run } from '../callback.js';

/** A bar over the steps of an epoch on a terminal, a plain line now and then elsewhere; it goes when the epoch ends. */
export class ProgressBar implements Callback {
  readonly name = 'ProgressBar';
  private bar: Progress | undefined;

  onEpochBegin(run: Run, epoch: number): void {
    this.bar = startProgress({ label: `epoch ${epoch}/${run.epochs}`, total: run.stepsPerEpoch, unit: 'steps' });
  }

  onPause(run: Run): void {
    this.bar?.update(run.stepInEpoch, `loss ${run.loss.toFixed(4)}`);
  }

  onEpochEnd(): void {
    this.end();
  }

  onTrainEnd(): void {
    this.end();
  }

  private end(): void {
    this.bar?.clear();
    this.bar = undefined;
  }
}

import { log } from '../../base/log.js';
import type { Callback, EpochRecord, Run } from '../callback.js';

/** Prints the loss after every epoch, or every so many steps: `epoch 1/5  step 1875  loss 0.0312  accuracy 0.9896`. */
export class LossMonitor implements Callback {
  readonly name = 'LossMonitor';
  readonly everySteps?: number;

  /** @param options everySteps: also print in between; default: only at the end of an epoch */
  constructor({ everySteps }: { readonly everySteps?: number } = {}) {
    if (everySteps !== undefined) this.everySteps = everySteps;
  }

  onEpochEnd(run: Run, { epoch, loss, accuracy }: EpochRecord): void {
    log.info(
      `epoch ${epoch}/${run.epochs}  step ${run.stepInEpoch}  loss ${loss.toFixed(4)}  accuracy ${accuracy.toFixed(4)}`,
    );
  }

  onPause(run: Run): void {
    if (this.everySteps === undefined || run.step % this.everySteps !== 0 || run.stepInEpoch === run.stepsPerEpoch)
      return;
    log.info(`epoch ${run.epoch}/${run.epochs}  step ${run.stepInEpoch}  loss ${run.loss.toFixed(4)}`);
  }
}

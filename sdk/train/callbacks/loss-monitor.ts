import { log } from '../../base/log.js';
import type { Callback, EpochRecord, Run } from '../callback.js';

/** Prints how it goes after every epoch: `epoch 1/5  loss 0.8275  accuracy 0.9661  0.41 s  147000 images/s`. */
export class LossMonitor implements Callback {
  readonly name = 'LossMonitor';
  readonly everySteps?: number;

  /** @param options everySteps: also print in between; default: only at the end of an epoch */
  constructor({ everySteps }: { readonly everySteps?: number } = {}) {
    if (everySteps !== undefined) this.everySteps = everySteps;
  }

  onEpochEnd(run: Run, { epoch, loss, accuracy, seconds, imagesPerSecond, communication }: EpochRecord): void {
    const figures = `loss ${loss.toFixed(4)}  accuracy ${accuracy.toFixed(4)}`;
    const between = communication === undefined ? '' : `  ${(100 * communication).toFixed(1)} % communication`;
    log.info(
      `epoch ${epoch}/${run.epochs}  ${figures}  ${seconds.toFixed(2)} s  ${imagesPerSecond} images/s${between}`,
    );
  }

  onPause(run: Run): void {
    if (this.everySteps === undefined || run.step % this.everySteps !== 0 || run.stepInEpoch === run.stepsPerEpoch)
      return;
    log.info(`epoch ${run.epoch}/${run.epochs}  step ${run.stepInEpoch}  loss ${run.loss.toFixed(4)}`);
  }
}

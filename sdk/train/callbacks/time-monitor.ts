import { log } from '../../base/log.js';
import type { Callback, EpochRecord, Run } from '../callback.js';

/** Prints how long an epoch and a step took: `epoch 1/5  0.52 s, 0.28 ms a step, 115385 images/s`. */
export class TimeMonitor implements Callback {
  readonly name = 'TimeMonitor';

  onEpochEnd(run: Run, { epoch, seconds, imagesPerSecond }: EpochRecord): void {
    const perStep = (seconds * 1000) / run.stepsPerEpoch;
    log.info(
      `epoch ${epoch}/${run.epochs}  ${seconds.toFixed(2)} s, ${perStep.toFixed(2)} ms a step, ${imagesPerSecond} images/s`,
    );
  }
}

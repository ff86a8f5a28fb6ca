import { TrainError } from '../../base/errors.js';
import type { Callback, Run } from '../callback.js';

/**
 * Sets the learning rate at the beginning of each epoch.
 *
 * @example
 * new LearningRateScheduler((epoch) => 0.01 * 0.5 ** Math.floor((epoch - 1) / 10)).name; // 'LearningRateScheduler'
 */
export class LearningRateScheduler implements Callback {
  readonly name = 'LearningRateScheduler';
  private readonly schedule: (epoch: number, current: number) => number;

  /** @param schedule from the epoch, 1-based, and the learning rate so far to the new one, above 0 */
  constructor(schedule: (epoch: number, current: number) => number) {
    this.schedule = schedule;
  }

  onEpochBegin(run: Run, epoch: number): void {
    const rate = this.schedule(epoch, run.learningRate);
    if (!(rate > 0) || !Number.isFinite(rate)) {
      throw new TrainError('E_OPTION', `LearningRateScheduler: the schedule gave ${rate} for epoch ${epoch}`);
    }
    run.learningRate = rate;
  }
}

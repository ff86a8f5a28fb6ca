import { readdir } from 'node:fs/promises';
import { log } from '../../base/log.js';
import { copyParallel, isSamePlace } from '../../storage/copy.js';
import type { Callback, Run } from '../callback.js';

/**
 * Copies the output folder to where it is wanted, after every epoch and at the end, only what is new or changed.
 * Give it after the callbacks that write into the folder. A round that fails during training is a warning, since the
 * next one makes up for it; at the end it is an error. Nothing is ever removed at the destination.
 */
export class UploadOutput implements Callback {
  readonly name = 'UploadOutput';
  readonly isFirstRankOnly = true;
  private readonly from: string;
  private readonly to: string;

  /** @param options from: a local folder; to: a folder or URL */
  constructor({ from, to }: { readonly from: string; readonly to: string }) {
    this.from = from;
    this.to = to;
  }

  async onPause(run: Run): Promise<void> {
    if (run.stepInEpoch !== run.stepsPerEpoch) return;
    try {
      await this.upload();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      log.warn(`the output could not be copied after epoch ${run.epoch}, the next round tries again: ${why}`);
    }
  }

  async onTrainEnd(): Promise<void> {
    await this.upload();
  }

  private async upload(): Promise<void> {
    // Nothing was saved yet, or it lies where it is wanted: nothing to copy.
    if ((await readdir(this.from)).length === 0 || (await isSamePlace(this.from, this.to))) return;
    await copyParallel(this.from, this.to);
  }
}

import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { log } from '../../base/log.js';
import { theseRanks } from '../../parallel/ranks.js';
import { copyParallel, isSamePlace } from '../../storage/copy.js';
import { joinUrl } from '../../storage/url.js';
import type { Callback, Run } from '../callback.js';

/**
 * Copies the output folder to where it is wanted, after every epoch and at the end, only what is new or changed.
 * Give it after the callbacks that write into the folder. A round that fails during training is a warning, since the
 * next one makes up for it; at the end it is an error. Nothing is ever removed at the destination. Of several ranks rank 0 copies the
 * folder, and every other what it saved in the folder of its number.
 */
export class UploadOutput implements Callback {
  readonly name = 'UploadOutput';
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
    const { id } = theseRanks();
    const [from, to] = id === 0 ? [this.from, this.to] : [join(this.from, `${id}`), joinUrl(this.to, `${id}`)];
    // Nothing was saved yet, or it lies where it is wanted: nothing to copy.
    if (!existsSync(from) || (await readdir(from)).length === 0 || (await isSamePlace(from, to))) return;
    await copyParallel(from, to);
  }
}

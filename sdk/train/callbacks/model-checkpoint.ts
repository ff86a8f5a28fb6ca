import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, TrainError } from '../../base/errors.js';
import { saveCheckpoint } from '../../checkpoint/checkpoint.js';
import { compareCheckpoints, parseCheckpointName } from '../../checkpoint/name.js';
import type { Callback, Run, StopReason } from '../callback.js';

/**
 * Saves checkpoints as MindSpore's callback of that name does: `<prefix>-<epoch>_<step>.ckpt`, every
 * `saveCheckpointSteps` steps and at the end of training, the last `keepCheckpointMax` of them. Each file appears
 * whole or not at all. After a loss that is not a number nothing is saved: the last good checkpoint stays.
 */
export class ModelCheckpoint implements Callback {
  readonly name = 'ModelCheckpoint';
  readonly isFirstRankOnly = true;
  readonly everySteps: number;
  private readonly folder: string;
  private readonly prefix: string | undefined;
  private readonly keep: number;
  private readonly format: 'ckpt' | 'safetensors';
  private savedStep = -1;
  /** The newest checkpoint of the run. */
  latest: string | undefined;

  /**
   * @param options folder: made if missing; prefix: default `checkpoint_<network>`; saveCheckpointSteps: default 1875;
   *   keepCheckpointMax: default 150; format: default `ckpt`
   */
  constructor({
    folder,
    prefix,
    saveCheckpointSteps = 1875,
    keepCheckpointMax = 150,
    format = 'ckpt',
  }: {
    readonly folder: string;
    readonly prefix?: string;
    readonly saveCheckpointSteps?: number;
    readonly keepCheckpointMax?: number;
    readonly format?: 'ckpt' | 'safetensors';
  }) {
    for (const [name, value] of Object.entries({ saveCheckpointSteps, keepCheckpointMax })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new TrainError('E_OPTION', `ModelCheckpoint: ${name} must be a whole number of at least 1, not ${value}`);
      }
    }
    this.folder = folder;
    this.prefix = prefix;
    this.everySteps = saveCheckpointSteps;
    this.keep = keepCheckpointMax;
    this.format = format;
  }

  onTrainBegin(run: Run): void {
    this.savedStep = run.firstStep;
    if (run.firstStep > 0) this.latest = this.pathFor(run);
  }

  async onPause(run: Run): Promise<void> {
    if (run.step % this.everySteps === 0) await this.save(run);
  }

  async onTrainEnd(run: Run, reason: StopReason): Promise<void> {
    if (reason !== 'diverged' && reason !== 'failed') await this.save(run);
  }

  private async save(run: Run): Promise<void> {
    if (run.step === this.savedStep) return;
    const path = this.pathFor(run);
    const checkpoint = run.checkpoint();
    for (const [name, { data }] of checkpoint.parameters) {
      // The loss may still be a number when a parameter no longer is: the next step would tell.
      if (data.every(Number.isFinite)) continue;
      const what = `${name} is no longer made of numbers after step ${run.step}; the last checkpoint before it is kept`;
      throw new TrainError('E_DIVERGED', `${what}. A smaller learning rate than ${run.learningRate} may help`);
    }
    await saveCheckpoint(path, checkpoint);
    this.savedStep = run.step;
    this.latest = path;
    await this.removeOldest(this.prefixFor(run));
  }

  private prefixFor(run: Run): string {
    return this.prefix ?? `checkpoint_${run.network.name}`;
  }

  private pathFor(run: Run): string {
    return join(this.folder, `${this.prefixFor(run)}-${run.epoch}_${run.stepInEpoch}.${this.format}`);
  }

  private async removeOldest(prefix: string): Promise<void> {
    const saved = (await readdir(this.folder))
      .map((file) => ({ file, name: parseCheckpointName(file) }))
      .flatMap(({ file, name }) => (name?.prefix === prefix ? [{ file, ...name }] : []))
      .sort(compareCheckpoints);
    for (const { file } of saved.slice(0, -this.keep)) {
      await rm(join(this.folder, file)).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error;
      });
    }
  }
}

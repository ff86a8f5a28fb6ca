import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { systemCode, TrainError } from '../../base/errors.js';
import { saveCheckpoint } from '../../checkpoint/checkpoint.js';
import { compareCheckpoints, parseCheckpointName } from '../../checkpoint/name.js';
import { theseRanks } from '../../parallel/ranks.js';
import type { Callback, Run, StopReason } from '../callback.js';

/**
 * Saves checkpoints as MindSpore's callback of that name does: `<prefix>-<epoch>_<step>.ckpt`, every
 * `saveCheckpointSteps` steps and at the end of training, the last `keepCheckpointMax` of them. Each file appears
 * whole or not at all. After a loss that is not a number nothing is saved: the last good checkpoint stays.
 */
export class ModelCheckpoint implements Callback {
  readonly name = 'ModelCheckpoint';
  readonly isFirstRankOnly: boolean;
  readonly everySteps: number;
  private readonly folders: readonly string[];
  private readonly prefix: string | undefined;
  private readonly keep: number;
  private readonly format: 'ckpt' | 'safetensors';
  private savedStep = -1;
  /** The newest checkpoint of the run. */
  latest: string | undefined;

  /**
   * @param options folder: made if missing; prefix: default `checkpoint_<network>`; saveCheckpointSteps: default 1875;
   *   keepCheckpointMax: default 150; format: default `ckpt`; perRank: of several ranks each saves, in a folder of its number,
   *   and rank 0 besides in `folder` itself; default: rank 0 alone
   */
  constructor({
    folder,
    prefix,
    saveCheckpointSteps = 1875,
    keepCheckpointMax = 150,
    format = 'ckpt',
    perRank = false,
  }: {
    readonly folder: string;
    readonly prefix?: string;
    readonly saveCheckpointSteps?: number;
    readonly keepCheckpointMax?: number;
    readonly format?: 'ckpt' | 'safetensors';
    readonly perRank?: boolean;
  }) {
    for (const [name, value] of Object.entries({ saveCheckpointSteps, keepCheckpointMax })) {
      if (!Number.isInteger(value) || value < 1) {
        throw new TrainError('E_OPTION', `ModelCheckpoint: ${name} must be a whole number of at least 1, not ${value}`);
      }
    }
    const { id, size } = theseRanks();
    this.isFirstRankOnly = !perRank;
    this.folders = [...(id === 0 ? [folder] : []), ...(perRank && size > 1 ? [join(folder, `${id}`)] : [])];
    this.prefix = prefix;
    this.everySteps = saveCheckpointSteps;
    this.keep = keepCheckpointMax;
    this.format = format;
  }

  onTrainBegin(run: Run): void {
    this.savedStep = run.firstStep;
    if (run.firstStep > 0) [this.latest] = this.pathsFor(run);
  }

  async onPause(run: Run): Promise<void> {
    if (run.step % this.everySteps === 0) await this.save(run);
  }

  async onTrainEnd(run: Run, reason: StopReason): Promise<void> {
    if (reason !== 'diverged' && reason !== 'failed') await this.save(run);
  }

  private async save(run: Run): Promise<void> {
    if (run.step === this.savedStep) return;
    const checkpoint = run.checkpoint();
    for (const [name, { data }] of checkpoint.parameters) {
      // The loss may still be a number when a parameter no longer is: the next step would tell.
      if (data.every(Number.isFinite)) continue;
      const what = `${name} is no longer made of numbers after step ${run.step}; the last checkpoint before it is kept`;
      throw new TrainError('E_DIVERGED', `${what}. A smaller learning rate than ${run.learningRate} may help`);
    }
    const paths = this.pathsFor(run);
    for (const path of paths) await saveCheckpoint(path, checkpoint);
    this.savedStep = run.step;
    [this.latest] = paths;
    for (const folder of this.folders) await this.removeOldest(folder, this.prefixFor(run));
  }

  private prefixFor(run: Run): string {
    return this.prefix ?? `checkpoint_${run.network.name}`;
  }

  private pathsFor(run: Run): readonly string[] {
    const name = `${this.prefixFor(run)}-${run.epoch}_${run.stepInEpoch}.${this.format}`;
    return this.folders.map((folder) => join(folder, name));
  }

  private async removeOldest(folder: string, prefix: string): Promise<void> {
    const saved = (await readdir(folder))
      .map((file) => ({ file, name: parseCheckpointName(file) }))
      .flatMap(({ file, name }) => (name?.prefix === prefix ? [{ file, ...name }] : []))
      .sort(compareCheckpoints);
    for (const { file } of saved.slice(0, -this.keep)) {
      await rm(join(folder, file)).catch((error: unknown) => {
        if (systemCode(error) !== 'ENOENT') throw error;
      });
    }
  }
}

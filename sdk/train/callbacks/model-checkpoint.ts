import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { TrainError, systemCode } from '../../base/errors.js';
import { saveCheckpoint } from '../../checkpoint/checkpoint.js';
import type { Callback, Run, StopReason } from '../callback.js';

/** A checkpoint's file name, taken apart. */
export interface CheckpointName {
  readonly prefix: string;
  readonly epoch: number;
  /** Within the epoch. */
  readonly step: number;
}

/** `checkpoint_lenet-5_1875.ckpt`: prefix, epoch, step within the epoch; undefined for any other name. */
export function parseCheckpointName(file: string): CheckpointName | undefined {
  const match = /^(?<prefix>.+)-(?<epoch>\d+)_(?<step>\d+)\.(?:ckpt|safetensors)$/.exec(file)?.groups;
  return match && { prefix: match['prefix'], epoch: Number(match['epoch']), step: Number(match['step']) };
}

/** Sorts names of checkpoints, the oldest first. */
export function compareCheckpoints(a: CheckpointName, b: CheckpointName): number {
  return a.epoch - b.epoch || a.step - b.step;
}

/**
 * Saves checkpoints as MindSpore's callback of that name does: `<prefix>-<epoch>_<step>.ckpt`, every
 * `saveCheckpointSteps` steps and at the end of training, the last `keepCheckpointMax` of them. Each file appears
 * whole or not at all. After a loss that is not a number nothing is saved: the last good checkpoint stays.
 */
export class ModelCheckpoint implements Callback {
  readonly name = 'ModelCheckpoint';
  readonly everySteps: number;
  private readonly folder: string;
  private readonly prefix: string | undefined;
  private readonly keep: number;
  private readonly format: 'ckpt' | 'safetensors';
  private savedStep = -1;
  /** The newest file this callback wrote. */
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
  }

  async onPause(run: Run): Promise<void> {
    if (run.step % this.everySteps === 0) await this.save(run);
  }

  async onTrainEnd(run: Run, reason: StopReason): Promise<void> {
    if (reason !== 'diverged') await this.save(run);
  }

  private async save(run: Run): Promise<void> {
    if (run.step === this.savedStep) return;
    const prefix = this.prefix ?? `checkpoint_${run.network.name}`;
    const path = join(this.folder, `${prefix}-${run.epoch}_${run.stepInEpoch}.${this.format}`);
    await saveCheckpoint(path, run.checkpoint());
    this.savedStep = run.step;
    this.latest = path;
    await this.removeOldest(prefix);
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

/** What checkpoints of a training run are called: `checkpoint_lenet-5_1875.ckpt`, as MindSpore's callback does. */

/** A checkpoint's file name, taken apart. */
export interface CheckpointName {
  readonly prefix: string;
  readonly epoch: number;
  /** Within the epoch. */
  readonly step: number;
}

/**
 * Takes a name apart; undefined when it is not one of a training run's checkpoint.
 *
 * @example
 * parseCheckpointName('checkpoint_lenet-5_1875.ckpt')?.epoch; // 5
 */
export function parseCheckpointName(file: string): CheckpointName | undefined {
  const match = /^(?<prefix>.+)-(?<epoch>\d+)_(?<step>\d+)\.(?:ckpt|safetensors)$/.exec(file)?.groups;
  return match && { prefix: match['prefix'], epoch: Number(match['epoch']), step: Number(match['step']) };
}

/** For sorting: the oldest first. */
export function compareCheckpoints(a: CheckpointName, b: CheckpointName): number {
  return a.epoch - b.epoch || a.step - b.step;
}

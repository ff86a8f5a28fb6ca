/**
 * One class per kind of mistake, all under {@link MindtsError}. The message is written for the person
 * at the terminal: what went wrong, where, and what to do. `code` is stable and is what programs test.
 */
export class MindtsError extends Error {
  /** What the command exits with when this error reaches it. */
  readonly exitCode: number = 1;

  constructor(
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** How a process ends that has nothing to blame but another rank. */
export const OTHER_RANK_EXIT_CODE = 3;

/** A wrong command line or configuration file. */
export class ArgumentError extends MindtsError {
  override readonly exitCode = 2;
}
/** A zip or tar that is damaged, hostile or too large. */
export class ArchiveError extends MindtsError {}
/** A file or folder that cannot be read, written or copied. */
export class StorageError extends MindtsError {}
/** A data set that is missing, damaged or does not fit its network. */
export class DatasetError extends MindtsError {}
/** A network whose layers do not fit one another. */
export class NetworkError extends MindtsError {}
/** A parameter file that is damaged or belongs to another network. */
export class CheckpointError extends MindtsError {}
/** An engine that is absent, or cannot run what it was given. */
export class EngineError extends MindtsError {}
/** Ranks of a job that do not find one another, or of which one is lost. */
export class ParallelError extends MindtsError {}
/** What one rank has to say of another: that it is lost, or what it failed at. Who looks for the cause looks there. */
export class OtherRankError extends ParallelError {
  override readonly exitCode = OTHER_RANK_EXIT_CODE;
}
/** Rates, masks or networks that pruning cannot work with, and a search that is told what does not fit. */
export class PruningError extends MindtsError {}
/** Settings of pruning that cannot be, whether a flag or a configuration file says so. */
export class PruneSettingsError extends PruningError {
  override readonly exitCode = 2;
}
/** A training run that cannot go on. */
export class TrainError extends MindtsError {}

/** `error.code` of a Node system error (`ENOENT`, `ENOSPC`, …), or undefined. */
export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined;
}

/** Why a file operation failed, for people: `no space left on the device`. */
export function systemReason(error: unknown): string {
  const code = systemCode(error);
  return (code !== undefined && REASONS[code]) || (error instanceof Error ? error.message : String(error));
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or folder',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'disk quota exceeded',
  EROFS: 'read-only file system',
  EISDIR: 'it is a folder',
  ENOTREG: 'it is a pipe or a device, not a file',
  EFBIG: 'the file would be larger than allowed here',
  ENOTDIR: 'a part of the path is not a folder',
  ENAMETOOLONG: 'the name is too long',
  EMFILE: 'too many open files',
  ELOOP: 'too many links, or links in a circle',
  EEXIST: 'a file stands where a folder should be',
  EBUSY: 'it is in use',
  EXDEV: 'it lies on another file system',
  EIO: 'input/output error',
};

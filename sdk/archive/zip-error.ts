/** What is wrong with a zip, for people: the archive, the entry, and what to do. */
import { ArchiveError, systemCode, systemReason } from '../base/errors.js';

/** Why an archive, or one entry of it, is refused. */
export type ZipCode =
  | 'E_ZIP_NOT_FOUND'
  | 'E_ZIP_READ'
  | 'E_ZIP_NOT_ZIP'
  | 'E_ZIP_TRUNCATED'
  | 'E_ZIP_DAMAGED'
  | 'E_ZIP_CRC'
  | 'E_ZIP_SIZE'
  | 'E_ZIP_PATH'
  | 'E_ZIP_DUPLICATE'
  | 'E_ZIP_SYMLINK'
  | 'E_ZIP_SPECIAL'
  | 'E_ZIP_ENCRYPTED'
  | 'E_ZIP_METHOD'
  | 'E_ZIP_BOMB'
  | 'E_ZIP_TARGET'
  | 'E_ZIP_TOO_LARGE'
  | 'E_ZIP_WRITE'
  | 'E_ZIP_ABORTED';

/** An {@link ArchiveError} that says where: `data.zip: "a/b" is encrypted; make it again without a password`. */
export function zipError(code: ZipCode, archive: string, fault: string, cause?: unknown): ArchiveError {
  const advice = ADVICE[code];
  return new ArchiveError(code, `${archive}: ${fault}${advice && `; ${advice}`}`, cause === undefined ? {} : { cause });
}

/** An entry's name as it may be printed: quoted, on one line, without control characters, not endless. */
export function quoted(name: string): string {
  const short = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return JSON.stringify(short).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}

/** An error met while reading an archive, its own faults and the disk's; `entry` is a {@link quoted} name. */
export function readingFailed(archive: string, error: unknown, entry?: string): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const system = systemCode(error);
  if (system === 'ENOENT') return zipError('E_ZIP_NOT_FOUND', archive, systemReason(error), error);
  if (system === 'EISDIR') return zipError('E_ZIP_NOT_ZIP', archive, 'is a folder', error);
  if (error instanceof Error && 'syscall' in error) return zipError('E_ZIP_READ', archive, systemReason(error), error);
  const fault = error instanceof Error ? error.message : String(error);
  return zipError(codeOf(fault), archive, entry === undefined ? fault : `${entry} cannot be read (${fault})`, error);
}

/** By what yauzl says. */
function codeOf(fault: string): ZipCode {
  if (/unexpected EOF|overflows file bounds/.test(fault)) return 'E_ZIP_TRUNCATED';
  return /encryption/.test(fault) ? 'E_ZIP_ENCRYPTED' : 'E_ZIP_DAMAGED';
}

const AGAIN = 'copy or download it again';
const DISTRUST = 'do not trust it, or make it again';

const ADVICE: Readonly<Record<ZipCode, string>> = {
  E_ZIP_NOT_FOUND: 'check its spelling',
  E_ZIP_READ: 'check its owner and mode',
  E_ZIP_NOT_ZIP: 'give a zip archive',
  E_ZIP_TRUNCATED: AGAIN,
  E_ZIP_DAMAGED: AGAIN,
  E_ZIP_CRC: AGAIN,
  E_ZIP_SIZE: AGAIN,
  E_ZIP_PATH: DISTRUST,
  E_ZIP_DUPLICATE: DISTRUST,
  E_ZIP_SYMLINK: 'make it again with the files themselves',
  E_ZIP_SPECIAL: 'make it again with plain files and folders',
  E_ZIP_ENCRYPTED: 'make it again without a password',
  E_ZIP_METHOD: 'make it again with the usual compression, deflate',
  E_ZIP_BOMB: 'do not trust it, or raise that limit',
  E_ZIP_TARGET: 'choose a new folder',
  E_ZIP_TOO_LARGE: 'copy the folder as it is, or use the zip command',
  E_ZIP_WRITE: 'free some space or choose another folder',
  E_ZIP_ABORTED: '',
};

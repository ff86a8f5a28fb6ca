/** What is wrong with an archive, for people: the archive, the entry, and what to do. One table for zips and tars. */
import { ArchiveError, MindtsError, systemCode, systemReason } from '../base/errors.js';

/** What an archive was read as: the middle of a code. `ARCHIVE` until it is known. */
export type Format = 'ZIP' | 'TAR' | 'ARCHIVE';

/** Why an archive, or one entry of it, is refused: the end of a code, as in `E_ZIP_CRC`. */
export type Fault =
  | 'NOT_FOUND'
  | 'READ'
  | 'KIND'
  | 'NOT_ZIP'
  | 'NOT_TAR'
  | 'TRUNCATED'
  | 'DAMAGED'
  | 'CRC'
  | 'SIZE'
  | 'PATH'
  | 'DUPLICATE'
  | 'SYMLINK'
  | 'SPECIAL'
  | 'SPARSE'
  | 'ENCRYPTED'
  | 'METHOD'
  | 'BOMB'
  | 'TARGET'
  | 'WRITE'
  | 'ABORTED';

/** Makes the errors of one archive: `data.zip: "a/b" is encrypted; make it again without a password`. */
export interface Refusal {
  (fault: Fault, what: string, cause?: unknown): ArchiveError;
  readonly format: Format;
}

/** The errors of an archive that is read as this format. */
export function refusalOf(format: Format, archive: string): Refusal {
  const refuse = (fault: Fault, what: string, cause?: unknown): ArchiveError => {
    const advice = ADVICE[fault];
    const message = `${archive}: ${what}${advice && `; ${advice}`}`;
    return new ArchiveError(`E_${format}_${fault}`, message, cause === undefined ? {} : { cause });
  };
  return Object.assign(refuse, { format });
}

/** An entry's name as it may be printed: quoted, on one line, without control characters, not endless. */
export function quoted(name: string): string {
  const short = name.length > 200 ? `${name.slice(0, 200)}…` : name;
  return JSON.stringify(short).replace(/[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, '?');
}

/** An error met while reading an archive, its own faults and the disk's; `entry` is a {@link quoted} name. */
export function readingFailed(refuse: Refusal, error: unknown, entry?: string): MindtsError {
  // A store says for itself what is wrong with it.
  if (error instanceof MindtsError) return error;
  if (error instanceof Error && error.name === 'AbortError') return refuse('ABORTED', 'unpacking was stopped', error);
  const system = systemCode(error);
  if (system === 'ENOENT') return refuse('NOT_FOUND', systemReason(error), error);
  if (system === 'EISDIR') return refuse(NOT_ONE[refuse.format], 'is a folder', error);
  if (error instanceof Error && 'syscall' in error) return refuse('READ', systemReason(error), error);
  const fault = error instanceof Error ? error.message : String(error);
  return refuse(faultOf(fault), entry === undefined ? fault : `${entry} cannot be read (${fault})`, error);
}

/** What something else than an archive of a format is called. */
export const NOT_ONE = { ZIP: 'NOT_ZIP', TAR: 'NOT_TAR', ARCHIVE: 'KIND' } as const satisfies Record<Format, Fault>;

/** By what yauzl, and {@link ByteReader}, say. */
function faultOf(message: string): Fault {
  if (/unexpected EOF|overflows file bounds/.test(message)) return 'TRUNCATED';
  return /encryption/.test(message) ? 'ENCRYPTED' : 'DAMAGED';
}

const AGAIN = 'copy or download it again';
const DISTRUST = 'do not trust it, or make it again';

const ADVICE: Readonly<Record<Fault, string>> = {
  NOT_FOUND: 'check its spelling',
  READ: 'check its owner and mode',
  KIND: 'give a .zip, .tar or .tar.gz',
  NOT_ZIP: 'give a zip archive',
  NOT_TAR: 'give a .tar or .tar.gz',
  TRUNCATED: AGAIN,
  DAMAGED: AGAIN,
  CRC: AGAIN,
  SIZE: AGAIN,
  PATH: DISTRUST,
  DUPLICATE: DISTRUST,
  SYMLINK: 'make it again with the files themselves',
  SPECIAL: 'make it again with plain files and folders',
  SPARSE: 'make it again without --sparse',
  ENCRYPTED: 'make it again without a password',
  METHOD: 'make it again with the usual compression, deflate',
  BOMB: 'do not trust it, or raise that limit',
  TARGET: 'choose a new folder',
  WRITE: 'free some space or choose another folder',
  ABORTED: '',
};

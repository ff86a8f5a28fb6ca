/** System errors as {@link StorageError}s: a stable code, a reason, and what to do. */
import { MindtsError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { shownUrl } from './url.js';

/**
 * A system error as a {@link StorageError}; errors that are already ours pass through.
 *
 * Codes: `E_NOT_FOUND`, `E_NOT_FOLDER`, `E_NOT_FILE`, `E_DENIED`, `E_NO_SPACE`, `E_LINK`, else `E_READ` or `E_WRITE`.
 */
export function storageFailure(doing: 'read' | 'write', url: string, error: unknown): MindtsError {
  // replaceFile says E_WRITE for every system error: look at the one behind it.
  const system = error instanceof StorageError && error.code === 'E_WRITE' ? error.cause : error;
  if (system instanceof MindtsError) return system;
  const known = FAILURES[systemCode(system) ?? ''];
  const code = known?.code ?? (doing === 'read' ? 'E_READ' : 'E_WRITE');
  const reason = known?.reason ?? systemReason(system);
  const advice = known === undefined ? '' : `; ${known.advice}`;
  return new StorageError(code, `cannot ${doing} ${shownUrl(url)}: ${reason}${advice}`, { cause: system });
}

/** A file that has fewer bytes than it had when the copy began. */
export function shrank(url: string, size: number, bytes: number): StorageError {
  return new StorageError(
    'E_SIZE',
    `${shownUrl(url)} shrank from ${size} to ${bytes} bytes while it was copied: copy it again`,
  );
}

/** A write to a store that is only read from. */
export function readOnly(url: string): StorageError {
  return new StorageError(
    'E_READ_ONLY',
    `${shownUrl(url)} is on a web server, which is only read from: choose another place`,
  );
}

interface Failure {
  readonly code: string;
  readonly advice: string;
  /** Where systemReason has none. */
  readonly reason?: string;
}

const DENIED: Failure = { code: 'E_DENIED', advice: 'check its owner and mode, or choose another place' };
const FULL: Failure = { code: 'E_NO_SPACE', advice: 'free some, or choose another place' };
const NOT_FOLDER: Failure = { code: 'E_NOT_FOLDER', advice: 'remove that file, or choose another place' };

const FAILURES: Readonly<Record<string, Failure>> = {
  ENOENT: { code: 'E_NOT_FOUND', advice: 'check its spelling' },
  ENOTDIR: NOT_FOLDER,
  EEXIST: NOT_FOLDER,
  EISDIR: { code: 'E_NOT_FILE', advice: 'name a file in it' },
  ENOTREG: { code: 'E_NOT_FILE', advice: 'remove it' },
  EACCES: DENIED,
  EPERM: DENIED,
  EROFS: DENIED,
  ENOSPC: FULL,
  EDQUOT: FULL,
  ENAMETOOLONG: { code: 'E_NAME', advice: 'give it a shorter one, or copy to a place that takes long names' },
  ELOOP: { code: 'E_LINK', reason: 'its links lead in a circle', advice: 'remove the link' },
};

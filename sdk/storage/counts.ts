/** Options that count something. */
import { StorageError } from '../base/errors.js';

/** Refuses an option that counts something and is no whole number of at least 1; undefined is its default. */
export function requireCounts(options: Readonly<Record<string, number | undefined>>): void {
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || (Number.isSafeInteger(value) && value >= 1)) continue;
    throw new StorageError('E_OPTION', `${name} must be a whole number of at least 1, not ${value}`);
  }
}

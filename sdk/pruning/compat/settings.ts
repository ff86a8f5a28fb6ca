/** What of the settings of a run the seed's files can say. */
import { PruningError } from '../../base/errors.js';
import type { PruneSettings } from '../settings.js';

/** What the seed gives a candidate that misses the constraint; all others have the part that is kept. */
export const INFEASIBLE = 1.1;

/**
 * That settings are such as the seed's roles know.
 *
 * @throws PruningError `E_SETTINGS`
 */
export function requireSeedSettings({ schedule, rate_min, caps }: PruneSettings): void {
  if (schedule !== 'olmp') throw wrong(`the seed's roles prune by --schedule olmp, not by ${schedule}`);
  if (rate_min < 0)
    throw wrong(`--rate_min ${rate_min}: to the seed's roles a rate below 0 says that a layer stays as it is`);
  if (Object.keys(caps).length > 0) throw wrong("the seed's roles know no --caps");
}

function wrong(what: string): PruningError {
  return new PruningError('E_SETTINGS', `--compat_files: ${what}`);
}

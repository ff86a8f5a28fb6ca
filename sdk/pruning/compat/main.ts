/** The main role by the seed's files, its main1: grants rounds until enough iterations are done, then tells all to end. */
import { log } from '../../base/log.js';
import { SEED_FILES, type SeedFolder } from './folder.js';
import { parseCount } from './texts.js';

/** What main1 has as constants. */
export interface SeedMainOptions {
  /** How many iterations shall be done. */
  readonly iterations: number;
  /** Iterations of a round. */
  readonly search_every: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Clears the folder of an earlier run, and leads one from its beginning to its end.
 *
 * @returns how many iterations the trainer has reported
 * @throws PruningError `E_FARM_SILENT` where no report comes, `E_SEED_TEXT` for one that is none, `E_STOPPED`
 */
export async function seedMain(
  folder: SeedFolder,
  { iterations, search_every, signal }: SeedMainOptions,
): Promise<number> {
  await folder.clear();
  let done = 0;
  while (done < iterations) {
    // As the seed counts: the trainer stops before it.
    await folder.write(SEED_FILES.turn, Buffer.from(String(search_every + 1)));
    done += await folder.receive(SEED_FILES.report, parseCount, { from: 'trainer', signal });
    log.info(`${Math.min(done, iterations)} of ${iterations} iterations`);
  }
  await folder.write(SEED_FILES.turn, Buffer.from('over'));
  await folder.end();
  return done;
}

/**
 * The main role of a run on a cluster, the seed's main1: says what is run, grants the trainer one turn after another, and when the
 * results are where they belong, tells everyone to end. It computes nothing.
 */
import { PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { shownUrl } from '../../storage/url.js';
import { putData } from '../farm/data.js';
import type { RunFolder } from '../farm/folder.js';
import { waitForEntry } from '../farm/journal.js';
import { beginRun, isBegun } from '../farm/run.js';
import { liftStop, stopOf, stopRun, untilAllLeft } from '../farm/stop.js';
import { turnsOf } from '../prune.js';
import { prunedLayers } from '../pruned-layers.js';
import { requireLayers } from '../settings.js';
import { hashOf } from '../snapshot-bytes.js';
import { holding, isStop } from './holding.js';
import { networkOf } from './joined.js';
import { type ClusterRun, Outcome, Turn, TurnDone } from './messages.js';

/** What a run begins with. */
export interface MainOptions extends Omit<ClusterRun, 'kind' | 'parameters'> {
  readonly parameters: Float32Array;
  /** Lets a run that was stopped go on. */
  readonly resume?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** Why a run that has come to its end was stopped. */
export const DONE = 'it is done';

/**
 * Begins a run, or takes it up again, and sees it to its end.
 *
 * @returns what came of it; undefined where all was done before
 * @throws PruningError `E_SETTINGS`, `E_RUN` for the folder of another run, `E_TAKEN` for a second main, `E_STOPPED`, `E_FARM_SILENT`
 */
export async function mainRole(
  folder: RunFolder,
  { parameters, resume = false, signal, ...run }: MainOptions,
): Promise<Outcome | undefined> {
  const { network } = networkOf(run);
  requireLayers(run.settings, prunedLayers(network));
  const bytes = new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  const settings: ClusterRun = {
    ...run,
    kind: 'prune',
    parameters: { sha256: hashOf(bytes), bytes: bytes.length },
  };
  if (resume) await liftStop(folder);
  try {
    return await holding(
      () => beginRun(folder, { settings, topics: ['turns'] }),
      signal,
      async (office, { interrupt }) => {
        // Written again when it is taken up again: it may have been lost, or damaged.
        await putData(folder, bytes);
        const turns = turnsOf(run.settings).length;
        // What was granted last may still be in hand.
        for (let turn = Math.max(0, office.entries('turns', Turn).length - 1); turn < turns; turn++) {
          if (office.entries('turns', Turn).length <= turn) await office.append('turns', { turn });
          const place = { topic: 'states', number: turn, schema: TurnDone, signal: office.signal };
          const { iteration, total, kept, accuracy } = await waitForEntry(folder, 'trainer', place);
          const found = `${(total / kept).toFixed(1)}×, validation ${(100 * accuracy).toFixed(2)} %`;
          log.info(`turn ${turn + 1} of ${turns}: iteration ${iteration} of ${run.settings.iterations}, ${found}`);
        }
        const place = { topic: 'results', number: 0, schema: Outcome, signal: office.signal };
        const outcome = await waitForEntry(folder, 'trainer', place);
        await stopRun(folder, DONE);
        const { dead } = await untilAllLeft(folder, { except: [office.session], signal: interrupt });
        if (dead.length > 0)
          log.info(`${dead.length} had died without a word: ${dead.map(({ role }) => role).join(', ')}`);
        return outcome;
      },
    );
  } catch (error) {
    if (!isStop(error)) throw error;
    if ((await stopOf(folder)) !== DONE) {
      throw new PruningError('E_STOPPED', `${error.message}; --resume lets it go on`, { cause: error });
    }
    await isBegun(folder, settings);
    log.info(`${shownUrl(folder.url)}: ${DONE}`);
    return undefined;
  }
}

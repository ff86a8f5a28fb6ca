/** The search of a run on a cluster, the seed's LoopTest2: asks the evaluators for what a search on one machine would evaluate itself. */
import { log } from '../../base/log.js';
import { shownUrl } from '../../storage/url.js';
import { type BlockFile, collect, publish } from '../farm/board.js';
import { getData } from '../farm/data.js';
import { type Office, takeOffice, waitForEntry } from '../farm/journal.js';
import { Shares } from '../farm/shares.js';
import { prunedLayers } from '../pruned-layers.js';
import { countOf, type Generation, type RoundProblem, scoreSchema, searchRound } from '../round.js';
import { RoundProgress, shownProgress } from '../round-progress.js';
import { decodeSnapshot } from '../snapshot-bytes.js';
import { holding } from './holding.js';
import type { Joined } from './joined.js';
import { Found, Told, Wanted } from './messages.js';

/** What the search has of its own. */
export interface SearchRoleOptions {
  /** Candidates that an evaluator takes at once; default: as many as come out even. What is found does not depend on it. */
  readonly blockSize?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Searches for whatever rates the trainer wants, until the run is stopped.
 *
 * @throws PruningError `E_STOPPED` when it was; `E_TAKEN`, `E_LEASE_LOST`, `E_JOURNAL`, `E_EVALUATE`, `E_FARM_SILENT`, `E_FARM_DATA`
 */
export async function searchRole(
  { folder, network, settings }: Joined,
  { blockSize, signal }: SearchRoleOptions,
): Promise<never> {
  const take = (): Promise<Office> => takeOffice(folder, 'search', ['generations', 'rates']);
  const layers = prunedLayers(network);
  return holding(take, signal, async (office) => {
    const shares = new Shares(folder);
    for (let number = office.entries('rates', Found).length; ; number++) {
      const place = { topic: 'searches', number, schema: Wanted, signal: office.signal };
      const { round, images, reference, goal, ...common } = await waitForEntry(folder, 'trainer', place);
      const bytes = await getData(folder, common.snapshot);
      const source = `${shownUrl(folder.url)}, the snapshot of round ${round}`;
      const snapshot = decodeSnapshot(bytes, { layers, size: network.parameterCount, source });
      const problem: RoundProblem = { round, snapshot, settings, images, reference, goal: goal ?? undefined };
      const known = office.entries('generations', Told).filter((told) => told.round === round);
      const progress = new RoundProgress(problem, countOf(known));
      office.report(progress.now);
      await shares.begin();
      // What was found is written while evaluators are busy with what comes next; until then it is on the board.
      let unwritten: Generation | undefined;
      async function write(): Promise<void> {
        if (unwritten !== undefined) await office.append('generations', unwritten);
        unwritten = undefined;
      }
      const { rates, score, evaluated } = await searchRound(
        problem,
        async (asked, { generation }) => {
          const tasks = { round, generation, common, ...shares.deal(asked, blockSize) };
          await publish(folder, tasks);
          await write();
          const onAnswer = (answer: BlockFile): void => shares.heard(tasks, answer);
          const [scores] = await Promise.all([
            collect(office, tasks, { schema: scoreSchema, onAnswer }),
            // For the next one.
            shares.look(),
          ]);
          return scores;
        },
        {
          known,
          told(generation, best) {
            unwritten = generation;
            const now = progress.told(generation, best);
            office.report(now);
            log.info(`round ${round}, ${shownProgress(now)}`);
          },
        },
      );
      await write();
      const found = rates?.map((rate) => rate ?? null) ?? null;
      await office.append('rates', { round, rates: found, score: score ?? null, evaluated });
      office.report(undefined);
    }
  });
}

/**
 * The trainer of a run on a cluster, the seed's LoopTest1: the run that one machine makes, but that another role searches, and that its
 * state lies in the work folder. So it comes to the same bits.
 */
import { MindtsError, PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { checksum, type Dataset } from '../../dataset/dataset.js';
import type { Engine } from '../../engine/engine.js';
import { shownUrl } from '../../storage/url.js';
import { getData, putData, removeData } from '../farm/data.js';
import type { RunFolder } from '../farm/folder.js';
import { type Office, readEntry, takeOffice, waitForEntry } from '../farm/journal.js';
import { pauseFor } from '../farm/pace.js';
import { progressOf } from '../farm/roles.js';
import { stopRun } from '../farm/stop.js';
import { identityOf } from '../identity.js';
import { type Note, type Pruned, prune, type Surroundings } from '../prune.js';
import type { Generation } from '../round.js';
import { roundProgressSchema, shownProgress } from '../round-progress.js';
import { decodeRun, encodeRun } from '../run-state.js';
import { encodeSnapshot } from '../snapshot-bytes.js';
import type { TrainerOptions } from '../trainer.js';
import { holding, untilEnded } from './holding.js';
import type { Joined } from './joined.js';
import { Found, Outcome, Told, type TrainerProgress, Turn, TurnDone, Wanted } from './messages.js';

/** What the trainer has of its own. */
export interface TrainerRoleOptions {
  readonly engine: Engine;
  /** All training images. */
  readonly data: Dataset;
  readonly signal?: AbortSignal | undefined;
  /** Makes a place for the results; called when this process is the trainer, and what it is to do can be done. */
  prepare?(): Promise<unknown>;
  /** Writes the results, and says what they are; called again where the process was killed meanwhile. */
  finish(trained: TrainerOptions, pruned: Pruned, journal: readonly Generation[]): Promise<Outcome>;
}

/**
 * Trains until the run is stopped.
 *
 * @throws PruningError `E_STOPPED` when it was; `E_TAKEN`, `E_LEASE_LOST`, `E_RUN` for data or an engine other than before; TrainError
 *   `E_DIVERGED`, which stops the run, since it would diverge again
 */
export async function trainerRole(
  { folder, network, settings, parameters }: Joined,
  { engine, data, signal, prepare, finish }: TrainerRoleOptions,
): Promise<never> {
  const take = (): Promise<Office> => takeOffice(folder, 'trainer', ['searches', 'states', 'results']);
  return holding(take, signal, async (office) => {
    const options = { network, engine, data, settings, parameters: await parameters(office.signal) };
    const surroundings = inCluster(office, { data: checksum(data), engine: engine.description });
    const around = { surroundings, identity: identityOf(options), prepare, signal: office.signal };
    try {
      const pruned = await prune(options, around);
      if (office.entries('results', Outcome).length === 0) {
        await office.append('results', await finish(options, pruned, await journalOf(office)));
      }
    } catch (error) {
      if (error instanceof MindtsError && error.code === 'E_DIVERGED') {
        await stopRun(folder, `the trainer cannot go on: ${error.message}`);
      }
      throw error;
    }
    return untilEnded(office);
  });
}

/** The other roles, as the one who trains sees them. */
function inCluster(office: Office, own: { readonly data: string; readonly engine: string }): Surroundings {
  const { folder, signal } = office;
  return {
    async load(expected) {
      const states = office.entries('states', TurnDone);
      for (const { state, iteration } of states.slice(-STATES).toReversed()) {
        const source = `${shownUrl(folder.url)}, iteration ${iteration}`;
        const advice = 'start the trainer as it was, or name another run';
        try {
          return decodeRun(await getData(folder, state), { ...expected, source, advice });
        } catch (error) {
          if (!(error instanceof PruningError) || error.code !== 'E_FARM_DATA') throw error;
          log.warn(`${error.message}; going on from before`);
        }
      }
      // From the beginning it comes to the same bits, and what was searched is in the journal.
      return undefined;
    },
    async save(state, turns) {
      const data = await putData(folder, encodeRun(state));
      const states = office.entries('states', TurnDone);
      const { iteration, kept, accuracy } = state.moments[state.moments.length - 1];
      const total = state.snapshot.layers.reduce((sum, { size }) => sum + size, 0);
      if (states.length < turns) await office.append('states', { iteration, kept, total, accuracy, state: data });
      const old = states.at(turns - 1 - STATES);
      if (turns > STATES && old !== undefined) await removeData(folder, old.state);
    },
    shown(iteration, secondsLeft) {
      office.report({ iteration, secondsLeft } satisfies TrainerProgress);
    },
    async begin(turn) {
      await waitForEntry(folder, 'main', { topic: 'turns', number: turn, schema: Turn, signal });
    },
    async search({ round, snapshot, images, reference, goal }, _trainer, note) {
      const data = await putData(folder, encodeSnapshot(snapshot));
      const searches = office.entries('searches', Wanted);
      const before = searches.find((wanted) => wanted.round === round);
      if (before !== undefined && before.snapshot.sha256 !== data.sha256) {
        throw new PruningError(
          'E_RUN',
          `${shownUrl(folder.url)}: round ${round} began elsewhere with another network, on ${before.engine}; here it is ${own.engine}: start the trainer on such a machine`,
        );
      }
      const number =
        before === undefined
          ? await office.append('searches', { ...own, snapshot: data, round, images, reference, goal: goal ?? null })
          : searches.indexOf(before);
      const over = new AbortController();
      const place = { topic: 'rates', number, schema: Found, signal };
      const [found] = await Promise.all([
        waitForEntry(folder, 'search', place).finally(() => over.abort()),
        follow(folder, { round, note, signal: over.signal }),
      ]);
      if (found.round !== round) {
        throw new PruningError(
          'E_JOURNAL',
          `${shownUrl(folder.url)}: the search answers round ${found.round} where round ${round} is asked: begin another run`,
        );
      }
      // An evaluator that is late may still look for the one before.
      const old = searches.at(number - 2);
      if (number >= 2 && old !== undefined) await removeData(folder, old.snapshot);
      return {
        rates: found.rates?.map((rate) => rate ?? undefined),
        score: found.score ?? undefined,
        evaluated: found.evaluated,
      };
    },
  };
}

/** Says at each beat how far the search of a round is, until that is over. */
async function follow(
  folder: RunFolder,
  { round, note, signal }: { readonly round: number; readonly note: Note; readonly signal: AbortSignal },
): Promise<void> {
  note(`round ${round}: waiting for the search`);
  while (await hasPassed(folder.pace.beatMs, signal)) {
    const { data: now } = roundProgressSchema.safeParse(await progressOf(folder, 'search'));
    if (signal.aborted) return;
    if (now?.round === round) note(`round ${round}, ${shownProgress(now)}`, now.secondsLeft);
    else note(`round ${round}: waiting for the search`);
  }
}

/** Waits; false when it was ended. */
async function hasPassed(ms: number, signal: AbortSignal): Promise<boolean> {
  try {
    await pauseFor(ms, signal);
    return true;
  } catch (error) {
    if (!signal.aborted) throw error;
    return false;
  }
}

/** How many states are kept: a damaged one is no loss. */
const STATES = 2;

/** All that was searched. */
async function journalOf({ folder }: Office): Promise<readonly Generation[]> {
  const generations: Generation[] = [];
  for (;;) {
    const place = { topic: 'generations', number: generations.length, schema: Told };
    const next = await readEntry(folder, 'search', place);
    if (next === undefined) return generations;
    generations.push(next);
  }
}

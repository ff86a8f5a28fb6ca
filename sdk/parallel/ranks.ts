/**
 * The ranks of this process's job. A launch file that may run as several asks to join once, at its beginning; from then
 * on what prepares data, trains and writes results asks `theseRanks()` what is its own to do.
 */
import { ParallelError } from '../base/errors.js';
import { currentRank, type Rank } from '../base/rank.js';
import { type Communicator, openCommunicator } from './communicator.js';
import { rendezvousOf } from './rendezvous.js';

/** What JSON can hold. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/** The ranks of a job, seen from one of them. */
export interface Ranks extends Rank {
  /** Undefined where this process is alone. */
  readonly communicator: Communicator | undefined;
  /** What every rank gives, in the order of ranks. */
  gather<T extends Json>(value: T): Promise<readonly T[]>;
  /** Rank 0's bytes, on every rank. */
  broadcast(bytes: Uint8Array): Promise<Uint8Array>;
  /**
   * Does something once per machine, on its first rank; the others wait, and get what it gave.
   *
   * @throws ParallelError `E_RANK_FAILED` on the others when it throws, with its message
   */
  onFirstOfNode<T extends Json>(work: () => Promise<T>): Promise<T>;
  /** The same once per job, on rank 0. */
  onFirst<T extends Json>(work: () => Promise<T>): Promise<T>;
  /**
   * Finds out that all ranks are about to do the same thing.
   *
   * @throws ParallelError `E_RANKS_DIFFER` on every rank, naming a rank that differs from rank 0 and in what
   */
  requireSame(facts: Readonly<Record<string, string | number | boolean>>): Promise<void>;
}

const ALONE: Ranks = {
  id: 0,
  size: 1,
  local: 0,
  localSize: 1,
  communicator: undefined,
  gather: async (value) => [value],
  broadcast: async (bytes) => bytes,
  onFirstOfNode: (work) => work(),
  onFirst: (work) => work(),
  requireSame: async () => {},
};

let joined: Ranks = ALONE;

/** The ranks that this process has joined; itself alone before. */
export function theseRanks(): Ranks {
  return joined;
}

/**
 * Meets the other ranks of the job that this process is one of; where it is the only one, it goes on at once.
 *
 * @throws ParallelError `E_RANK`, `E_RENDEZVOUS` when the variables do not say enough, `E_RANKS_JOIN` when the others do not come
 */
export async function joinRanks(): Promise<Ranks> {
  if (joined !== ALONE) return joined;
  const rank = currentRank();
  if (rank.size === 1) return joined;
  const communicator = await openCommunicator(rank, rendezvousOf(rank), { seconds: waitSeconds() });
  joined = ranksOver(rank, communicator);
  return joined;
}

/** Leaves the job: every rank's last call. With a reason the others stop, and say it. */
export function leaveRanks(reason?: string): void {
  const { communicator } = joined;
  joined = ALONE;
  if (reason !== undefined) communicator?.abandon(reason);
  communicator?.leave();
}

function waitSeconds(): number {
  return Number(process.env['MINDTS_RANK_TIMEOUT_S'] ?? 1800);
}

/** What a rank did for others, or why it could not. */
type Outcome<T> = { readonly value: T } | { readonly failure: string } | null;

function ranksOver(rank: Rank, communicator: Communicator): Ranks {
  const { id, local } = rank;

  async function gather<T extends Json>(value: T): Promise<readonly T[]> {
    const mine = Buffer.from(JSON.stringify(value));
    const lengths = await communicator.allGather(new Uint8Array(Uint32Array.of(mine.length).buffer));
    const sizes = lengths.map((length) => Buffer.from(length).readUInt32LE());
    const padded = Buffer.alloc(Math.max(...sizes));
    padded.set(mine);
    const all = await communicator.allGather(padded);
    return all.map((bytes, i) => JSON.parse(Buffer.from(bytes.subarray(0, sizes[i])).toString()));
  }

  /** Every rank gets what `doer` of its machine did. */
  async function shared<T extends Json>(doer: number, work: () => Promise<T>): Promise<T> {
    let outcome: Outcome<T> = null;
    let thrown: unknown;
    if (id === doer) {
      try {
        outcome = { value: await work() };
      } catch (error) {
        thrown = error;
        outcome = { failure: error instanceof Error ? error.message : String(error) };
      }
    }
    const outcomes = await gather<Outcome<T>>(outcome);
    if (thrown !== undefined) throw thrown;
    for (const [other, each] of outcomes.entries()) {
      if (each !== null && 'failure' in each)
        throw new ParallelError('E_RANK_FAILED', `rank ${other}: ${each.failure}`);
    }
    const done = outcomes[doer];
    if (done !== null && 'value' in done) return done.value;
    throw new ParallelError('E_RANK', `rank ${doer} is not the first of its machine, as rank ${id} has it`);
  }

  return {
    ...rank,
    communicator,
    gather,
    async broadcast(bytes) {
      const [length] = await gather(bytes.length);
      const all = Uint8Array.from({ length }, (_, i) => (id === 0 ? bytes[i] : 0));
      await communicator.broadcast(all);
      return all;
    },
    onFirstOfNode: (work) => shared(id - local, work),
    onFirst: (work) => shared(0, work),
    async requireSame(facts) {
      const all = await gather({ ...facts });
      for (const [other, theirs] of all.entries()) {
        for (const [what, ours] of Object.entries(all[0])) {
          if (theirs[what] === ours) continue;
          const difference = `${what} is ${theirs[what]} on rank ${other} and ${ours} on rank 0`;
          throw new ParallelError('E_RANKS_DIFFER', `the ranks of a job must train alike: ${difference}`);
        }
      }
    },
  };
}

/**
 * The ranks of this process's job. A launch file that may run as several asks to join once, at its beginning; from then
 * on what prepares data, trains and writes results asks `theseRanks()` what is its own to do.
 */
import { hostname } from 'node:os';
import { OtherRankError, ParallelError } from '../base/errors.js';
import { log } from '../base/log.js';
import { currentRank, type Rank } from '../base/rank.js';
import { type Communicator, openCommunicator } from './communicator.js';
import { type Rendezvous, rendezvousOf } from './rendezvous.js';

/** What JSON can hold. */
type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

/**
 * The ranks of a job, seen from one of them. What is asked for before the last thing is done waits for its turn, so that work
 * done for others must not ask for more of it.
 */
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
  const rendezvous = rendezvousOf(rank);
  const impatience = setTimeout(() => log.warn(`waiting for other ranks ${placeOf(rendezvous)}`), SILENT_MS);
  const communicator = await openCommunicator(rank, rendezvous, { seconds: waitSeconds() }).finally(() =>
    clearTimeout(impatience),
  );
  joined = ranksOver(rank, communicator, await firstOfMachine(rank, communicator));
  return joined;
}

/** How long ranks may keep each other waiting without a word. */
const SILENT_MS = 10_000;

/** Where others are waited for, and how they would know. */
function placeOf(rendezvous: Rendezvous): string {
  switch (rendezvous.kind) {
    case 'memory':
      return `in ${rendezvous.path}: if they were not started by one process, set MINDTS_RENDEZVOUS to one path for all`;
    case 'network':
      return `at ${rendezvous.host}:${rendezvous.port}, where rank 0 listens`;
    case 'mpi':
      return 'that mpirun started';
    default:
      throw rendezvous satisfies never;
  }
}

/** Leaves the job: every rank's last call. With a reason the others stop, and say it. */
export function leaveRanks(reason?: string): void {
  const { communicator } = joined;
  joined = ALONE;
  if (reason !== undefined) communicator?.abandon(reason);
  communicator?.leave();
}

function waitSeconds(): number {
  const text = process.env['MINDTS_RANK_TIMEOUT_S'] || '1800';
  const seconds = Number(text);
  if (seconds > 0) return seconds;
  throw new ParallelError('E_RANK', `MINDTS_RANK_TIMEOUT_S=${text}: it must be a number of seconds above 0`);
}

/** The rank that works for all of this machine: ranks may be dealt out to machines in turns. */
async function firstOfMachine({ id, local }: Rank, communicator: Communicator): Promise<number> {
  const mine = { local, host: hostname() };
  const all = await gatherJson(communicator, mine);
  if (local === 0) return id;
  const first = all.findLastIndex((each, other) => other < id && each.local === 0 && each.host === mine.host);
  return first < 0 ? id - local : first;
}

async function gatherJson<T extends Json>(communicator: Communicator, value: T): Promise<readonly T[]> {
  const mine = Buffer.from(JSON.stringify(value));
  const lengths = await communicator.allGather(new Uint8Array(Uint32Array.of(mine.length).buffer));
  const sizes = lengths.map((length) => Buffer.from(length).readUInt32LE());
  const padded = Buffer.alloc(Math.max(...sizes));
  padded.set(mine);
  const all = await communicator.allGather(padded);
  return all.map((bytes, i) => JSON.parse(Buffer.from(bytes.subarray(0, sizes[i])).toString()));
}

/** Does one thing after the other, in the order in which they are asked for: that is the same on all ranks, how long each takes is not. */
function turns(): <T>(run: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (run) => {
    const next = last.then(run, run);
    last = next;
    return next;
  };
}

/** What a rank did for others, or why it could not. */
type Outcome<T> = { readonly value: T } | { readonly failure: string } | null;

function ranksOver(rank: Rank, communicator: Communicator, first: number): Ranks {
  const { id } = rank;
  const inTurn = turns();
  const gather: Ranks['gather'] = (value) => inTurn(() => gatherJson(communicator, value));

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
    const outcomes = await gatherJson<Outcome<T>>(communicator, outcome);
    if (thrown !== undefined) throw thrown;
    for (const [other, each] of outcomes.entries()) {
      if (each !== null && 'failure' in each)
        throw new OtherRankError('E_RANK_FAILED', `rank ${other}: ${each.failure}`);
    }
    const done = outcomes[doer];
    if (done !== null && 'value' in done) return done.value;
    throw new ParallelError('E_RANK', `rank ${doer} is not the first of its machine, as rank ${id} has it`);
  }

  return {
    ...rank,
    communicator,
    gather,
    broadcast: (bytes) =>
      inTurn(async () => {
        const [length] = await gatherJson(communicator, bytes.length);
        const all = new Uint8Array(length);
        if (id === 0) all.set(bytes);
        await communicator.broadcast(all);
        return all;
      }),
    onFirstOfNode: (work) => inTurn(() => shared(first, work)),
    onFirst: (work) => inTurn(() => shared(0, work)),
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

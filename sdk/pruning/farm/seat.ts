/**
 * Having a role: to ask for it, to show signs of life, to hear of a stop, to give it back.
 *
 * A sole role is asked for with registers that each have one writer (Lamport's bakery, 1974): write a claim with an epoch above all
 * that are there, then look who else is there. Of two who claim at once at most one sees no other; the one with the smaller session waits
 * until the other has gone. A claimant that falls silent is passed with a higher epoch. So no two ever have the role in one epoch, and
 * what is written in an epoch counts no more once a higher one is claimed (journal.ts): a holder that was stopped for an hour and
 * goes on can write, but nobody reads it.
 */
import { z } from 'zod';
import { MindtsError, PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';
import { pauseFor, until } from './pace.js';
import {
  fileOf,
  forget,
  type Identity,
  type Life,
  type Member,
  newSession,
  ownIdentity,
  type Role,
  type Seen,
  type SoleRole,
  seen,
  Watcher,
} from './roles.js';
import { requireGoing } from './stop.js';

/** A role that this process has. */
export interface Seat extends Member {
  readonly folder: RunFolder;
  /** Aborted when it has to end; the reason is the error: `E_STOPPED`, `E_LEASE_LOST`, `E_STORE_DEAD`, … */
  readonly signal: AbortSignal;
  /**
   * Looks whether the role is still this process's, now.
   *
   * @throws PruningError `E_LEASE_LOST`; `E_RUN_GONE` when somebody has removed the run's folder
   */
  requireHeld(): Promise<void>;
  /** Says how far it is with the next signs of life, to whoever looks on: plain data, undefined for nothing. */
  report(progress: unknown): void;
  /** Ends the signs of life, and says that it has ended; after a stop that is the acknowledgement. */
  leave(): Promise<void>;
}

/** What tells that a process has ended by itself. */
export const Left = z.strictObject({ why: z.string(), at: z.string() });

/**
 * Takes a role that one process of a run may have.
 *
 * @param options prepare: what the holder writes into its `open` file, when nobody else can change what it depends on; onBeat: called at
 * every sign of life
 * @throws PruningError `E_TAKEN` when another process has it, naming its machine and number; `E_STOPPED`
 */
export async function takeSoleRole(
  folder: RunFolder,
  role: SoleRole,
  {
    prepare,
    onBeat,
  }: {
    readonly prepare: (claimed: Member, others: readonly Seen[]) => Promise<unknown>;
    readonly onBeat?: (held: Member) => Promise<void>;
  },
): Promise<Seat> {
  await requireGoing(folder);
  const watcher = new Watcher(folder);
  const session = newSession();
  for (;;) {
    const before = await seen(folder, role);
    const newest = before.at(0)?.epoch ?? 0;
    for (const other of before) if (other.epoch === newest) await requireDead(watcher, other);
    const seat = await sit(folder, { role, epoch: newest + 1, session }, onBeat);
    let others: readonly Seen[] | undefined;
    try {
      others = await othersIn(seat, watcher);
      if (others !== undefined) await folder.put(fileOf(seat, 'open'), await prepare(seat, others));
    } catch (error) {
      await seat.abandon();
      throw error;
    }
    if (others === undefined) {
      await seat.abandon();
      continue;
    }
    // Not before: until this one is open, what an earlier holder opened is what counts.
    for (const other of others) await forget(folder, other);
    return seat;
  }
}

/**
 * Becomes one of any number of evaluators.
 *
 * @throws PruningError `E_STOPPED` when the run was stopped
 */
export async function joinEvaluators(folder: RunFolder): Promise<Seat> {
  await requireGoing(folder);
  const watcher = new Watcher(folder);
  // Else those that were killed would fill the folder.
  for (const other of await seen(folder, 'evaluator')) {
    if ((await watcher.lookAt(other)) === 'dead') await forget(folder, other);
  }
  return sit(folder, { role: 'evaluator', epoch: 0, session: newSession() });
}

/** Whether neither this member's claim nor what the run is stands there any more. A member that was taken for dead finds the run. */
async function isRemoved(folder: RunFolder, member: Member): Promise<boolean> {
  return !(await folder.has(fileOf(member, 'claim'))) && !(await folder.has('run.json'));
}

function gone({ url }: RunFolder): PruningError {
  return new PruningError('E_RUN_GONE', `${shownUrl(url)} was removed while the run went on: begin it anew`);
}

/** The error for a role that another process has taken over. */
export function lostTo(role: Role, other: Identity | undefined): PruningError {
  const by = other === undefined ? 'another process' : `process ${other.pid} on ${other.host}`;
  return new PruningError('E_LEASE_LOST', `${by} has taken over as ${role}, since this one was silent: ending`);
}

/** Waits until it is known that a holder or claimant lives or not. */
async function requireDead(watcher: Watcher, holder: Seen): Promise<void> {
  const { folder } = watcher;
  const what = `a sign of life of the ${holder.role}`;
  const life = await until<Life>(
    async () => {
      const now = (await seen(folder, holder.role)).find(({ session }) => session === holder.session);
      // One that gave up its claim is as good as dead.
      const found = now === undefined ? 'dead' : await watcher.lookAt(now);
      return found === 'unknown' ? undefined : found;
    },
    { pace: folder.pace, what },
  );
  if (life === 'dead') return;
  const first = await watcher.identityOf(holder);
  const who = first === undefined ? '' : `, process ${first.pid} on ${first.host} since ${first.since}`;
  throw new PruningError(
    'E_TAKEN',
    `${shownUrl(folder.url)} has a ${holder.role} already${who}: stop that one first, or name another run`,
  );
}

/** The earlier holders, when this claim is the only one of its epoch and none is above it; undefined when it has to be given up. */
async function othersIn({ folder, role, epoch, session }: Member & { folder: RunFolder }, watcher: Watcher) {
  await pauseFor(folder.pace.settleMs);
  return until<readonly Seen[] | 'give up'>(
    async () => {
      const others = (await seen(folder, role)).filter((other) => other.session !== session);
      const rivals = others.filter((other) => other.epoch >= epoch);
      if (rivals.length === 0) return others;
      const isFirst = rivals.every((other) => other.epoch === epoch && !other.isOpen && session < other.session);
      if (!isFirst) return 'give up';
      const lives = await Promise.all(rivals.map((other) => watcher.lookAt(other)));
      return lives.includes('dead') ? 'give up' : undefined;
    },
    { pace: folder.pace, what: `another ${role} that came at the same time` },
  ).then((found) => (found === 'give up' ? undefined : found));
}

/** A claim, and the signs of life for it. */
async function sit(
  folder: RunFolder,
  member: Member,
  onBeat?: (held: Member) => Promise<void>,
): Promise<Seat & { abandon(): Promise<void> }> {
  const { role, epoch, session } = member;
  const ending = new AbortController();
  const left = new AbortController();
  let count = 0;
  let progress: unknown;

  async function beat(): Promise<void> {
    await folder.put(fileOf(member, 'beat'), { count: ++count, at: new Date().toISOString(), progress });
  }
  async function requireHeld(): Promise<void> {
    const members = await seen(folder, role);
    const above = members.find((other) => other.epoch > epoch);
    if (above !== undefined && role !== 'evaluator') throw lostTo(role, await new Watcher(folder).identityOf(above));
    if (!members.some((other) => other.session === session) && (await isRemoved(folder, member))) throw gone(folder);
  }
  async function live(): Promise<void> {
    try {
      for (;;) {
        await pauseFor(folder.pace.beatMs, left.signal);
        // Before anything is written: that would make a folder anew that somebody has removed.
        await requireHeld();
        await beat();
        await onBeat?.(member);
        if (!ending.signal.aborted) await requireGoing(folder);
      }
    } catch (error) {
      if (left.signal.aborted) return;
      ending.abort(error);
      // Who has to stop still lives until it has left.
      if (error instanceof MindtsError && error.code === 'E_STOPPED') return live();
    }
  }

  await beat();
  await folder.put(fileOf(member, 'claim'), ownIdentity());
  const living = live();
  async function end(): Promise<void> {
    left.abort(new Error('left'));
    await living;
  }
  return {
    ...member,
    folder,
    signal: ending.signal,
    requireHeld,
    report(now) {
      progress = now;
    },
    async leave() {
      if (left.signal.aborted) return;
      await end();
      const { aborted, reason } = ending.signal;
      const why = aborted && reason instanceof MindtsError ? reason.code : 'done';
      // What a higher epoch passed has nothing more to say, and a dead store would be waited for once more.
      if (why === 'E_LEASE_LOST') await forget(folder, member);
      else if (why !== 'E_STORE_DEAD' && !(await isRemoved(folder, member)))
        await folder.put(fileOf(member, 'left'), { why, at: new Date().toISOString() });
    },
    async abandon() {
      await end();
      await forget(folder, member);
    },
  };
}

/** One stop for all: a file that every role looks for whenever it shows a sign of life; leaving is the acknowledgement. */
import { z } from 'zod';
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';
import { until } from './pace.js';
import { type Member, ROLES, type Seen, seen, Watcher } from './roles.js';

const Stop = z.strictObject({ why: z.string(), at: z.string() });
const NAME = 'stop.json';

/** Who has heard of a stop, and who will not any more. */
export interface Stopped {
  /** They have left. */
  readonly left: readonly Member[];
  /** They had died without a word, before or since. */
  readonly dead: readonly Member[];
}

/** Says that all roles shall end. The first reason stays. */
export async function stopRun(folder: RunFolder, why: string): Promise<void> {
  if (!(await folder.has(NAME))) await folder.put(NAME, { why, at: new Date().toISOString() });
}

/**
 * Waits until all roles have left, or are known to be dead.
 *
 * @param options except: roles that are not waited for, such as one's own
 * @throws PruningError `E_FARM_SILENT` when one goes on for `patienceMs`
 */
export async function untilAllLeft(
  folder: RunFolder,
  { except = [], signal }: { readonly except?: readonly string[]; readonly signal?: AbortSignal } = {},
): Promise<Stopped> {
  const watcher = new Watcher(folder);
  let going: readonly string[] = [];
  const left = new Map<string, Seen>();
  const dead = new Map<string, Seen>();
  await until(
    async () => {
      const members = (await Promise.all(ROLES.map((role) => seen(folder, role)))).flat();
      const still: string[] = [];
      for (const member of members) {
        if (except.includes(member.session)) continue;
        if (member.hasLeft) left.set(member.session, member);
        else if ((await watcher.lookAt(member)) === 'dead') dead.set(member.session, member);
        else still.push(member.role);
      }
      going = still;
      return going.length === 0 || undefined;
    },
    {
      pace: folder.pace,
      signal,
      get what() {
        return `the end of ${going.join(', ')}`;
      },
    },
  );
  for (const session of left.keys()) dead.delete(session);
  return { left: [...left.values()], dead: [...dead.values()] };
}

/** Lets a stopped run go on; for its main role, before the others come back. */
export async function liftStop(folder: RunFolder): Promise<void> {
  await folder.remove(NAME);
}

/** Why a run was stopped, or undefined. */
export async function stopOf(folder: RunFolder): Promise<string | undefined> {
  return (await folder.take(NAME, Stop))?.why;
}

/** @throws PruningError `E_STOPPED` when all shall end */
export async function requireGoing(folder: RunFolder): Promise<void> {
  const why = await stopOf(folder);
  if (why !== undefined) throw new PruningError('E_STOPPED', `the run in ${shownUrl(folder.url)} was stopped: ${why}`);
}

/**
 * Who takes part in a run: the processes that have a role, as their files tell. A process is a *member*: a role, an epoch and a
 * random session. The names of the files say what state it is in, so that one listing shows a role.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import { z } from 'zod';
import { systemCode } from '../../base/errors.js';
import { isRunning, processMark } from '../../base/process-mark.js';
import type { RunFolder } from './folder.js';
import { until } from './pace.js';

/** Roles that one process of a run may have at a time. */
export const SOLE_ROLES = ['main', 'trainer', 'search'] as const;
/** And one that any number may have. */
export const ROLES = [...SOLE_ROLES, 'evaluator'] as const;
export type SoleRole = (typeof SOLE_ROLES)[number];
export type Role = (typeof ROLES)[number];

/** A process with a role. */
export interface Member {
  readonly role: Role;
  /** Counts the holders of a sole role; what a lower one writes counts no more. 0 for evaluators. */
  readonly epoch: number;
  readonly session: string;
}

/** What a member's files say. */
export interface Seen extends Member {
  /** It has the role: it was alone when it asked for it. An evaluator: it is ready to evaluate. */
  readonly isOpen: boolean;
  /** It has said that it ends. */
  readonly hasLeft: boolean;
}

/** Which process a member is, for people and for {@link Watcher}. */
export const Identity = z.strictObject({
  host: z.string(),
  pid: z.number(),
  /** See process-mark.ts. */
  mark: z.string(),
  /** Where the mark means something: this start of this machine, and its numbers of processes. Empty where the system does not tell. */
  space: z.string(),
  /** When it came, by its own clock: for people alone. */
  since: z.string(),
});
export type Identity = z.infer<typeof Identity>;

export const Beat = z.strictObject({
  count: z.int(),
  at: z.string(),
  /** How far it is, as its `report` (seat.ts) was told: for people alone. */
  progress: z.unknown().optional(),
});

/** A session of this process; no two are alike. */
export function newSession(): string {
  return randomBytes(6).toString('hex');
}

/** This process. */
export function ownIdentity(): Identity {
  const since = new Date().toISOString();
  return { host: hostname(), pid: process.pid, mark: processMark(), space: processSpace(), since };
}

/** The name of one of a member's files. */
export function fileOf({ role, epoch, session }: Member, what: 'claim' | 'open' | 'left' | 'beat'): string {
  return `roles/${role}/${String(epoch).padStart(6, '0')}.${session}.${what}`;
}

/** The members of a role whose claim is there, the newest epoch first. */
export async function seen(folder: RunFolder, role: Role): Promise<readonly Seen[]> {
  const names = new Set(await folder.list(`roles/${role}`));
  const members = [...names].flatMap((name): Seen[] => {
    const [, epoch, session] = CLAIM.exec(name) ?? [];
    if (epoch === undefined || session === undefined) return [];
    const own = `${epoch}.${session}`;
    const [isOpen, hasLeft] = [names.has(`${own}.open`), names.has(`${own}.left`)];
    return [{ role, epoch: Number(epoch), session, isOpen, hasLeft }];
  });
  return members.sort(
    (a, b) => b.epoch - a.epoch || Number(b.isOpen) - Number(a.isOpen) || (a.session < b.session ? -1 : 1),
  );
}

const CLAIM = /^(\d{6})\.([0-9a-f]{12})\.claim$/;

/** Removes all files of a member. */
export async function forget(folder: RunFolder, member: Member): Promise<void> {
  // The claim last: without it the others say nothing.
  for (const what of ['beat', 'open', 'left', 'claim'] as const) await folder.remove(fileOf(member, what));
}

/** What the holder of a role has said last of how far it is; undefined where there is none. */
export async function progressOf(folder: RunFolder, role: SoleRole): Promise<unknown> {
  const holder = (await seen(folder, role)).find(({ isOpen, hasLeft }) => isOpen && !hasLeft);
  return holder && (await folder.take(fileOf(holder, 'beat'), Beat))?.progress;
}

/** What one knows of a member: dead; alive, having beaten while one looked; or not yet known. */
export type Life = 'alive' | 'dead' | 'unknown';

/**
 * Tells who lives, from looks at their beats. Clocks of other machines play no part, and none of this one that can be set: a member is
 * dead when its beat was the same for `lostMs`. Time in which nobody could look, because the store failed or this process was
 * stopped, does not count. Of a process of this machine it is known at once.
 */
export class Watcher {
  readonly #known = new Map<
    string,
    { count: number | undefined; silentMs: number; lookedAt: number; hasBeaten: boolean }
  >();
  readonly #identities = new Map<string, Identity>();
  readonly #space = processSpace();

  /** @param now a clock in milliseconds that only goes forward */
  constructor(
    readonly folder: RunFolder,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** Looks once. */
  async lookAt(member: Seen): Promise<Life> {
    if (member.hasLeft) return 'dead';
    const identity = await this.identityOf(member);
    if (identity !== undefined && identity.space !== '' && identity.space === this.#space && !isRunning(identity.mark))
      return 'dead';
    const { lostMs } = this.folder.pace;
    const count = (await this.folder.take(fileOf(member, 'beat'), Beat))?.count;
    const [now, id] = [this.now(), `${member.epoch}.${member.session}`];
    const known = this.#known.get(id);
    if (known === undefined || known.count !== count) {
      const hasBeaten = known !== undefined;
      this.#known.set(id, { count, silentMs: 0, lookedAt: now, hasBeaten });
      return hasBeaten ? 'alive' : 'unknown';
    }
    const silentMs = known.silentMs + Math.min(now - known.lookedAt, lostMs / LEAST_LOOKS);
    this.#known.set(id, { ...known, silentMs, lookedAt: now });
    if (silentMs >= lostMs) return 'dead';
    return known.hasBeaten ? 'alive' : 'unknown';
  }

  /** Which process it is; undefined when its claim is gone. */
  async identityOf(member: Member): Promise<Identity | undefined> {
    const known = this.#identities.get(member.session);
    if (known !== undefined) return known;
    const identity = await this.folder.take(fileOf(member, 'claim'), Identity);
    if (identity !== undefined) this.#identities.set(member.session, identity);
    return identity;
  }
}

/**
 * Whether anybody has one of these roles and lives; watches until that is known.
 */
export async function anybodyLives(folder: RunFolder, roles: readonly Role[]): Promise<boolean> {
  const watcher = new Watcher(folder);
  const look = async (): Promise<boolean | undefined> => {
    const members = (await Promise.all(roles.map((role) => seen(folder, role)))).flat();
    const lives = await Promise.all(members.map((member) => watcher.lookAt(member)));
    if (lives.includes('alive')) return true;
    return lives.includes('unknown') ? undefined : false;
  };
  return until(look, { pace: folder.pace, what: `a sign of life of ${roles.join(', ')}` });
}

/** A silence is found by at least so many looks. */
const LEAST_LOOKS = 5;

/** Linux: numbers of processes mean something within one start of one machine and one of its namespaces. */
function processSpace(): string {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return '';
  }
}

/** What a running cluster looks like from outside: data for `mindts prune status`. It is only looked at, nothing in it is touched. */
import { PruningError } from '../../base/errors.js';
import { storeFor } from '../../storage/stores.js';
import { shownUrl } from '../../storage/url.js';
import { type BoardStatus, boardStatus } from './board-status.js';
import { type RunFolder, runFolder } from './folder.js';
import { type Damaged, observed } from './observer.js';
import { type Pace, pauseFor } from './pace.js';
import {
  Beat,
  fileOf,
  type Life,
  type Member,
  ROLES,
  type Role,
  type Seen,
  SOLE_ROLES,
  seen,
  Watcher,
} from './roles.js';
import { stopOf } from './stop.js';

export interface MemberStatus extends Member {
  /** `silent`: no sign of life while one looked, which may still come. */
  readonly state: 'alive' | 'silent' | 'dead' | 'left';
  /** Where it runs; undefined where its claim is damaged. */
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** Its last sign of life, by its own clock. */
  readonly beatAt: string | undefined;
  /** The same by this machine's clock: below 0 where the other one is ahead. */
  readonly secondsSinceBeat: number | undefined;
  /** What it says of how far it is. */
  readonly progress: unknown;
}

export interface RunStatus {
  readonly run: string;
  readonly url: string;
  /** Why it was stopped. */
  readonly stopped: string | undefined;
  readonly members: readonly MemberStatus[];
  /** Roles that nobody has who may be alive. */
  readonly missing: readonly Role[];
  /** What is being evaluated. */
  readonly board: BoardStatus | undefined;
  /** The names of messages that were none of this run's. */
  readonly quarantined: readonly string[];
  /** Such as still lie where they were found. */
  readonly damaged: readonly Damaged[];
}

/** How to look. */
export interface Looking {
  /** As the roles were given. */
  readonly pace?: Partial<Pace>;
  /** How long it is watched for signs of life; default three beats. */
  readonly watchMs?: number;
}

/**
 * The state of every run below a work URL. Of damaged messages a part is found: those that tell the state.
 *
 * @throws PruningError `E_NO_RUN` where there is none; StorageError for a URL that cannot be listed
 * @example
 * const folder = await runFolder('out/work', 'seed-1');
 * const search = await takeOffice(folder, 'search', ['rates']);
 * const [{ run, members, missing }] = await statusOf('out/work');
 * run; // 'seed-1'
 * members.map(({ role, state, pid }) => [role, state, pid]); // [['search', 'alive', process.pid]]
 * missing; // ['main', 'trainer', 'evaluator']
 * await search.leave();
 */
export async function statusOf(workUrl: string, looking: Looking = {}): Promise<readonly RunStatus[]> {
  const runs = await runsIn(workUrl, looking.pace);
  if (runs.length === 0) {
    const why = 'check that it is the --work_url of the roles, and that prune_main was started';
    throw new PruningError('E_NO_RUN', `${shownUrl(workUrl)} holds no run: ${why}`);
  }
  return Promise.all(
    runs.map(async (run) => statusOfRun(await runFolder(workUrl, run, looking.pace), looking.watchMs)),
  );
}

/** The state of one run. */
export async function statusOfRun(given: RunFolder, watchMs: number = 3 * given.pace.beatMs): Promise<RunStatus> {
  const folder = observed(given);
  const seenMembers = (await Promise.all(ROLES.map((role) => seen(folder, role)))).flat();
  const members = await Promise.all(
    (await lives(folder, seenMembers, watchMs)).map((one) => memberStatus(folder, ...one)),
  );
  const stopped = await stopOf(folder);
  return {
    run: folder.run,
    url: folder.url,
    stopped,
    members,
    missing: ROLES.filter((role) => !members.some((member) => member.role === role && isHere(member))),
    board: await boardStatus(folder, members),
    quarantined: await folder.list('quarantine'),
    damaged: folder.damaged,
  };
}

/** Whether it may be alive. */
export function isHere({ state }: Pick<MemberStatus, 'state'>): boolean {
  return state === 'alive' || state === 'silent';
}

/**
 * The names of the runs below a work URL: folders that say what is run, or whose main is about to.
 *
 * @throws StorageError for a URL that cannot be listed
 */
export async function runsIn(workUrl: string, pace?: Partial<Pace>): Promise<readonly string[]> {
  const store = await storeFor(workUrl);
  const runs: string[] = [];
  if ((await store.stat(workUrl))?.kind !== 'folder') return runs;
  for await (const { kind, name } of store.list(workUrl, { recursive: false })) {
    if (kind === 'folder' && /^[a-z0-9][\w.-]{0,63}$/i.test(name) && (await isRun(workUrl, name, pace)))
      runs.push(name);
  }
  return runs;
}

async function isRun(workUrl: string, name: string, pace: Partial<Pace> | undefined): Promise<boolean> {
  const folder = await runFolder(workUrl, name, pace);
  if (await folder.has('run.json')) return true;
  const claims = await Promise.all(SOLE_ROLES.map((role) => seen(folder, role)));
  return claims.flat().length > 0;
}

/** Watches until all are known to be alive or dead, or the time is over. */
async function lives(folder: RunFolder, members: readonly Seen[], watchMs: number): Promise<readonly [Seen, Life][]> {
  const watcher = new Watcher(folder);
  const begun = performance.now();
  for (;;) {
    const found = await Promise.all(
      members.map(async (member): Promise<[Seen, Life]> => [member, await watcher.lookAt(member)]),
    );
    const isKnown = found.every(([, life]) => life !== 'unknown');
    if (isKnown || performance.now() - begun >= watchMs) return found;
    await pauseFor(folder.pace.mostPollMs);
  }
}

async function memberStatus(folder: RunFolder, member: Seen, life: Life): Promise<MemberStatus> {
  const { role, epoch, session } = member;
  // It may have left since its files were listed.
  const hasLeft = member.hasLeft || (life === 'dead' && (await folder.has(fileOf(member, 'left'))));
  const identity = await new Watcher(folder).identityOf(member);
  const beat = await folder.take(fileOf(member, 'beat'), Beat);
  const at = Date.parse(beat?.at ?? '');
  return {
    role,
    epoch,
    session,
    state: hasLeft ? 'left' : life === 'unknown' ? 'silent' : life,
    host: identity?.host,
    pid: identity?.pid,
    beatAt: beat?.at,
    secondsSinceBeat: Number.isNaN(at) ? undefined : (Date.now() - at) / 1000,
    progress: beat?.progress,
  };
}

/** What a running cluster looks like from outside: data for `mindts prune status`. */
import { StorageError } from '../../base/errors.js';
import { storeFor } from '../../storage/stores.js';
import { blockCount, filesOf, generationsIn, Tasks } from './board.js';
import { type RunFolder, runFolder } from './folder.js';
import { type Pace, pauseFor } from './pace.js';
import { Beat, fileOf, type Life, type Member, ROLES, type Seen, seen, Watcher } from './roles.js';
import { stopOf } from './stop.js';

export interface MemberStatus extends Member {
  /** `silent`: no sign of life while one looked, which may still come. */
  readonly state: 'alive' | 'silent' | 'dead' | 'left';
  /** Where it runs; undefined where its claim is damaged. */
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** Its last sign of life, by its own clock. */
  readonly beatAt: string | undefined;
}

export interface RunStatus {
  readonly run: string;
  readonly url: string;
  /** Why it was stopped. */
  readonly stopped: string | undefined;
  readonly members: readonly MemberStatus[];
  /** What is being evaluated. */
  readonly board: BoardStatus | undefined;
  /** The names of messages that were none of this run's. */
  readonly quarantined: readonly string[];
}

export interface BoardStatus {
  readonly round: number;
  readonly generation: number;
  readonly candidates: number;
  /** Blocks in all, with an answer, without one but claimed or owned. */
  readonly blocks: number;
  readonly answered: number;
  readonly claimed: number;
  /** Blocks that nobody works on yet. */
  readonly backlog: number;
}

/**
 * The state of every run below a work URL.
 *
 * @param options pace: as the roles were given; watchMs: how long it is watched for signs of life, default three beats
 * @throws StorageError for a URL that cannot be listed
 * @example
 * const folder = await runFolder('out/work', 'seed-1');
 * const search = await takeOffice(folder, 'search', ['rates']);
 * const [{ run, members }] = await statusOf('out/work');
 * run; // 'seed-1'
 * members.map(({ role, state, pid }) => [role, state, pid]); // [['search', 'alive', process.pid]]
 * await search.leave();
 */
export async function statusOf(
  workUrl: string,
  { pace, watchMs }: { readonly pace?: Partial<Pace>; readonly watchMs?: number } = {},
): Promise<readonly RunStatus[]> {
  const runs: Promise<RunStatus>[] = [];
  for (const run of await runsIn(workUrl)) {
    runs.push(runFolder(workUrl, run, pace).then((folder) => statusOfRun(folder, watchMs)));
  }
  return Promise.all(runs);
}

/** The state of one run. */
export async function statusOfRun(folder: RunFolder, watchMs: number = 3 * folder.pace.beatMs): Promise<RunStatus> {
  const members = (await Promise.all(ROLES.map((role) => seen(folder, role)))).flat();
  return {
    run: folder.run,
    url: folder.url,
    stopped: await stopOf(folder),
    members: await Promise.all((await lives(folder, members, watchMs)).map((one) => memberStatus(folder, ...one))),
    board: await boardStatus(folder),
    quarantined: await folder.list('quarantine'),
  };
}

async function runsIn(workUrl: string): Promise<readonly string[]> {
  const store = await storeFor(workUrl);
  const runs: string[] = [];
  for await (const { kind, name } of store.list(workUrl, { recursive: false })) {
    const isRun = kind === 'folder' && /^[a-z0-9][\w.-]{0,63}$/i.test(name);
    if (isRun) runs.push(name);
  }
  if (runs.length === 0)
    throw new StorageError('E_EMPTY', `${workUrl} holds no runs: check that it is the work folder`);
  return runs;
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
  const { role, epoch, session, hasLeft } = member;
  const identity = await new Watcher(folder).identityOf(member);
  const beat = await folder.take(fileOf(member, 'beat'), Beat);
  const state = hasLeft ? 'left' : life === 'unknown' ? 'silent' : life;
  return { role, epoch, session, state, host: identity?.host, pid: identity?.pid, beatAt: beat?.at };
}

async function boardStatus(folder: RunFolder): Promise<BoardStatus | undefined> {
  const names = await folder.list('board');
  const key = generationsIn(names).at(0);
  const tasks = key === undefined ? undefined : await folder.take(`board/${key}.tasks`, Tasks);
  if (key === undefined || tasks === undefined) return undefined;
  const { claims, results } = filesOf(names, key);
  const answered = new Set(results.map(({ block }) => block));
  const taken = [...claims.map(({ block }) => block), ...(tasks.owners ?? []).keys()];
  const claimed = new Set(taken.filter((block) => !answered.has(block)));
  const blocks = blockCount(tasks);
  return {
    round: tasks.round,
    generation: tasks.generation,
    candidates: tasks.candidates.length,
    blocks,
    answered: answered.size,
    claimed: claimed.size,
    backlog: blocks - answered.size - claimed.size,
  };
}

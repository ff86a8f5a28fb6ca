/** What is being evaluated, and by whom, as one who looks on sees it. */
import { storeFor } from '../../storage/stores.js';
import { joinUrl } from '../../storage/url.js';
import { type BlockFile, blockCount, candidatesIn, filesOf, generationsIn, Tasks } from './board.js';
import type { RunFolder } from './folder.js';
import type { MemberStatus } from './status.js';

/** A block that an evaluator has, by claiming it or because the search gave it to it. */
export interface Lease {
  readonly block: number;
  readonly candidates: number;
  readonly how: 'claimed' | 'owned';
  readonly session: string;
  /** Of the evaluator; undefined where nothing is known of it any more. */
  readonly state: MemberStatus['state'] | undefined;
  readonly host: string | undefined;
  readonly pid: number | undefined;
  /** Since it was claimed, or the generation published, by the clocks of the store and of this machine; not below 0. */
  readonly secondsHeld: number | undefined;
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
  /** Of the blocks without an answer. */
  readonly leases: readonly Lease[];
}

/** The newest generation on the board; undefined when there is none. */
export async function boardStatus(
  folder: RunFolder,
  members: readonly MemberStatus[],
): Promise<BoardStatus | undefined> {
  // A generation may be over between the two looks; the next one is there before it goes.
  for (let looks = 0; looks < MOST_LOOKS; looks++) {
    const names = await folder.list('board');
    const key = generationsIn(names).at(0);
    if (key === undefined) return undefined;
    const tasks = await folder.take(`board/${key}.tasks`, Tasks);
    if (tasks !== undefined) return statusOfTasks(folder, { tasks, names, key, members });
  }
  return undefined;
}

const MOST_LOOKS = 5;

async function statusOfTasks(
  folder: RunFolder,
  {
    tasks,
    names,
    key,
    members,
  }: {
    readonly tasks: Tasks;
    readonly names: readonly string[];
    readonly key: string;
    readonly members: readonly MemberStatus[];
  },
): Promise<BoardStatus> {
  const { claims, results } = filesOf(names, key);
  const answered = new Set(results.map(({ block }) => block));
  const owned = (tasks.owners ?? []).map((session, block) => ({ block, session, name: `board/${key}.tasks` }));
  const isOpen = ({ block }: BlockFile): boolean => !answered.has(block);
  const held = [
    ...owned.filter(isOpen).map((file) => ({ ...file, how: 'owned' as const })),
    ...claims.filter(isOpen).map((file) => ({ ...file, how: 'claimed' as const })),
  ];
  const leases = await Promise.all(
    held.map(async ({ block, session, name, how }): Promise<Lease> => {
      const member = members.find((other) => other.session === session);
      const { state, host, pid } = member ?? { state: undefined, host: undefined, pid: undefined };
      const candidates = candidatesIn(tasks, block).length;
      return { block, candidates, how, session, state, host, pid, secondsHeld: await secondsSince(folder, name) };
    }),
  );
  const blocks = blockCount(tasks);
  const claimed = new Set(leases.map(({ block }) => block)).size;
  return {
    round: tasks.round,
    generation: tasks.generation,
    candidates: tasks.candidates.length,
    blocks,
    answered: answered.size,
    claimed,
    backlog: blocks - answered.size - claimed,
    leases: leases.sort((a, b) => a.block - b.block),
  };
}

/** Undefined where it is gone meanwhile. */
async function secondsSince({ url }: RunFolder, name: string): Promise<number | undefined> {
  const place = joinUrl(url, name);
  const entry = await (await storeFor(place)).stat(place);
  return entry && Math.max(0, (Date.now() - entry.modified) / 1000);
}

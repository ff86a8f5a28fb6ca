/** The evaluator's side of the board: take the block one owns, or claim one that nobody works on, evaluate it, answer. */
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { Bell } from './bell.js';
import { type BlockFile, blockCount, blockFile, candidatesIn, filesOf, generationsIn, Tasks } from './board.js';
import type { RunFolder } from './folder.js';
import { Waits } from './pace.js';
import { anybodyLives, fileOf, type Seen, SOLE_ROLES, seen, Watcher } from './roles.js';
import type { Seat } from './seat.js';

/** What one evaluation gets. */
export interface Block {
  readonly round: number;
  readonly generation: number;
  /** As in {@link Tasks.common}. */
  readonly common: unknown;
  /** The number of the first of these candidates. */
  readonly first: number;
  readonly candidates: readonly unknown[];
}

/**
 * Evaluates what is on the board until the run is stopped.
 *
 * @param seat an evaluator's, which is left
 * @param evaluate gives one result, plain data, for each candidate; it is told by the seat's signal when nobody wants it any more
 * @returns how many candidates were evaluated
 * @throws PruningError `E_EVALUATE` for another number of results; what `evaluate` throws, after which another evaluator takes the block; the
 * seat's reason to end, a stop aside
 */
export async function evaluateUntilStopped(
  seat: Seat,
  evaluate: (block: Block, signal: AbortSignal) => Promise<readonly unknown[]>,
): Promise<number> {
  const board = new Claims(seat);
  let done = 0;
  try {
    await seat.folder.put(fileOf(seat, 'open'), { at: new Date().toISOString() });
    for (;;) {
      const { key, block, tasks } = await board.next();
      const candidates = candidatesIn(tasks, block);
      const { round, generation, common, blockSize } = tasks;
      const first = block * blockSize;
      const evaluating = evaluate({ round, generation, common, first, candidates }, seat.signal);
      const results = await evaluating.catch(async (error: unknown) => {
        if (error instanceof PruningError && error.code === 'E_FARM_DATA' && (await board.isOver(key)))
          return undefined;
        throw error;
      });
      if (results === undefined) continue;
      if (results.length !== candidates.length) {
        const told = `${results.length} results for ${candidates.length} candidates`;
        throw new PruningError('E_EVALUATE', `generation ${generation} of round ${round}: ${told}`);
      }
      const { session } = seat;
      await seat.folder.put(blockFile(key, 'result', { block, session }), { round, generation, first, results });
      done += candidates.length;
    }
  } catch (error) {
    const reason: unknown = seat.signal.aborted ? seat.signal.reason : error;
    if (!(reason instanceof PruningError && reason.code === 'E_STOPPED')) throw reason;
    return done;
  } finally {
    board.close();
    await seat.leave();
  }
}

interface Claimed {
  readonly key: string;
  readonly block: number;
  readonly tasks: Tasks;
}

/** Looks for work, as one evaluator. */
class Claims {
  readonly #folder: RunFolder;
  readonly #watcher: Watcher;
  readonly #tasks = new Map<string, Tasks>();
  #bell: Bell | undefined;

  constructor(readonly seat: Seat) {
    this.#folder = seat.folder;
    this.#watcher = new Watcher(seat.folder);
  }

  close(): void {
    this.#bell?.close();
  }

  /** Whether a generation is no longer on the board. What it needs goes with it: who was stopped meanwhile finds neither. */
  async isOver(key: string): Promise<boolean> {
    return !(await this.#folder.has(`board/${key}.tasks`));
  }

  /** Waits for a block, as long as there is anybody who might publish one, and claims it where it is not this evaluator's already. */
  async next(): Promise<Claimed> {
    const { signal } = this.seat;
    const what = `work in ${shownUrl(this.#folder.url)}`;
    const isHopeful = (): Promise<boolean> => anybodyLives(this.#folder, SOLE_ROLES);
    this.#bell ??= this.#folder.listen('board', (name) => name.endsWith('.tasks'));
    const waits = new Waits({ pace: this.#folder.pace, what, signal, isHopeful, bell: this.#bell });
    // What came while one evaluated is seen by looking.
    this.#bell?.take();
    for (let hasWaited = false; ; ) {
      signal.throwIfAborted();
      const found = await this.#find(await this.#folder.list('board'), hasWaited);
      if (found === undefined) {
        // What is new is enough to find one's own block; for any other one looks what became of it.
        const own = await this.#find(await waits.wait(), false);
        if (own !== undefined && this.#owns(own)) return own;
        hasWaited = true;
      } else if (this.#owns(found) || (await this.#claim(found))) return found;
      // Else somebody was there at the same moment: look anew.
    }
  }

  async #find(names: readonly string[], hasWaited: boolean): Promise<Claimed | undefined> {
    const keys = generationsIn(names);
    for (const key of this.#tasks.keys()) if (!keys.includes(key)) this.#tasks.delete(key);
    for (const key of keys) {
      const tasks = await this.#tasksOf(key);
      if (tasks === undefined) continue;
      const block = await this.#choose(filesOf(names, key), tasks, hasWaited);
      if (block !== undefined) return { key, block, tasks };
    }
    return undefined;
  }

  #owns({ tasks, block }: Claimed): boolean {
    return tasks.owners?.[block] === this.seat.session;
  }

  async #tasksOf(key: string): Promise<Tasks | undefined> {
    const known = this.#tasks.get(key);
    if (known !== undefined) return known;
    const tasks = await this.#folder.take(`board/${key}.tasks`, Tasks);
    if (tasks !== undefined) this.#tasks.set(key, tasks);
    return tasks;
  }

  /** A block without an answer that nobody else works on, or where one has waited in vain, whose evaluators have all died. */
  async #choose(
    { claims, results }: ReturnType<typeof filesOf>,
    tasks: Tasks,
    hasWaited: boolean,
  ): Promise<number | undefined> {
    const answered = new Set(results.map(({ block }) => block));
    const count = blockCount(tasks);
    // Each begins elsewhere, so that two seldom want the same.
    const start = Number.parseInt(this.seat.session.slice(0, 8), 16) % count;
    const open = Array.from({ length: count }, (_, i) => (start + i) % count).filter((block) => !answered.has(block));
    const rivals = new Map(open.map((block) => [block, this.#rivals(claims, block, tasks)]));
    const free = open.find((block) => rivals.get(block)?.length === 0);
    if (free !== undefined || !hasWaited || open.length === 0) return free;
    const dead = await this.#dead([...rivals.values()].flat());
    return open.find((block) => rivals.get(block)?.every((session) => dead.has(session)));
  }

  /**
   * Whether the block is this evaluator's. Of two at the same moment the later session withdraws, unless it looked before the other one
   * wrote: then the work is done twice.
   */
  async #claim({ key, block, tasks }: Claimed): Promise<boolean> {
    const { session } = this.seat;
    const name = blockFile(key, 'claim', { block, session });
    await this.#folder.put(name, { round: tasks.round, generation: tasks.generation, block });
    const { claims, results } = filesOf(await this.#folder.list('board'), key);
    const isAnswered = results.some((result) => result.block === block);
    const before = this.#rivals(claims, block, tasks).filter((rival) => rival < session);
    const dead = before.length === 0 ? new Set<string>() : await this.#dead(before);
    if (!isAnswered && before.every((rival) => dead.has(rival))) return true;
    await this.#folder.remove(name);
    return false;
  }

  /** The sessions of the others that have claimed a block, or own it. */
  #rivals(claims: readonly BlockFile[], block: number, { owners = [] }: Tasks): readonly string[] {
    const claimed = claims.filter((claim) => claim.block === block).map(({ session }) => session);
    return [...claimed, ...owners.slice(block, block + 1)].filter((session) => session !== this.seat.session);
  }

  /** Which of some sessions' evaluators are dead: a look at each of them, no more. */
  async #dead(sessions: readonly string[]): Promise<ReadonlySet<string>> {
    const members = await seen(this.#folder, 'evaluator');
    const dead = new Set<string>();
    for (const session of new Set(sessions)) {
      const member: Seen | undefined = members.find((other) => other.session === session);
      if (member === undefined || (await this.#watcher.lookAt(member)) === 'dead') dead.add(session);
    }
    return dead;
  }
}

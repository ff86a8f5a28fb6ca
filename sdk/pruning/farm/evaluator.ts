/** The evaluator's side of the board: claim a block nobody works on, evaluate it, answer. */
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import { type BlockFile, blockCount, blockFile, candidatesIn, filesOf, generationsIn, Tasks } from './board.js';
import type { RunFolder } from './folder.js';
import { Waits } from './pace.js';
import { anybodyLives, type Seen, SOLE_ROLES, seen, Watcher } from './roles.js';
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
    for (;;) {
      const { key, block, tasks } = await board.next();
      const candidates = candidatesIn(tasks, block);
      const { round, generation, common, blockSize } = tasks;
      const first = block * blockSize;
      const results = await evaluate({ round, generation, common, first, candidates }, seat.signal);
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

  constructor(readonly seat: Seat) {
    this.#folder = seat.folder;
    this.#watcher = new Watcher(seat.folder);
  }

  /** Waits for a block, as long as there is anybody who might publish one, and claims it. */
  async next(): Promise<Claimed> {
    const { signal } = this.seat;
    const what = `work in ${shownUrl(this.#folder.url)}`;
    const isHopeful = (): Promise<boolean> => anybodyLives(this.#folder, SOLE_ROLES);
    const waits = new Waits({ pace: this.#folder.pace, what, signal, isHopeful });
    for (;;) {
      signal.throwIfAborted();
      const names = await this.#folder.list('board');
      const keys = generationsIn(names);
      for (const key of this.#tasks.keys()) if (!keys.includes(key)) this.#tasks.delete(key);
      for (const key of keys) {
        const tasks = await this.#tasksOf(key);
        const block = tasks === undefined ? undefined : await this.#choose(names, key, tasks);
        if (tasks === undefined || block === undefined) continue;
        if (await this.#claim(key, block)) return { key, block, tasks };
        // Somebody was there at the same moment: look anew.
        waits.begin();
      }
      await waits.wait();
    }
  }

  async #tasksOf(key: string): Promise<Tasks | undefined> {
    const known = this.#tasks.get(key);
    if (known !== undefined) return known;
    const tasks = await this.#folder.take(`board/${key}.tasks`, Tasks);
    if (tasks !== undefined) this.#tasks.set(key, tasks);
    return tasks;
  }

  /** A block without an answer that nobody works on, or whose evaluators have all died. */
  async #choose(names: readonly string[], key: string, tasks: Tasks): Promise<number | undefined> {
    const { claims, results } = filesOf(names, key);
    const answered = new Set(results.map(({ block }) => block));
    const count = blockCount(tasks);
    // Each begins elsewhere, so that two seldom want the same.
    const start = Number.parseInt(this.seat.session.slice(0, 8), 16) % count;
    const open = Array.from({ length: count }, (_, i) => (start + i) % count).filter((block) => !answered.has(block));
    const free = open.find((block) => this.#rivals(claims, block).length === 0);
    if (free !== undefined || open.length === 0) return free;
    const dead = await this.#dead(open.flatMap((block) => this.#rivals(claims, block)));
    return open.find((block) => this.#rivals(claims, block).every(({ session }) => dead.has(session)));
  }

  /**
   * Whether the block is this evaluator's. Of two at the same moment the later session withdraws, unless it looked before the other one
   * wrote: then the work is done twice.
   */
  async #claim(key: string, block: number): Promise<boolean> {
    const { session } = this.seat;
    const name = blockFile(key, 'claim', { block, session });
    await this.#folder.put(name, { round: Number(key.slice(0, 6)), generation: Number(key.slice(7, 15)), block });
    const { claims, results } = filesOf(await this.#folder.list('board'), key);
    const isAnswered = results.some((result) => result.block === block);
    const before = this.#rivals(claims, block).filter((rival) => rival.session < session);
    const dead = before.length === 0 ? new Set<string>() : await this.#dead(before);
    if (!isAnswered && before.every((rival) => dead.has(rival.session))) return true;
    await this.#folder.remove(name);
    return false;
  }

  #rivals(claims: readonly BlockFile[], block: number): readonly BlockFile[] {
    return claims.filter((claim) => claim.block === block && claim.session !== this.seat.session);
  }

  /** The sessions among those of some claims whose evaluators are dead: a look at each of them, no more. */
  async #dead(claims: readonly BlockFile[]): Promise<ReadonlySet<string>> {
    const members = await seen(this.#folder, 'evaluator');
    const dead = new Set<string>();
    for (const session of new Set(claims.map((claim) => claim.session))) {
      const member: Seen | undefined = members.find((other) => other.session === session);
      if (member === undefined || (await this.#watcher.lookAt(member)) === 'dead') dead.add(session);
    }
    return dead;
  }
}

/**
 * How the search divides generations among evaluators: where it can, a block for each of them, as large as the others, which has an owner
 * from the beginning. So nobody writes a claim, or looks whether another one did, between a generation and its answer. An owner that does
 * not answer is passed as one that claimed and died is, and owns nothing more as long as these shares are dealt.
 */
import { type BlockFile, blockCount, type Tasks } from './board.js';
import type { RunFolder } from './folder.js';
import { seen } from './roles.js';

/** The evaluators as the search has last seen them; for a round, after which who was slow gets a new chance. */
export class Shares {
  readonly #late = new Set<string>();
  #ready: readonly string[] = [];

  constructor(readonly folder: RunFolder) {}

  /** Looks who is there to evaluate. */
  async look(): Promise<void> {
    const members = await seen(this.folder, 'evaluator');
    this.#ready = members.filter(({ isOpen, hasLeft }) => isOpen && !hasLeft).map(({ session }) => session);
  }

  /**
   * Divides so many candidates.
   *
   * @param given the size of blocks, where it is not for the evaluators to say
   */
  deal(candidates: readonly unknown[], given?: number): Required<Pick<Tasks, 'blockSize' | 'owners' | 'candidates'>> {
    const ready = this.#ready.filter((session) => !this.#late.has(session));
    const blockSize = given ?? Math.ceil(candidates.length / Math.max(1, ready.length));
    const dealt = { candidates: [...candidates], blockSize };
    return { ...dealt, owners: ready.slice(0, blockCount(dealt)) };
  }

  /** Hears who has answered. */
  heard({ owners = [] }: Pick<Tasks, 'owners'>, { block, session }: Pick<BlockFile, 'block' | 'session'>): void {
    const owner = owners.at(block);
    if (owner !== undefined && owner !== session) this.#late.add(owner);
  }
}

/**
 * How the search divides generations among evaluators: where it can, a block for each of them, as large as the others, which has an owner
 * from the beginning. So nobody writes a claim, or looks whether another one did, between a generation and its answer. An owner that does
 * not answer is passed as one that claimed and died is, and owns nothing more in this round, nor in later ones as long as it shows no sign of life.
 */
import { type BlockFile, blockCount, type Tasks } from './board.js';
import type { RunFolder } from './folder.js';
import { Beat, fileOf, seen } from './roles.js';

/** The evaluators as the search has last seen them. */
export class Shares {
  /** Those who have not answered, with their beat at the beginning of the round after. */
  readonly #late = new Map<string, number | undefined>();
  #ready: readonly string[] = [];

  constructor(readonly folder: RunFolder) {}

  /** A round begins: who was slow gets a new chance, if it has beaten in the round before. Who is dead would hold up every round. */
  async begin(): Promise<void> {
    for (const [session, before] of this.#late) {
      const file = fileOf({ role: 'evaluator', epoch: 0, session }, 'beat');
      const beat = (await this.folder.take(file, Beat))?.count;
      if (before !== undefined && beat !== before) this.#late.delete(session);
      else this.#late.set(session, beat);
    }
    await this.look();
  }

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
    if (owner !== undefined && owner !== session) this.#late.set(owner, undefined);
  }
}

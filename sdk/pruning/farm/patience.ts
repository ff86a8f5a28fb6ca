/** Waits for a store that fails for longer than one call's own retries take, and tells people that it does. */
import { setTimeout as sleep } from 'node:timers/promises';
import { duration } from '../../base/amounts.js';
import { StorageError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { PassingFailure } from '../../storage/retry.js';
import type { Pace } from './pace.js';

/** The patience of one process with one store: several calls may wait at once, and it is told once. */
export class Patience {
  #failing: { readonly since: number; toldAt: number } | undefined;

  /** @param place whose store it is, for people */
  constructor(
    readonly place: string,
    readonly pace: Pick<Pace, 'patienceMs'>,
  ) {}

  /**
   * Does something, again while it fails in a way that may pass.
   *
   * @throws StorageError `E_STORE_DEAD` when it fails for `patienceMs`; other failures at once
   */
  async with<T>(action: () => Promise<T>): Promise<T> {
    const { patienceMs } = this.pace;
    const begun = performance.now();
    for (let pause = 100; ; pause = Math.min(5000, pause * 2)) {
      try {
        const result = await action();
        this.#answers();
        return result;
      } catch (error) {
        if (!(error instanceof StorageError) || !mayPass(error)) throw error;
        if (performance.now() - begun + pause > patienceMs) {
          const since = `the store has failed for ${Math.round(patienceMs / 1000)} s`;
          throw new StorageError('E_STORE_DEAD', `${error.message}; ${since}: start this role again when it is back`, {
            cause: error,
          });
        }
        this.#fails(error, begun);
        await sleep(pause);
      }
    }
  }

  #fails({ message }: StorageError, since: number): void {
    this.#failing ??= { since, toldAt: Number.NEGATIVE_INFINITY };
    if (performance.now() - this.#failing.toldAt < TELL_EVERY_MS) return;
    this.#failing.toldAt = performance.now();
    log.warn(`${message}; waiting for the store, ${Math.round(this.pace.patienceMs / 1000)} s at most`);
  }

  #answers(): void {
    if (this.#failing === undefined) return;
    const passed = duration((performance.now() - this.#failing.since) / 1000);
    this.#failing = undefined;
    log.warn(`${this.place} answers again after ${passed}: going on`);
  }
}

const TELL_EVERY_MS = 60_000;

function mayPass(error: StorageError): boolean {
  return error instanceof PassingFailure || PASSING.has(error.code);
}

/**
 * System errors without a name of their own are those of disks and network file systems (EIO, ESTALE). `E_CHANGED` is told of a
 * file that went away, or was replaced, between two requests of one call. On a disk that is full somebody makes room.
 */
const PASSING: ReadonlySet<string> = new Set(['E_READ', 'E_WRITE', 'E_CHANGED', 'E_NO_SPACE']);

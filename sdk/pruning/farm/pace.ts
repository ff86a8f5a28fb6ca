/** How long roles wait: between two looks, for a sign of life, for a store that fails (patience.ts). No wait is without an end. */
import { setTimeout as sleep } from 'node:timers/promises';
import { PruningError } from '../../base/errors.js';
import { schemeOf } from '../../storage/url.js';
import type { Bell } from './bell.js';

/** All in milliseconds. */
export interface Pace {
  /** Between two signs of life of a role; also how soon it hears of a stop. Default 1000, 2000 on other stores than this machine's. */
  readonly beatMs: number;
  /** A role that is silent for so long, as its observer's own clock has it, is taken for dead. Default 10 and 20 times as long. */
  readonly lostMs: number;
  /** The most that one waits for another role's message, or for a store that fails. Default ten minutes. */
  readonly patienceMs: number;
  /** Between two looks for a message: at first, and when it is long in coming. Default 2 and 50, five times that where a bell rings; 50 and 1000 on other stores. */
  readonly leastPollMs: number;
  readonly mostPollMs: number;
  /** How late a store may list what was just written. Default 0; 1000 on object stores, which promise less. */
  readonly settleMs: number;
}

/**
 * The pace for a place.
 *
 * @param given what shall be otherwise
 * @throws PruningError `E_PACE` for what is no time, or a `lostMs` below three beats
 * @example
 * paceOf('out/work').mostPollMs; // 50
 * paceOf('s3://bucket/work', { patienceMs: 5000 }).patienceMs; // 5000
 */
export function paceOf(url: string, given: Partial<Pace> = {}): Pace {
  const scheme = schemeOf(url);
  const usual = scheme === 'file' ? HERE : scheme.endsWith('hdfs') ? { ...AWAY, settleMs: 0 } : AWAY;
  const pace = { ...usual, ...given };
  for (const [name, ms] of Object.entries(pace)) {
    if (!Number.isFinite(ms) || ms < 0) throw new PruningError('E_PACE', `${name} is ${ms}; expected milliseconds`);
  }
  if (pace.lostMs < 3 * pace.beatMs) {
    const told = `lostMs is ${pace.lostMs} with a beat every ${pace.beatMs} ms`;
    throw new PruningError('E_PACE', `${told}: one late beat would be a death; make it at least ${3 * pace.beatMs}`);
  }
  return pace;
}

const MINUTES = 60_000;
const HERE: Pace = {
  beatMs: 1000,
  lostMs: 10_000,
  patienceMs: 10 * MINUTES,
  leastPollMs: 2,
  mostPollMs: 50,
  settleMs: 0,
};
const AWAY: Pace = { ...HERE, beatMs: 2000, lostMs: 40_000, leastPollMs: 50, mostPollMs: 1000, settleMs: 1000 };

/**
 * Looks until there is something to see, at intervals that grow.
 *
 * @param options signal: ends the waiting with its reason; what: what is waited for, for the error
 * @throws PruningError `E_FARM_SILENT` when nothing came for `patienceMs`
 * @example
 * let looks = 0;
 * await until(async () => (++looks === 3 ? looks : undefined), { pace: paceOf('out'), what: 'the third look' }); // 3
 */
export async function until<T>(look: () => Promise<T | undefined>, options: Waiting): Promise<T> {
  const waits = new Waits(options);
  for (;;) {
    options.signal?.throwIfAborted();
    const seen = await look();
    if (seen !== undefined) return seen;
    await waits.wait();
  }
}

export interface Waiting {
  readonly pace: Pace;
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
  /** Asked when patience has come to its end: whether whoever is waited for lives, so that it begins anew. Default: no. */
  readonly isHopeful?: (() => Promise<boolean>) | undefined;
  /** What to do when patience has come to its end. Default: to look with `mindts prune status`. */
  readonly advice?: string | undefined;
  /** Ends a pause when there is news, so that pauses may be longer from the first. */
  readonly bell?: Bell | undefined;
}

const STATUS = 'see with mindts prune status which role is missing, and start it';

/** The pauses between looks. */
export class Waits {
  #pause: number;
  #since = performance.now();
  readonly #least: number;
  readonly #most: number;

  constructor(readonly options: Waiting) {
    [this.#least, this.#most] = pauses(options);
    this.#pause = this.#least;
  }

  /** Something has happened: the next looks come soon. */
  begin(): void {
    this.#pause = this.#least;
    this.#since = performance.now();
  }

  /**
   * Pauses, or until there is news.
   *
   * @returns the names of new files, where a bell tells of them; none when one has to look
   * @throws PruningError `E_FARM_SILENT`, or the signal's reason
   */
  async wait(): Promise<readonly string[]> {
    const { pace, what, signal, isHopeful, bell, advice = STATUS } = this.options;
    if (performance.now() - this.#since >= pace.patienceMs) {
      if (await isHopeful?.()) {
        this.begin();
        return [];
      }
      const waited = `waited ${Math.round(pace.patienceMs / 1000)} s for ${what}`;
      throw new PruningError('E_FARM_SILENT', `${waited}: ${advice}`);
    }
    await (bell?.wait(this.#pause, signal) ?? pauseFor(this.#pause, signal));
    this.#pause = Math.min(this.#most, this.#pause * 1.5);
    return bell?.take() ?? [];
  }
}

/** A bell may be deaf to what other machines write: then looks come not too late, and else they cost evaluators little. */
function pauses({ pace: { leastPollMs, mostPollMs }, bell }: Waiting): readonly [least: number, most: number] {
  return bell === undefined ? [leastPollMs, mostPollMs] : [5 * leastPollMs, 5 * mostPollMs];
}

/** Waits; ends at once with the signal's reason. */
export async function pauseFor(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal });
  } catch (error) {
    // Node wraps the reason.
    signal?.throwIfAborted();
    throw error;
  }
}

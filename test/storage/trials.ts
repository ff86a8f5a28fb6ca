/** Trials of copies in a row. */
import type { TestPlace } from '../services/place.js';
import { type Met, makeTrial } from './trial.js';

export interface Trials {
  readonly places: readonly TestPlace[];
  /** The first seed. */
  readonly first: number;
  readonly runs: number;
  /** One in so many runs is killed, up to three times. */
  readonly killedOf: number;
  /** A place that takes part in every run. */
  readonly always?: TestPlace;
}

/**
 * Runs trials, one after the other, between all pairs of places in turn. The environment variable `SEED` runs one of them alone.
 *
 * @throws Error of the first that fails, naming its seed
 */
export async function runTrials({ places, first, runs, killedOf, always }: Trials): Promise<Met> {
  process.env['MINDTS_RETRY_WAIT_MS'] = '1';
  Object.assign(process.env, ...places.map(({ env }) => env));
  // From a disk to a disk there is no network to fail.
  const pairs = places
    .flatMap((from) => places.map((to) => ({ from, to })))
    .filter(({ from, to }) => from.proxy !== undefined || to.proxy !== undefined)
    .filter(({ from, to }) => always === undefined || from === always || to === always);
  const met: Met = { runs: 0, faults: 0, kills: 0, files: 0, bytes: 0 };
  const only = Number(process.env['SEED'] || Number.NaN);
  for (let seed = first; seed < first + runs; seed++) {
    if (!Number.isNaN(only) && seed !== only) continue;
    const kills = seed % killedOf === 0 ? 1 + (seed % 3) : 0;
    const { from, to } = pairs[seed % pairs.length];
    // Not a measure of time: whatever ends has ended long before.
    const guard = setTimeout(() => {
      throw new Error(`SEED=${seed}, ${from.name} to ${to.name}, ${kills} kills: it does not end`);
    }, HANGS_MS);
    try {
      await makeTrial({ seed, from, to, kills }, met);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`SEED=${seed}, ${from.name} to ${to.name}, ${kills} kills: ${reason}`, { cause: error });
    } finally {
      clearTimeout(guard);
    }
    met.runs++;
  }
  return met;
}

const HANGS_MS = 120_000;

/** Ours and a peer doing the same work in turn, each time to a place that did not exist, and what they did is checked. */
import { spawnSync } from 'node:child_process';
import { median } from '../measure.js';
import { type Command, type Measured, measured } from './child.js';

/** Work that both can do. */
export interface Race {
  readonly title: string;
  readonly unit: 'MB/s' | 'files/s';
  /** How much of the unit's first half is done in one go. */
  readonly amount: number;
  /** The least share of the peer's rate that ours is to reach. */
  readonly atLeast: number;
  readonly peer: string;
  /** Makes what is worked on; returns what `found` must say afterwards. */
  prepare(): Promise<string>;
  /** A place where nothing is. */
  destination(run: number): string;
  ours(to: string): Command;
  /** Undefined where the peer is not installed. */
  theirs(to: string): Command | undefined;
  found(to: string): Promise<string>;
  clear(to: string): Promise<void>;
}

/** What came out; medians. */
export interface Outcome {
  readonly ours: Measured;
  readonly theirs: Measured | undefined;
}

/** Runs a race. @throws Error when somebody fails, or what stands there afterwards is not what should */
export async function run(race: Race, repeats: number): Promise<Outcome> {
  const expected = await race.prepare();
  const sides: Record<'ours' | 'theirs', Measured[]> = { ours: [], theirs: [] };
  let runs = 0;
  async function go(side: 'ours' | 'theirs'): Promise<void> {
    const to = race.destination(++runs);
    const command = race[side](to);
    if (command === undefined) return;
    // What the run before left to be written is written on its account, not on this one's.
    spawnSync('sync');
    sides[side].push(await measured(command));
    const found = await race.found(to);
    if (found !== expected) throw new Error(`${command.program} left ${found} instead of ${expected}`);
    await race.clear(to);
  }
  for (let i = 0; i < repeats; i++) {
    // Who goes first changes, so that neither always finds what the other left in the caches.
    for (const side of i % 2 === 0 ? (['ours', 'theirs'] as const) : (['theirs', 'ours'] as const)) await go(side);
  }
  return { ours: medians(sides.ours), theirs: sides.theirs.length === 0 ? undefined : medians(sides.theirs) };
}

function medians(all: readonly Measured[]): Measured {
  const peaks = all.map(({ peak }) => peak).filter((peak) => peak !== undefined);
  return {
    seconds: median(all.map(({ seconds }) => seconds)),
    // Of memory not the median but the most counts: a bound is a bound.
    peak: peaks.length === 0 ? undefined : Math.max(...peaks),
  };
}

/** The figures, in the order of the table. A race gives two: a rate, and the memory that it took. */
import type { Facts, Measurement } from '../report.js';
import { localRaces } from './local.js';
import { type Race, run } from './race.js';
import type { Sizes } from './sizes.js';

/** A line of the table. */
export interface Line {
  /** Follows the figure's name. */
  readonly suffix: string;
  readonly facts: Facts;
  readonly measurement: Measurement;
}

export interface Figure {
  measure(repeats: number): Promise<readonly Line[]>;
}

export const NAMES: readonly string[] = ['local', 'unzip_large', 'unzip_small'];

/** All figures, measured below a folder. */
export async function figuresIn(
  folder: string,
  sizes: Sizes,
): Promise<{ readonly byName: Readonly<Record<string, Figure>>; close(): Promise<void> }> {
  const races = { ...localRaces(folder, sizes) };
  const byName = Object.fromEntries(Object.entries(races).map(([name, race]) => [name, raced(race)]));
  return { byName, close: async () => {} };
}

/** The most that any of ours may take, in MB: the promise. */
const MOST_MEMORY = 200;

function raced(race: Race): Figure {
  const { title, unit, amount, atLeast, peer } = race;
  return {
    async measure(repeats) {
      const { ours, theirs } = await run(race, repeats);
      const note = theirs === undefined ? `${peer} is not installed` : `beside ${peer}`;
      const rate: Line = {
        suffix: '',
        facts: { title, unit, target: { is: '≥', limit: atLeast, ofPeer: true } },
        measurement: { value: amount / ours.seconds, ...(theirs && { peer: amount / theirs.seconds }), note },
      };
      if (ours.peak === undefined) return [rate];
      const memory: Line = {
        suffix: '_memory',
        facts: { title: 'its peak memory', unit: 'MB', target: { is: '≤', limit: MOST_MEMORY } },
        measurement: { value: ours.peak / 1e6, ...(theirs?.peak && { peer: theirs.peak / 1e6 }), note },
      };
      return [rate, memory];
    },
  };
}

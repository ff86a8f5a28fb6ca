/** The figures, in the order of the table. A race gives two: a rate, and the memory that it took. */
import { log } from '../../sdk/base/log.js';
import { noSwift, startSwift } from '../../test/services/swift.js';
import type { Line } from '../lines.js';
import { localRaces } from './local.js';
import { BUCKET, objectRaces, oursAt } from './objects.js';
import { type Race, run } from './race.js';
import { resumption } from './resumption.js';
import type { Sizes } from './sizes.js';

export interface Figure {
  measure(repeats: number): Promise<readonly Line[]>;
}

const ON_DISK = ['local', 'unzip_large', 'unzip_small'];
const IN_STORE = ['up_large', 'down_large', 'up_small', 'down_small', 'resume'];
/** All figures, in the order of the table. */
export const NAMES: readonly string[] = [...IN_STORE, ...ON_DISK];

/** Some figures, measured below a folder; those of an object store only where its server is installed. */
export async function figuresIn(
  folder: string,
  { sizes, names }: { readonly sizes: Sizes; readonly names: readonly string[] },
): Promise<{ readonly byName: ReadonlyMap<string, Figure>; close(): Promise<void> }> {
  const byName = new Map(Object.entries(localRaces(folder, sizes)).map(([name, race]) => [name, raced(race)]));
  if (!names.some((name) => IN_STORE.includes(name))) return { byName, close: async () => {} };
  if (noSwift !== false) {
    log.warn(`no object store to measure with: ${noSwift}`);
    return { byName, close: async () => {} };
  }
  const swift = await startSwift();
  await swift.makeBucket(BUCKET);
  // For the looks that are taken from here at what the others did.
  Object.assign(process.env, oursAt(swift.endpoint, swift));
  for (const [name, race] of Object.entries(objectRaces(folder, swift, sizes))) byName.set(name, raced(race));
  byName.set('resume', resumption(folder, swift, sizes));
  return { byName, close: () => swift.stop() };
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

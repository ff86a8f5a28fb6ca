/** All places that tests copy from and to. */
import type { Test } from 'tap';
import { obsPlace, ossPlace } from './bucket-places.js';
import { diskPlace } from './disk-place.js';
import { hdfsPlace } from './hdfs-place.js';
import type { TestPlace } from './place.js';

/** Stores that have a server of our own, by their names. */
export const STORES: Readonly<Record<string, (t: Test) => Promise<TestPlace>>> = {
  OSS: ossPlace,
  OBS: obsPlace,
  HDFS: hdfsPlace,
};

/** This machine, and every store that has a server of our own; they end with the test. */
export async function startPlaces(t: Test): Promise<TestPlace[]> {
  return [diskPlace(t.testdir()), ...(await Promise.all(Object.values(STORES).map((start) => start(t))))];
}

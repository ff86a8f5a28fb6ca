/** Some of the trials that any-copy.ci.ts makes in their hundreds. */
import { test } from 'tap';
import { startPlaces } from '../services/places.js';
import { runTrials } from './trials.js';

test('any tree comes whole through any faults and kills, from any store to any store', async (t) => {
  const places = await startPlaces(t);
  const met = await runTrials({ places, first: 1, runs: 36, killedOf: 18 });
  t.comment(JSON.stringify(met));
  t.equal(met.runs, process.env['SEED'] ? met.runs : 36);
});

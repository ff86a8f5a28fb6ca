/** Some of the trials that any-copy.ci.ts makes in their hundreds. */
import { test } from 'tap';
import { startPlaces } from '../services/places.js';
import { runTrials } from './trial.js';

test('any tree comes whole through any faults and kills, from any store to any store', async (t) => {
  const places = await startPlaces(t);
  const { runs, kills } = await runTrials({ places, first: 1, runs: 40, killedOf: 20 });
  t.ok(runs === 40 && kills > 0, `${runs} runs, ${kills} processes killed`);
});

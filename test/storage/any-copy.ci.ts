/** The property of copies: hundreds of random trees through random faults and kills. Where Swift is installed, it takes part. */
import { test } from 'tap';
import { startPlaces } from '../services/places.js';
import { noSwift } from '../services/swift.js';
import { swiftPlace } from '../services/swift-place.js';
import { runTrials } from './trials.js';

test('any tree comes whole through any faults and kills', async (t) => {
  const places = await startPlaces(t);

  await t.test('from any store to any store', async (t) => {
    const met = await runTrials({ places, first: 1000, runs: 520, killedOf: 10 });
    t.comment(JSON.stringify(met));
    t.equal(met.runs, process.env['SEED'] ? met.runs : 520);
  });

  await t.test('from and to Swift, in parts of 5 MiB', { skip: noSwift }, async (t) => {
    const swift = await swiftPlace(t);
    const met = await runTrials({ places: [swift, ...places], first: 2000, runs: 14, killedOf: 6, always: swift });
    t.comment(JSON.stringify(met));
    t.equal(met.runs, process.env['SEED'] ? met.runs : 14);
  });
});

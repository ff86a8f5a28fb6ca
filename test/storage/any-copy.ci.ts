/** The property of copies: hundreds of random trees through random faults and kills. Where Swift is installed, it takes part. */
import { test } from 'tap';
import { startPlaces } from '../services/places.js';
import { noSwift } from '../services/swift.js';
import { swiftPlace } from '../services/swift-place.js';
import { runTrials } from './trial.js';

test('any tree comes whole through any faults and kills, from any store to any store', async (t) => {
  const places = await startPlaces(t);
  const met = await runTrials({ places, first: 1000, runs: 560, killedOf: 10 });
  t.equal(met.runs, 560);
  t.comment(JSON.stringify(met));
});

test('so it does from and to Swift, in parts of 5 MiB', { skip: noSwift }, async (t) => {
  const [disk, oss] = await startPlaces(t);
  const swift = await swiftPlace(t);
  const met = await runTrials({ places: [swift, disk, oss], first: 2000, runs: 24, killedOf: 6, always: swift });
  t.equal(met.runs, 24);
  t.comment(JSON.stringify(met));
});

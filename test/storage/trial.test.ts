import { test } from 'tap';
import { diskPlace, hdfsPlace, obsPlace, ossPlace } from '../services/places.js';
import { runTrial } from './trial.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

test('any tree comes through any faults', async (t) => {
  const disk = diskPlace(t.testdir());
  const stores = await Promise.all([ossPlace(), obsPlace(), hdfsPlace(t)]);
  t.teardown(() => Promise.all(stores.map((store) => store.close())));
  Object.assign(process.env, ...stores.map(({ env }) => env));
  const places = [disk, ...stores];
  const pairs = places.flatMap((from) => places.map((to) => ({ from, to }))).slice(1);
  const [first, last, kills] = (process.env['T'] ?? '1,20,0').split(',').map(Number);
  for (let seed = first; seed <= last; seed++) {
    try {
      await runTrial({ seed, ...pairs[seed % pairs.length], kills });
    } catch (error) {
      t.fail(String(error), { error });
    }
  }
});

import { test } from 'tap';
import { diskPlace, obsPlace, ossPlace } from '../services/places.js';
import { runTrial } from './trial.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

test('any tree comes through any faults', async (t) => {
  const disk = diskPlace(t.testdir());
  const [oss, obs] = [await ossPlace(), await obsPlace()];
  t.teardown(() => Promise.all([oss.close(), obs.close()]));
  Object.assign(process.env, oss.env, obs.env);
  const places = [disk, oss, obs];
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

import { test } from 'tap';
import { diskPlace, ossPlace } from '../services/places.js';
import { runTrial } from './trial.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

test('any tree comes through any faults', async (t) => {
  const disk = diskPlace(t.testdir());
  const oss = await ossPlace();
  t.teardown(() => oss.close());
  Object.assign(process.env, oss.env);
  const [first, last, kills] = (process.env['T'] ?? '1,20,0').split(',').map(Number);
  for (let seed = first; seed <= last; seed++) {
    try {
      const met = await runTrial({
        seed,
        ...(seed % 2 === 0 ? { from: disk, to: oss } : { from: oss, to: disk }),
        kills,
      });
      t.comment(JSON.stringify(met));
    } catch (error) {
      t.fail(String(error), { error });
    }
  }
});

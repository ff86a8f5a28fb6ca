import { test } from 'tap';
import { diskPlace, ossPlace } from '../services/places.js';
import { runTrial } from './trial.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

test('any tree comes through any faults', async (t) => {
  const disk = diskPlace(t.testdir());
  const oss = await ossPlace();
  t.teardown(() => oss.close());
  Object.assign(process.env, oss.env);
  for (let seed = 1; seed <= 20; seed++) {
    const met = await runTrial({
      seed,
      ...(seed % 2 === 0 ? { from: disk, to: oss } : { from: oss, to: disk }),
      kills: 0,
    });
    t.comment(JSON.stringify(met));
  }
});

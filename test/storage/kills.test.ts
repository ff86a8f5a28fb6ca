/** Copies that are killed with SIGKILL and begun again. Bytes are counted on the wire. */
import { type Test, test } from 'tap';
import { hdfsPlace, obsPlace, ossPlace, type TestPlace } from '../services/places.js';
import { startCopying } from './copying.js';
import { stand } from './stand.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

/** Parts of one file that are on their way at once. */
const STREAMS = 4;
/** Lists, answers to puts, and the small file. */
const BESIDES = 20_000;

const PLACES: Readonly<Record<string, (t: Test) => Promise<TestPlace>>> = {
  OSS: ossPlace,
  OBS: obsPlace,
  HDFS: hdfsPlace,
};

for (const [name, start] of Object.entries(PLACES)) {
  test(`${name}:`, async (t) => {
    const place = await start(t);
    t.teardown(() => place.close());
    Object.assign(process.env, place.env);

    for (const direction of ['up', 'down'] as const) {
      for (const parts of [1, 6, 11]) {
        t.test(`killed ${direction} at part ${parts} of 11, it moves at most one part per stream again`, async (t) => {
          const { proxy, job, isDone, isTidy } = await stand(t, place, direction);
          const { watch } = proxy;
          const before = proxy.bytes[direction];
          const isPart = direction === 'up' ? place.isPart : place.isContent;
          const first = startCopying(job, place.env);
          let left = parts;
          proxy.watch = async (request) => {
            await watch(request);
            if (isPart(request) && --left === 0) first.kill();
          };
          t.same(await first.ended, { signal: 'SIGKILL' });
          t.match(await startCopying(job, place.env).ended, { maxRSS: Number });
          await isDone(t);
          if (direction === 'up') await isTidy(t);
          const moved = proxy.bytes[direction] - before;
          t.ok(moved <= (10 + STREAMS) * job.partSize + BESIDES, `${moved} bytes`);
        });
      }
    }
  });
}

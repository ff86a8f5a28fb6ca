/** Copies that are killed with SIGKILL and begun again. Bytes are counted on the wire. */
import { test } from 'tap';
import { STORES } from '../services/places.js';
import { startCopying } from './copying.js';
import { stand } from './stand.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

/** Parts of one file that are on their way at once. */
const STREAMS = 4;
/** Lists, answers to puts, and the small file. */
const BESIDES = 20_000;

for (const [name, start] of Object.entries(STORES)) {
  test(`${name}:`, async (t) => {
    const place = await start(t);
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
          t.match(await startCopying(job, place.env).ended, { files: Number });
          await isDone(t);
          // What is written at one stroke leaves a hidden file where the store has no better way: who was killed takes nothing away.
          await isTidy(t, /\.(small\.txt|空 100%\.txt)\./);
          const moved = proxy.bytes[direction] - before;
          t.ok(moved <= (10 + STREAMS) * job.partSize + BESIDES, `${moved} bytes`);
        });
      }
    }
  });
}

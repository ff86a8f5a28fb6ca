/** Every fault, on every request, in both directions: what passes is tried again, what lasts is told at once. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { MindtsError } from '../../sdk/base/errors.js';
import { isPartial } from '../../sdk/base/files.js';
import { copy, copyParallel } from '../../sdk/storage/copy.js';
import type { Passing } from '../services/fault-proxy.js';
import { onceEach } from '../services/faults.js';
import { STORES } from '../services/places.js';
import { PASSING } from './passing-faults.js';
import { noSmallDisk, smallDisk } from './small-disk.js';
import { LARGE, stand } from './stand.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

for (const [name, start] of Object.entries(STORES)) {
  test(`${name}:`, async (t) => {
    const place = await start(t);
    Object.assign(process.env, place.env);

    for (const direction of ['up', 'down'] as const) {
      for (const [what, fault] of Object.entries(PASSING)) {
        t.test(`${what}, once for every request ${direction}, is no failure`, async (t) => {
          const { proxy, job, asked, isDone, isTidy } = await stand(t, place, direction);
          proxy.plan = onceEach(fault);
          t.match(await copyParallel(job.source, job.destination, job), { files: 3 });
          proxy.plan = () => undefined;
          await isDone(t);
          await isTidy(t);
          t.ok(asked().size > 3, 'there were requests to fail');
          t.match(await copyParallel(job.source, job.destination, job), { files: 0, skipped: 3 });
        });
      }

      t.test(`bits that turn over ${direction} are found, and what holds them is sent again`, async (t) => {
        const { proxy, job, isDone, isTidy } = await stand(t, place, direction);
        let flipped = 0;
        proxy.plan = onceEach((request) => {
          const isWhole = request.method === 'PUT' && request.bytes > 100;
          const holdsFile = direction === 'up' ? isWhole || place.isPart(request) : place.isContent(request);
          return holdsFile && ++flipped <= 2 ? { kind: 'flip', way: direction, at: 100 } : undefined;
        });
        await copyParallel(job.source, job.destination, job);
        t.ok(flipped >= 2);
        await isDone(t);
        await isTidy(t);
      });

      t.test(`a file that is replaced while it is on its way ${direction} arrives as it is then`, async (t) => {
        const { proxy, job, replace, isDone, isTidy } = await stand(t, place, direction);
        const isPart = direction === 'up' ? place.isPart : place.isContent;
        const { watch } = proxy;
        let parts = 0;
        proxy.watch = async (request) => {
          await watch(request);
          if (isPart(request) && ++parts === 4) await replace();
        };
        await copyParallel(job.source, job.destination, job);
        await isDone(t);
        await isTidy(t);
      });

      for (const [code, refuse] of Object.entries(place.refusals)) {
        // Reading takes no space.
        if (code === 'E_NO_SPACE' && direction === 'down') continue;
        t.test(`${code} ${direction} is told at once, and nothing has changed`, async (t) => {
          const { job, asked, isDone, isUndone, isTidy } = await stand(t, place, direction);
          const end = refuse();
          const error: unknown = await copyParallel(job.source, job.destination, job).catch(
            (failure: unknown) => failure,
          );
          end();
          isForPeople(t, error, code);
          // Where only writing is refused, what is read may be read again.
          const refused = [...asked()].filter(([name]) => code !== 'E_NO_SPACE' || /^\d (PUT|POST) /.test(name));
          t.same(new Set(refused.map(([, times]) => times)), new Set([1]), 'nothing is asked twice');
          await isUndone(t);
          await isTidy(t);
          await copyParallel(job.source, job.destination, job);
          await isDone(t);
        });

        t.test(`${code} ${direction} in the middle is told, and the next copy goes on`, async (t) => {
          const { proxy, job, isDone } = await stand(t, place, direction);
          let [left, end] = [8, () => {}];
          proxy.plan = () => {
            if (--left === 0) end = refuse();
            return undefined;
          };
          const error: unknown = await copyParallel(job.source, job.destination, job).catch(
            (failure: unknown) => failure,
          );
          end();
          proxy.plan = () => undefined;
          isForPeople(t, error, code);
          await copyParallel(job.source, job.destination, job);
          await isDone(t);
        });
      }
    }

    t.test('an upload that fails for good is given up at the store too', async (t) => {
      const { proxy, job, isUndone, isTidy } = await stand(t, place, 'up');
      let parts = 0;
      proxy.plan = (request) => (place.isPart(request) && ++parts > 5 ? { kind: 'answer', status: 403 } : undefined);
      await t.rejects(copyParallel(job.source, job.destination, { ...job, files: [LARGE] }), { code: 'E_DENIED' });
      await isUndone(t);
      await isTidy(t);
    });

    t.test('a disk that is full in the middle of a file keeps nothing of it', { skip: noSmallDisk }, async (t) => {
      const { proxy, job } = await stand(t, place, 'down');
      const disk = smallDisk(t, 4 * job.partSize);
      proxy.watch = () =>
        t.same(
          readdirSync(disk).filter((name) => !isPartial(name)),
          [],
        );
      const filling = copy(`${job.source}/${LARGE}`, join(disk, 'large'), job);
      await t.rejects(filling, { code: 'E_NO_SPACE', message: /large: no space left on the device; free some/ });
      t.same(readdirSync(disk), []);
    });

    t.test('parts outlive a network that breaks whenever the last one comes: it alone moves again', async (t) => {
      const { proxy, job, isDone } = await stand(t, place, 'up');
      // The last part has one byte.
      const isLast = (request: Passing): boolean => place.isPart(request) && request.bytes === 1;
      proxy.plan = (request) => (isLast(request) ? { kind: 'cut', way: 'up', after: 0 } : undefined);
      await t.rejects(copyParallel(job.source, job.destination, job), { code: 'E_NETWORK' });
      proxy.plan = () => undefined;
      t.match(await copyParallel(job.source, job.destination, job), { present: 10 * job.partSize + 1000, bytes: 1 });
      await isDone(t);
    });
  });
}

function isForPeople(t: Test, error: unknown, code: string): void {
  t.match(error, { code, message: /:\/\// }, 'it names a URL');
  t.ok(error instanceof MindtsError && !/\n|-test-(secret|token)/.test(error.message), 'one line, no secrets');
}

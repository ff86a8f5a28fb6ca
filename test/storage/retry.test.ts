import { test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import { PassingFailure, retrying } from '../../sdk/storage/retry.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '0';

/** Fails so often with this error, and then gives how often it was tried. */
function failing(times: number, error: Error): () => Promise<number> {
  let tried = 0;
  return async () => {
    if (tried++ < times) throw error;
    return tried;
  };
}

test('what may pass is tried again until it has passed', async (t) => {
  t.equal(await retrying(failing(7, new PassingFailure('E_NETWORK', 'the connection broke'))), 8);
});

test('after eight tries the failure is told', async (t) => {
  await t.rejects(retrying(failing(8, new PassingFailure('E_NETWORK', 'the connection broke'))), {
    code: 'E_NETWORK',
    message: 'the connection broke',
  });
});

test('what does not pass is told at once', async (t) => {
  await t.rejects(retrying(failing(1, new StorageError('E_DENIED', 'no'))), { code: 'E_DENIED' });
  await t.rejects(retrying(failing(1, new TypeError('a mistake'))), TypeError);
});

test('a server that asks for patience is given it, and a signal ends that', async (t) => {
  const controller = new AbortController();
  let tried = 0;
  const busy = async (): Promise<void> => {
    tried++;
    // An hour from now, were it not for the signal.
    setImmediate(() => controller.abort());
    throw new PassingFailure('E_BUSY_STORE', 'busy', { waitMs: 3_600_000 });
  };
  await t.rejects(retrying(busy, { signal: controller.signal }), { name: 'AbortError' });
  t.equal(tried, 1);
});

test('a server that is silent again and again is given up sooner than one that refuses', async (t) => {
  let [tried, clock] = [0, 0];
  const silent = async (): Promise<void> => {
    tried++;
    // Much has moved before it fell silent.
    clock += 3_600_000;
    throw new PassingFailure('E_NETWORK', 'no answer in time', { isSilence: true });
  };
  await t.rejects(retrying(silent, { now: () => clock }), { message: 'no answer in time' });
  t.equal(tried, 2);
  tried = 0;
  const unreached = async (): Promise<void> => {
    tried++;
    clock += 10_000;
    throw new PassingFailure('E_NETWORK', 'no answer in time', { isSilence: true });
  };
  await t.rejects(retrying(unreached, { now: () => clock }), { code: 'E_NETWORK' });
  t.equal(tried, 8);
});

import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { test } from 'tap';
import { duration, rate } from '../../sdk/base/amounts.js';
import { copy, copyParallel } from '../../sdk/storage/index.js';
import { showCopy } from '../../sdk/storage/show-copy.js';

const MB = 1_000_000;

test('a copy says what it did in one line', async (t) => {
  const folder = t.testdir({ from: { a: 'x'.repeat(1500), b: '', c: 'y' } });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  const run = (options = {}): Promise<string> =>
    showCopy(from, (onProgress) => copyParallel(from, to, { onProgress, ...options }));
  t.match(await run({ files: ['a'] }), /^1 file, 1\.5 kB in \d+\.\d s, [\d.]+ [kM]?B(ytes)?\/s$/);
  t.match(await run(), /^2 files \(1 there already\), 1 byte in /);
  t.match(await run(), /^0 files \(3 there already\), 0 bytes in \d+\.\d s$/);
  const file = join(from, 'a');
  t.match(
    await showCopy(file, (onProgress) => copy(file, join(folder, 'copy'), { onProgress })),
    /^1 file, 1\.5 kB in/,
  );
});

test('what was there already counts as done, but neither for the rate nor for the time left', async (t) => {
  const from = t.testdir({ a: 'x'.repeat(4 * MB) });
  const stream = new PassThrough({ encoding: 'utf8' });
  let [seconds, shown] = [0, ''];
  const summary = await showCopy(
    from,
    async (onProgress) => {
      // The total comes from a listing of its own, some time after the first second.
      while (!shown.includes('/4.0 MB')) {
        seconds += 10;
        onProgress({ files: 3, skipped: 1, bytes: MB / 2, present: 3 * MB });
        await turn();
        shown = String(stream.read() ?? '');
      }
      t.match(shown, /: 87% 3\.5 MB\/4\.0 MB, /);
      // Half a megabyte took all that time, half a megabyte is left.
      t.ok(shown.includes(`, ${duration(seconds)} left, 3 files, ${rate(MB / 2, seconds, 'bytes')}`), shown);
    },
    { surroundings: { stream, now: () => seconds * 1000 } },
  );
  t.match(summary, /^3 files \(1 there already\), 500\.0 kB in /);
});

test('a copy that fails shows how far it had come, and its error is that of the copy', async (t) => {
  const stream = new PassThrough({ encoding: 'utf8' });
  let seconds = 0;
  const failing = showCopy(
    's3://bucket/no',
    async (onProgress) => {
      seconds = 5;
      onProgress({ files: 1, skipped: 0, bytes: MB, present: 0 });
      throw new Error('the line went dead');
    },
    { isWhole: false, surroundings: { stream, now: () => seconds * 1000 } },
  );
  await t.rejects(failing, { message: 'the line went dead' });
  t.match(stream.read(), /stopped after 5\.0 s, at 1\.0 MB\n$/);
});

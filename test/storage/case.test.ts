import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { copyParallel } from '../../sdk/storage/copy.js';
import { localStore } from '../../sdk/storage/local.js';
import { foldingDisk, noFoldingDisk } from './folding-disk.js';

test('two names that a disk takes for one are refused before one replaces the other', {
  skip: noFoldingDisk,
}, async (t) => {
  const disk = foldingDisk(t);
  const from = t.testdir({ Cat: 'large', cat: 'small', dog: 'other' });
  t.ok(await localStore.foldsCase?.(join(disk, 'not/yet/there')));
  await t.rejects(copyParallel(from, join(disk, 'to'), { concurrency: 1 }), {
    code: 'E_CASE',
    message: /takes "Cat" and "cat" for one name/,
  });
  t.equal(readFileSync(join(disk, 'to/cat'), 'utf8'), 'large');
  t.same(readdirSync(join(disk, 'to')).length, 1);
});

test('a disk that tells them apart takes both', async (t) => {
  const folder = t.testdir({ from: { Cat: 'large', cat: 'small' } });
  t.notOk(await localStore.foldsCase?.(folder));
  t.match(await copyParallel(join(folder, 'from'), join(folder, 'to')), { files: 2 });
});

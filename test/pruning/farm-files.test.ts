/** The small files of a work folder on this machine. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { filesAt } from '../../sdk/pruning/farm/files.js';
import { SMALL_BYTES } from '../../sdk/pruning/farm/local-files.js';
import { paceOf } from '../../sdk/pruning/farm/pace.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';

test('a file is there whole, in a folder that is made for it, and nothing besides', async (t) => {
  const folder = t.testdir();
  const files = await filesAt(folder, paceOf(folder));
  await files.write('a/b/first', Buffer.from('1'));
  await files.write('a/b/first', Buffer.from('one'));
  await files.write('a/b/empty', Buffer.alloc(0));
  t.equal(String(await files.read('a/b/first')), 'one');
  t.equal((await files.read('a/b/empty'))?.length, 0);
  t.equal(await files.read('a/b/second'), undefined);
  t.same(readdirSync(folder, { recursive: true }).sort(), ['a', 'a/b', 'a/b/empty', 'a/b/first']);
  await files.remove('a/b/first');
  await files.remove('a/b/first');
  t.same(await files.list('a/b'), ['empty']);
  t.same(await files.list(''), ['a']);
});

test('large files come and go like small ones', async (t) => {
  const folder = t.testdir();
  const files = await filesAt(folder, paceOf(folder));
  for (const bytes of [SMALL_BYTES, SMALL_BYTES + 1]) {
    const content = Buffer.alloc(bytes, 'ab');
    await files.write('data', content);
    t.ok((await files.read('data'))?.equals(content), `${bytes} bytes`);
  }
});

test('links count as what they lead to; pipes, folders and leftovers of killed writers are not listed', async (t) => {
  const folder = t.testdir({ own: 'x' });
  mkdirSync(join(folder, 'folder'));
  symlinkSync('own', join(folder, 'link'));
  symlinkSync('nothing', join(folder, 'dangling'));
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  writeFileSync(join(folder, '.own.0123abcd.partial'), '');
  const files = await filesAt(join(folder, '..'), paceOf(folder));
  t.same(await files.list(folder.split('/').at(-1) ?? ''), ['link', 'own']);
});

test('a pipe or a folder where a message should be is told of, and not waited for', async (t) => {
  const folder = t.testdir({ folder: {} });
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  const files = await filesAt(folder, paceOf(folder));
  await t.rejects(files.read('pipe'), { code: 'E_NOT_FILE', message: /pipe: it is a pipe or a device/ });
  await t.rejects(files.read('folder'), { code: 'E_NOT_FILE' });
  await t.rejects(files.write('folder', Buffer.from('1')), { code: 'E_NOT_FILE' });
  t.same(readdirSync(folder).sort(), ['folder', 'pipe'], 'nothing is left of what could not be written');
});

test('on a full disk the file stays as it was, and is written when there is room', { skip: noSmallDisk }, async (t) => {
  const folder = smallDisk(t, 1 << 20);
  const files = await filesAt(folder, paceOf(folder, { patienceMs: 60_000 }));
  await files.write('message', Buffer.from('before'));
  const rest = join(folder, 'rest');
  const full = Buffer.alloc(1 << 20);
  t.throws(() => writeFileSync(rest, full), { code: 'ENOSPC' });
  const impatient = await filesAt(folder, paceOf(folder, { patienceMs: 0 }));
  await t.rejects(impatient.write('message', Buffer.alloc(10_000)), { code: 'E_STORE_DEAD', message: /no space left/ });
  t.equal(String(await files.read('message')), 'before');
  t.same(readdirSync(folder).sort(), ['message', 'rest']);
  const written = files.write('message', Buffer.from('after'));
  writeFileSync(rest, '');
  await written;
  t.equal(String(await files.read('message')), 'after');
});

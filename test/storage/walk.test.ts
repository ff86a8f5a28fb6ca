import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { makeDirs, walk, write } from '../../sdk/storage/index.js';
import { all, objectStore, onEach } from './grounds.js';

onEach('a walk comes to each folder before those in it, in the order of names', async (t, { root }) => {
  for (const name of ['b', 'a/x', 'a/c/y', 'a b/z', 'a.txt']) await write(`${root}/${name}`, '');
  await makeDirs(`${root}/empty`);
  t.same(await all(walk(root)), [
    { url: root, folders: ['a b', 'a', 'empty'], files: ['a.txt', 'b'] },
    { url: `${root}/a b/`, folders: [], files: ['z'] },
    { url: `${root}/a/`, folders: ['c'], files: ['x'] },
    { url: `${root}/a/c/`, folders: [], files: ['y'] },
    { url: `${root}/empty/`, folders: [], files: [] },
  ]);
});

onEach('a walk through nothing, or a file, is an error', async (t, { root }) => {
  await write(`${root}/f`, '');
  await t.rejects(all(walk(`${root}/no`)), { code: 'E_NOT_FOUND' });
  await t.rejects(all(walk(`${root}/f`)), { code: 'E_NOT_FOLDER' });
});

test('a walk that goes no further lists no further', async (t) => {
  const server = await objectStore();
  for (let i = 0; i < 5; i++) await write(`oss://training/walked/${i}/f`, '');
  const before = server.asked.length;
  for await (const { url } of walk('oss://training/walked')) if (url.endsWith('/1/')) break;
  t.equal(server.asked.length - before, 3, 'the folder itself, 0 and 1');
});

test('a link to a folder is walked through, but not round in a circle', async (t) => {
  const folder = t.testdir({ a: { f: '' } });
  symlinkSync('a', join(folder, 'link'));
  t.same(
    (await all(walk(folder))).map(({ files }) => files),
    [[], ['f'], ['f']],
  );
  symlinkSync('..', join(folder, 'a/up'));
  await t.rejects(all(walk(folder)), { code: 'E_LINK', message: /a\/up\/ is a link to a folder that it lies in/ });
});

import { chmodSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { listClassFolders } from '../../sdk/dataset/class-folders.js';
import { writeFiles } from './pictures.js';

test('class folders in the order of their names are the classes; files of all usual names are found', async (t) => {
  const folder = writeFiles(t.testdir(), {
    'n02/b.JPEG': '',
    'n02/a.jpg': '',
    'n01/inner/deep/z.PNG': '',
    'n01/c.webp': '',
    'B/x.jpeg': '',
    'B/y.gif': '',
    'B/z.tif': '',
    'B/notes.txt': '',
    'B/.hidden.jpg': '',
    '.git/x.jpg': '',
    'beside.jpg': '',
  });
  const found = await listClassFolders(folder);
  t.same(found.classNames, ['B', 'n01', 'n02']);
  t.same(found.files, [
    'B/x.jpeg',
    'B/y.gif',
    'B/z.tif',
    'n01/c.webp',
    'n01/inner/deep/z.PNG',
    'n02/a.jpg',
    'n02/b.JPEG',
  ]);
  t.same([...found.labels], [0, 0, 0, 1, 1, 2, 2]);
});

test('a class folder without images is an error that names it, unless it is allowed', async (t) => {
  const folder = writeFiles(t.testdir(), {
    'a/1.jpg': '',
    'b/readme.txt': '',
    'c/1.jpg': '',
    'd/x.JPEG/readme.txt': '',
  });
  await t.rejects(listClassFolders(folder), {
    name: 'DatasetError',
    code: 'E_EMPTY',
    message: /no images in the class folders b, d: fetch them, or remove the folders; in code, allowEmpty /,
  });
  const { classNames, labels } = await listClassFolders(folder, { allowEmpty: true });
  t.same(classNames, ['a', 'b', 'c', 'd']);
  t.same([...labels], [0, 2]);
});

test('links are passed over: they may lead anywhere', async (t) => {
  const folder = writeFiles(t.testdir(), { 'set/a/1.jpg': '', 'elsewhere/2.jpg': '' });
  symlinkSync(join(folder, 'elsewhere'), join(folder, 'set', 'b'));
  const written = t.capture(process.stderr, 'write', () => true);
  const { classNames, files } = await listClassFolders(join(folder, 'set'));
  t.same([classNames, files], [['a'], ['a/1.jpg']]);
  t.match(
    written().map(({ args }) => args[0]),
    [/set: passed over the link .*set\/b\n$/],
  );
  symlinkSync(join(folder, 'elsewhere', '2.jpg'), join(folder, 'set', 'a', '2.jpg'));
  t.same((await listClassFolders(join(folder, 'set'))).files, ['a/1.jpg']);
  t.match(
    written().map(({ args }) => args[0]),
    [/set: passed over 2 links, such as .*set\/b\n$/],
  );
});

test('no folder, no class folders, no images at all: each is said', async (t) => {
  const folder = writeFiles(t.testdir(), { 'flat/1.jpg': '', 'none/a/x.txt': '' });
  const refused = (name: string, code: string, message: RegExp): Promise<unknown> =>
    t.rejects(listClassFolders(join(folder, name), { allowEmpty: true }), { name: 'DatasetError', code, message });
  await refused('absent', 'E_NOT_FOUND', /absent: there is no such folder/);
  await refused('flat', 'E_EMPTY', /flat: holds no class folders, such as /);
  await refused('none', 'E_EMPTY', /its class folders hold no images/);
});

test('a folder that cannot be read is an error', {
  skip: process.getuid?.() === 0 && 'root reads everything',
}, async (t) => {
  const folder = writeFiles(t.testdir(), { 'a/1.jpg': '', 'b/1.jpg': '' });
  chmodSync(join(folder, 'b'), 0);
  await t.rejects(listClassFolders(folder), { name: 'StorageError', code: 'E_READ', message: /b: permission denied/ });
  chmodSync(join(folder, 'b'), 0o755);
});

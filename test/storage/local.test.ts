import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { test } from 'tap';
import { partialName } from '../../sdk/base/files.js';
import { copyParallel } from '../../sdk/storage/copy.js';
import { localPath, localStore } from '../../sdk/storage/local.js';
import type { Listed } from '../../sdk/storage/store.js';
import { noSmallDisk, smallDisk } from './small-disk.js';

async function names(files: AsyncIterable<Listed>): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of files) found.push(name);
  return found.sort();
}

async function* broken(): AsyncGenerator<Buffer> {
  yield Buffer.alloc(100_000);
  throw new Error('the line went dead');
}

test('a file written is there whole, with the time it was given', async (t) => {
  const path = join(t.testdir(), 'deep/er/a.bin');
  const modified = 1_700_000_000_123;
  await localStore.write(path, Readable.from([Buffer.from('ab'), Buffer.from('cd')]), { modified });
  t.match(await localStore.stat(path), { kind: 'file', size: 4, modified });
  t.equal((await localStore.stat(join(path, '..')))?.kind, 'folder');
  await localStore.write(path, Buffer.from('xyz'));
  t.equal(readFileSync(path, 'utf8'), 'xyz');
});

test('file URLs and plain paths name the same file, Chinese names and spaces included', async (t) => {
  const path = join(t.testdir(), '手写 数字 100%#1.txt');
  await localStore.write(pathToFileURL(path).href, Buffer.from('7'));
  t.equal((await localStore.stat(path))?.size, 1);
  t.equal(localPath(pathToFileURL(path).href), path);
});

test('a range counts its start in and its end out', async (t) => {
  const path = join(t.testdir({ digits: '0123456789' }), 'digits');
  await fc.assert(
    fc.asyncProperty(fc.nat(12), fc.nat(12), async (start, end) => {
      const content = await buffer(localStore.read(path, { start, end }));
      return content.toString() === '0123456789'.slice(start, Math.max(start, end));
    }),
    { numRuns: 50 },
  );
  t.equal((await buffer(localStore.read(path))).length, 10);
});

test('a stream that fails half way leaves the old file and nothing beside it', async (t) => {
  const folder = t.testdir({ 'a.bin': 'old' });
  await t.rejects(localStore.write(join(folder, 'a.bin'), Readable.from(broken())), /the line went dead/);
  t.same(readdirSync(folder), ['a.bin']);
  t.equal(readFileSync(join(folder, 'a.bin'), 'utf8'), 'old');
});

test('a full disk is said, and leaves the old file and nothing beside it', { skip: noSmallDisk }, async (t) => {
  const disk = smallDisk(t, 1 << 20);
  const path = join(disk, 'a.bin');
  writeFileSync(path, 'old');
  await t.rejects(localStore.write(path, Buffer.alloc(2 << 20)), {
    code: 'E_NO_SPACE',
    message: /no space left .*free some/,
  });
  t.same(readdirSync(disk), ['a.bin']);
  t.equal(readFileSync(path, 'utf8'), 'old');
});

test('list gives every file below a folder, follows links, and leaves out leftovers and empty folders', async (t) => {
  const folder = t.testdir({
    a: { 'one.txt': '1', b: { 'two.txt': '22' }, empty: {} },
    away: { 'three.txt': '333' },
    'three.txt': t.fixture('symlink', 'away/three.txt'),
    linked: t.fixture('symlink', 'away'),
  });
  writeFileSync(partialName(join(folder, 'a/one.txt')), 'half');
  t.same(await names(localStore.list(folder)), [
    'a/b/two.txt',
    'a/one.txt',
    'away/three.txt',
    'linked/three.txt',
    'three.txt',
  ]);
});

test('links to nothing and links in a circle are errors that name the link', async (t) => {
  const folder = t.testdir({ dangling: {}, self: {}, circle: { sub: {} } });
  symlinkSync('nowhere', join(folder, 'dangling/lost'));
  symlinkSync('me', join(folder, 'self/me'));
  symlinkSync('..', join(folder, 'circle/sub/up'));
  await t.rejects(names(localStore.list(join(folder, 'dangling'))), {
    code: 'E_LINK',
    message: /dangling\/lost is a link to nothing/,
  });
  await t.rejects(names(localStore.list(join(folder, 'self'))), { code: 'E_LINK', message: /self\/me/ });
  await t.rejects(names(localStore.list(join(folder, 'circle'))), {
    code: 'E_LINK',
    message: /circle\/sub\/up is a link to a folder/,
  });
});

test('what is missing, a file for a folder, and a pipe have codes of their own', async (t) => {
  const folder = t.testdir({ file: 'x' });
  t.equal(await localStore.stat(join(folder, 'no')), undefined);
  await t.rejects(buffer(localStore.read(join(folder, 'no'))), {
    code: 'E_NOT_FOUND',
    message: /no such file or folder/,
  });
  await t.rejects(buffer(localStore.read(folder)), { code: 'E_NOT_FILE' });
  await t.rejects(names(localStore.list(join(folder, 'no'))), { code: 'E_NOT_FOUND' });
  await t.rejects(names(localStore.list(join(folder, 'file'))), { code: 'E_NOT_FOLDER' });
  await t.rejects(localStore.stat(join(folder, 'file/x')), { code: 'E_NOT_FOLDER' });
  await t.rejects(localStore.locate(join(folder, 'file/x')), { code: 'E_NOT_FOLDER' });
  await t.rejects(localStore.write(join(folder, 'file/x'), Buffer.from('1')), { code: 'E_NOT_FOLDER' });
  await t.rejects(localStore.write(folder, Buffer.from('1')), { code: 'E_NOT_FILE' });
  await t.rejects(localStore.stat('file://elsewhere/x'), { code: 'E_URL' });
  await t.rejects(localStore.stat('a\0b'), { code: 'E_URL' });
  if (process.platform === 'win32') return;
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await t.rejects(names(localStore.list(folder)), { code: 'E_NOT_FILE', message: /pipe or socket/ });
});

const noUsers = process.geteuid === undefined && 'no user ids here';
test('a folder that may not be entered is said', { skip: noUsers }, async (t) => {
  const folder = t.testdir({ closed: { a: '1' } });
  const euid = process.geteuid?.();
  execFileSync('chmod', ['000', join(folder, 'closed')]);
  if (euid === 0) process.seteuid?.(65_534);
  try {
    const code = { code: 'E_DENIED', message: /permission denied; check/ };
    await t.rejects(names(localStore.list(join(folder, 'closed'))), code);
    await t.rejects(localStore.write(join(folder, 'closed/b'), Buffer.from('1')), code);
    await t.rejects(localStore.remove(join(folder, 'closed/a')), code);
  } finally {
    if (euid === 0) process.seteuid?.(euid);
    execFileSync('chmod', ['700', join(folder, 'closed')]);
  }
});

test('remove takes a file or a whole folder, and nothing there is fine', async (t) => {
  const folder = t.testdir({ a: 'x', b: { c: 'y' } });
  await localStore.remove(join(folder, 'a'));
  await localStore.remove(join(folder, 'b'));
  await localStore.remove(join(folder, 'b'));
  t.same(readdirSync(folder), []);
});

test('an empty path is no folder, and nobody saws off the branch that he sits on', async (t) => {
  const folder = t.testdir({ 'a.txt': 'a', in: { 'b.txt': 'b' } });
  const before = process.cwd();
  process.chdir(join(folder, 'in'));
  t.teardown(() => process.chdir(before));
  await t.rejects(copyParallel(folder, ''), { code: 'E_URL' });
  await t.rejects(copyParallel('', join(folder, '../new')), { code: 'E_URL' });
  for (const above of ['.', '..', folder, join(folder, 'in/')]) {
    await t.rejects(localStore.remove(above), { code: 'E_DENIED' }, above);
  }
  await t.rejects(localStore.remove(''), { code: 'E_URL' });
  t.same(await names(localStore.list(folder)), ['a.txt', 'in/b.txt']);
});

test('no file takes the place of a pipe or a device', async (t) => {
  const folder = t.testdir();
  execFileSync('mkfifo', [join(folder, 'pipe')]);
  await t.rejects(localStore.write(join(folder, 'pipe'), Buffer.from('x')), { code: 'E_NOT_FILE' });
  t.same(readdirSync(folder), ['pipe']);
  t.ok(statSync(join(folder, 'pipe')).isFIFO());
});

test('locate sees through links, also where nothing stands yet', async (t) => {
  const folder = t.testdir({ real: {}, link: t.fixture('symlink', 'real') });
  t.equal(await localStore.locate(join(folder, 'link/new/x/')), await localStore.locate(join(folder, 'real/new/x')));
  t.equal(await localStore.locate('/'), 'file://');
});

test('a folder of many files is listed one file at a time', async (t) => {
  const folder = join(t.testdir(), 'many');
  mkdirSync(folder);
  for (let i = 0; i < 500; i++) writeFileSync(join(folder, `${i}`), '');
  for await (const { name } of localStore.list(folder)) {
    t.match(name, /^\d+$/);
    break;
  }
  t.equal((await names(localStore.list(folder))).length, 500);
});

test('bytes are read into memory as a stream would give them, and no more than there are', async (t) => {
  const path = join(t.testdir({ file: '0123456789' }), 'file');
  const four = Buffer.alloc(4);
  t.equal(await localStore.readInto?.(path, four, { start: 2 }), 4);
  t.equal(four.toString(), '2345');
  t.equal(await localStore.readInto?.(path, four, { start: 7 }), 3);
  t.equal(four.toString('latin1', 0, 3), '789');
  await t.rejects(async () => localStore.readInto?.(path, four, { version: '1' }), { code: 'E_CHANGED' });
  await t.rejects(async () => localStore.readInto?.(`${path}2`, four, {}), { code: 'E_NOT_FOUND' });
});

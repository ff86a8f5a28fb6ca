import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { test } from 'tap';
import { partialName } from '../../sdk/base/files.js';
import { copy, copyParallel } from '../../sdk/storage/copy.js';
import { rename } from '../../sdk/storage/rename.js';
import { noSmallDisk, smallDisk } from './small-disk.js';

function tree(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  const paths = files.map((item) => join(item.parentPath, item.name)).sort();
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, 'utf8')]));
}

test('a copied file has the content and the time of its source', async (t) => {
  const folder = t.testdir({ a: 'x'.repeat(300_000) });
  utimesSync(join(folder, 'a'), 1_600_000_000.5, 1_600_000_000.5);
  t.equal(await copy(pathToFileURL(join(folder, 'a')).href, join(folder, 'new/b')), 300_000);
  t.equal(readFileSync(join(folder, 'new/b'), 'utf8'), readFileSync(join(folder, 'a'), 'utf8'));
  t.equal(statSync(join(folder, 'new/b')).mtimeMs, 1_600_000_000_500);
});

test('any folder of files is copied as it is', async (t) => {
  const folder = t.testdir();
  const name = fc.stringMatching(/^[a-z0-9 #%?手写-]{1,8}$/u);
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, fc.string(), { minKeys: 1 }), fc.nat(8), async (files, depth) => {
      const source = join(folder, `from${run}`);
      const destination = join(folder, `to${run++}`);
      for (const [file, content] of Object.entries(files)) {
        // No file is called D: names have small letters.
        const below = join(source, 'D/'.repeat(file.length % (depth + 1)));
        mkdirSync(below, { recursive: true });
        writeFileSync(join(below, file), content);
      }
      const { files: copied } = await copyParallel(pathToFileURL(source).href, pathToFileURL(destination).href);
      t.equal(copied, Object.keys(files).length);
      t.same(tree(destination), tree(source));
    }),
    { numRuns: 25 },
  );
});

test('leftovers are not copied, links to files are followed, other files stay', async (t) => {
  const folder = t.testdir({ from: { a: '1' }, away: 'far', to: { old: 'kept' } });
  symlinkSync('../away', join(folder, 'from/link'));
  writeFileSync(partialName(join(folder, 'from/a')), 'half');
  mkdirSync(partialName(join(folder, 'from/set')));
  const seen: number[] = [];
  const done = await copyParallel(join(folder, 'from'), join(folder, 'to'), {
    onProgress: ({ bytes }) => seen.push(bytes),
  });
  t.same(done, { files: 2, skipped: 0, bytes: 4, present: 0 });
  t.same(tree(join(folder, 'to')), { a: '1', link: 'far', old: 'kept' });
  t.equal(seen.at(-1), 4);
});

test('what has the same size and time at the destination is left alone, unless it shall be overwritten', async (t) => {
  const folder = t.testdir({ from: { same: 'aaa', size: 'aaa', time: 'aaa' } });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  await copyParallel(from, to);
  t.same(await copyParallel(from, to), { files: 0, skipped: 3, bytes: 0, present: 9 });
  writeFileSync(join(from, 'size'), 'bbbb');
  utimesSync(join(from, 'time'), 1, 1);
  t.same(await copyParallel(from, to), { files: 2, skipped: 1, bytes: 7, present: 3 });
  t.same(tree(to), { same: 'aaa', size: 'bbbb', time: 'aaa' });
  t.same(await copyParallel(from, to, { overwrite: true }), { files: 3, skipped: 0, bytes: 10, present: 0 });
});

test('of a folder only the files that are named are copied', async (t) => {
  const folder = t.testdir({ from: { a: '1', b: '2', deep: { c: '3' } } });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  t.match(await copyParallel(from, to, { files: ['a', 'deep/c'] }), { files: 2, skipped: 0 });
  t.match(await copyParallel(from, to, { files: ['deep/c', 'b'] }), { files: 1, skipped: 1 });
  t.same(tree(to), { a: '1', b: '2', 'deep/c': '3' });
  await t.rejects(copyParallel(from, to, { files: ['no'] }), { code: 'E_NOT_FOUND', message: /from\/no/ });
  await t.rejects(copyParallel(from, to, { files: ['deep'] }), { code: 'E_NOT_FILE' });
  await t.rejects(copyParallel(from, to, { files: ['../a'] }), { code: 'E_NAME', message: /^files: "\.\.\/a" is not/ });
});

test('counts that are no whole numbers of at least 1 are refused before anything is copied', async (t) => {
  const folder = t.testdir({ from: { a: '1' } });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  for (const wrong of [0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    const refused = (name: string) => ({
      code: 'E_OPTION',
      message: `${name} must be a whole number of at least 1, not ${wrong}`,
    });
    await t.rejects(copyParallel(from, to, { concurrency: wrong }), refused('concurrency'));
    await t.rejects(copyParallel(from, to, { partSize: wrong }), refused('partSize'));
    await t.rejects(copy(join(from, 'a'), to, { partSize: wrong }), refused('partSize'));
    await t.rejects(rename(from, to, { concurrency: wrong }), refused('concurrency'));
  }
  t.notOk(existsSync(to));
});

test('a mirror holds what its source holds, and nothing else', async (t) => {
  const folder = t.testdir({
    from: { b: '1', d: { e: '2' } },
    to: { a: 'x', b: '1', c: { z: 'x' }, d: { 'e-': 'x', f: 'x' }, g: 'x' },
  });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  t.match(await copyParallel(from, to, { mirror: true, overwrite: true }), { files: 2, skipped: 0 });
  t.same(tree(to), { b: '1', 'd/e': '2' });
  writeFileSync(join(to, 'late'), '');
  await t.rejects(copyParallel(join(folder, 'no'), to, { mirror: true }), { code: 'E_NOT_FOUND' });
  t.same(Object.keys(tree(to)), ['b', 'd/e', 'late'], 'without a source nothing is removed');
  t.match(await copyParallel(from, to, { mirror: true }), { files: 0, skipped: 2 });
  t.same(tree(to), { b: '1', 'd/e': '2' });
});

test('a copy that is stopped begins no more files', async (t) => {
  const folder = t.testdir({ from: { a: '1', b: '2', c: '3' } });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  const controller = new AbortController();
  const onProgress = (): void => controller.abort();
  await t.rejects(copyParallel(from, to, { concurrency: 1, onProgress, signal: controller.signal }), {
    name: 'AbortError',
  });
  t.same(tree(to), { a: '1' });
  t.match(await copyParallel(from, to), { files: 2, skipped: 1 });
});

test('a source that is missing, empty or of the wrong kind is named', async (t) => {
  const folder = t.testdir({ file: 'x', empty: { deeper: {} } });
  const to = join(folder, 'to');
  await t.rejects(copy(join(folder, 'no'), to), { code: 'E_NOT_FOUND', message: /no does not exist/ });
  await t.rejects(copyParallel(join(folder, 'no'), to), { code: 'E_NOT_FOUND', message: /no does not exist/ });
  await t.rejects(copyParallel(join(folder, 'empty'), to), { code: 'E_EMPTY', message: /empty holds no files/ });
  await t.rejects(copy(join(folder, 'empty'), to), { code: 'E_NOT_FILE' });
  await t.rejects(copyParallel(join(folder, 'file'), to), { code: 'E_NOT_FOLDER' });
  await t.rejects(copyParallel('gopher://hole', to), { code: 'E_SCHEME' });
  t.notOk(existsSync(to));
});

test('a folder is not copied into itself, by whatever name or link', async (t) => {
  const folder = t.testdir({ from: { a: '1', sub: { b: '2' } }, to: {} });
  const [from, to] = [join(folder, 'from'), join(folder, 'to')];
  symlinkSync('from', join(folder, 'link'));
  for (const inside of [from, join(from, 'new'), join(folder, 'link/new'), pathToFileURL(`${from}/sub`).href]) {
    await t.rejects(copyParallel(from, inside), { code: 'E_INTO_ITSELF' }, inside);
  }
  symlinkSync(to, join(from, 'sub/out'));
  await copyParallel(from, to).then(
    () => t.same(readdirSync(join(to, 'sub')), ['b'], 'the destination was empty: nothing to go round in'),
    (error: unknown) => t.match(error, { code: 'E_INTO_ITSELF', message: /sub\/out leads into the destination/ }),
  );
  writeFileSync(join(to, 'x'), '');
  await t.rejects(copyParallel(from, to), { code: 'E_INTO_ITSELF', message: /sub\/out leads into the destination/ });
});

test('a folder may be copied to a place next to it or above it', async (t) => {
  const folder = t.testdir({ out: { run: { a: '1', b: { c: '2' } } } });
  await copyParallel(join(folder, 'out/run'), join(folder, 'out/run2'));
  await copyParallel(join(folder, 'out/run'), join(folder, 'out'));
  t.same(tree(join(folder, 'out/run2')), { a: '1', 'b/c': '2' });
  t.equal(readFileSync(join(folder, 'out/b/c'), 'utf8'), '2');
});

test('on a full disk every file is whole or absent', { skip: noSmallDisk }, async (t) => {
  const disk = smallDisk(t, 1 << 20);
  const folder = t.testdir();
  const size = 150_000;
  for (let i = 0; i < 12; i++) writeFileSync(join(folder, `${i}`), Buffer.alloc(size, i));
  await t.rejects(copyParallel(folder, disk), { code: 'E_NO_SPACE' });
  for (const name of readdirSync(disk))
    t.ok(readFileSync(join(disk, name)).equals(Buffer.alloc(size, Number(name))), name);
});

test('a file that shrinks while its folder is copied is refused and leaves nothing', async (t) => {
  const folder = t.testdir({ from: { a: '1', b: 'x'.repeat(1 << 20) } });
  const onProgress = (): void => truncateSync(join(folder, 'from/b'), 100_000);
  await t.rejects(copyParallel(join(folder, 'from'), join(folder, 'to'), { concurrency: 1, onProgress }), {
    code: 'E_SIZE',
    message: /shrank from 1048576 to 100000 bytes/,
  });
  t.same(readdirSync(join(folder, 'to')), ['a']);
});

test('a log that grows while its folder is copied is copied up to where it ended', async (t) => {
  const folder = t.testdir({ from: { a: '1', log: 'x'.repeat(1 << 20) } });
  const onProgress = (): void => appendFileSync(join(folder, 'from/log'), 'more');
  await copyParallel(join(folder, 'from'), join(folder, 'to'), { concurrency: 1, onProgress });
  t.equal(statSync(join(folder, 'to/log')).size, 1 << 20);
});

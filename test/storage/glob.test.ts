import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { test } from 'tap';
import { fits, parsePattern } from '../../sdk/storage/glob-pattern.js';
import { escapeGlob, glob, makeDirs, read, write } from '../../sdk/storage/index.js';
import { all, objectStore, onEach } from './grounds.js';

onEach('patterns find what a shell would', async (t, { root }) => {
  const names = [
    'a1.jpg',
    'a2.jpg',
    'b1.png',
    '.hidden.jpg',
    'd/a3.jpg',
    'd/e/a4.jpg',
    'd/.git/a5.jpg',
    '手.jpg',
    '😀.jpg',
  ];
  for (const name of names) await write(`${root}/${name}`, '');
  await makeDirs(`${root}/empty`);
  const finds = async (pattern: string, found: readonly string[]): Promise<void> => {
    const urls = await all(glob(`${root}/${pattern}`));
    t.same(
      urls.map((url) => url.slice(root.length + 1)),
      found,
      pattern,
    );
  };
  await finds('*.jpg', ['a1.jpg', 'a2.jpg', '手.jpg', '😀.jpg']);
  await finds('?.jpg', ['手.jpg', '😀.jpg']);
  await finds('[a-b]?.*', ['a1.jpg', 'a2.jpg', 'b1.png']);
  await finds('[!a]1.*', ['b1.png']);
  await finds('a[^2].jpg', ['a1.jpg']);
  await finds('.*.jpg', ['.hidden.jpg']);
  await finds('*/', ['d/', 'empty/']);
  await finds('d*', ['d/']);
  await finds('*/*.jpg', ['d/a3.jpg']);
  await finds('**/*.jpg', ['a1.jpg', 'a2.jpg', 'd/a3.jpg', 'd/e/a4.jpg', '手.jpg', '😀.jpg']);
  await finds('d/**', ['d/a3.jpg', 'd/e/', 'd/e/a4.jpg']);
  await finds('**/.git/*', ['d/.git/a5.jpg']);
  await finds('**/', ['d/', 'd/e/', 'empty/']);
  await finds('d/**/e/**/a?.jpg', ['d/e/a4.jpg']);
  await finds('*/e/a4.jpg', ['d/e/a4.jpg']);
  await finds('a1.jpg', ['a1.jpg']);
  await finds('d', ['d/']);
  for (const none of ['*.gif', 'no/*', 'no/**', 'a1.jpg/*', 'a1.jpg/x', 'no', '*/no', 'a1.jpg/', '[z-a]*']) {
    await finds(none, []);
  }
});

onEach('characters that mean something in patterns can be meant as they stand', async (t, { root }) => {
  for (const name of ['a*b', 'a?b', 'a[1]b', 'a\\b', 'axb', '-', ']', 'a%41']) await write(`${root}/${name}`, name);
  const finds = async (pattern: string, found: readonly string[]): Promise<void> => {
    t.same(
      (await all(glob(`${root}/${pattern}`))).map((url) => url.slice(root.length + 1)),
      found,
      pattern,
    );
  };
  await finds('a\\*b', ['a*b']);
  await finds('a[*?]b', ['a*b', 'a?b']);
  await finds('a\\[*', ['a[1]b']);
  await finds('a[[]1]b', ['a[1]b']);
  await finds('[]-]', ['-', ']']);
  await finds('[\\]a]', [']']);
  await finds('a[b', []);
  await finds('a%4?', ['a%41']);
  for (const name of ['a*b', 'a?b', 'a[1]b', 'a\\b']) {
    await finds(escapeGlob(name), [name]);
    for await (const url of glob(`${root}/${escapeGlob(name)}`)) {
      t.equal(await read(url, { encoding: 'utf8' }), name, 'a URL that was found names its file');
    }
  }
});

test('a file URL writes characters as the web does, and what is found is such a URL again', async (t) => {
  const folder = t.testdir({ 'a b': { 'c*.txt': '', 'cd.txt': '' }, '%41': { x: '' } });
  const root = pathToFileURL(folder).href;
  t.same(await all(glob(`${root}/a%20b/c*.txt`)), [`${root}/a%20b/c*.txt`, `${root}/a%20b/cd.txt`]);
  t.same(await all(glob(`${root}/*/c%2A.txt`)), [`${root}/a%20b/c*.txt`]);
  t.same(await all(glob(`${root}/%2541/*`)), [`${root}/%2541/x`]);
});

test('a pattern without a folder finds names in the working folder', async (t) => {
  const folder = t.testdir({ 'a.txt': '', d: { 'b.txt': '' } });
  const before = process.cwd();
  process.chdir(folder);
  t.teardown(() => process.chdir(before));
  t.same(await all(glob('*.txt')), ['a.txt']);
  t.same(await all(glob('**/*.txt')), ['a.txt', 'd/b.txt']);
  t.same(await all(glob('./*.txt')), ['./a.txt']);
  t.same(await all(glob('a.txt')), ['a.txt']);
});

test('of an object store only what begins as the pattern does is listed', async (t) => {
  const server = await objectStore();
  for (const name of ['img/2023/1', 'img/2024/1', 'img/2024/2', 'other/1']) await write(`oss://training/${name}`, '');
  const before = server.asked.length;
  t.same(await all(glob('oss://training/img/2024*/*')), ['oss://training/img/2024/1', 'oss://training/img/2024/2']);
  const prefixes = server.asked.slice(before).map((line) => /[?&]prefix=([^& ]*)/.exec(line)?.[1]);
  t.same(
    prefixes.map((prefix) => decodeURIComponent(prefix ?? '')),
    ['img/2024', 'img/2024/'],
  );
});

test('a pattern with many stars takes no longer than it is long', async (t) => {
  const pattern = parsePattern(`${'*a'.repeat(50)}/${'**/*a/'.repeat(20)}b`);
  t.equal(fits(pattern, ['a'.repeat(2000), ...Array.from({ length: 200 }, () => 'a')]), false);
});

/** Says the same as `fits` in another way: every split is tried. */
function fitsSlowly(pattern: string, path: string): boolean {
  const [part, ...parts] = pattern.split('/');
  const [name, ...names] = path.split('/');
  if (part === '**') {
    const rest = parts.join('/');
    if (parts.length > 0 && fitsSlowly(rest, path)) return true;
    if (name.startsWith('.')) return false;
    return names.length > 0 ? fitsSlowly(pattern, names.join('/')) : parts.length === 0;
  }
  const hides = name.startsWith('.') && !part.startsWith('.');
  if (hides || !charactersFit([...part], [...name])) return false;
  if (parts.length === 0 || names.length === 0) return parts.length === names.length;
  return fitsSlowly(parts.join('/'), names.join('/'));
}

function charactersFit([first, ...rest]: readonly string[], characters: readonly string[]): boolean {
  if (first === undefined) return characters.length === 0;
  if (first === '*')
    return characters.some((_, i) => charactersFit(rest, characters.slice(i))) || charactersFit(rest, []);
  return (
    characters.length > 0 && (first === '?' || first === characters[0]) && charactersFit(rest, characters.slice(1))
  );
}

onEach(
  'any pattern finds those of all names that fit it',
  async (t, { root, isLocal }) => {
    const folder = isLocal ? join(root, 'tree') : t.testdir({ tree: {} });
    const base = isLocal ? folder : root;
    for (const path of ['a', 'ab', '.a', 'b/a', 'b/ab', 'b/.a/a', 'b/b/a', 'aa/b/ab', 'aa/.b', 'aa/a/a/b', 'c/c']) {
      const place = isLocal ? join(folder, path) : join(folder, 'tree', path);
      mkdirSync(join(place, '..'), { recursive: true });
      writeFileSync(place, '');
      if (!isLocal) await write(`${base}/${path}`, '');
    }
    const twin = isLocal ? folder : join(folder, 'tree');
    const paths = readdirSync(twin, { recursive: true, encoding: 'utf8' });
    const part = fc.oneof(
      fc.constant('**'),
      fc.stringMatching(/^[ab.*?]{1,3}$/).filter((part) => !/^\.+$/.test(part)),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 4 }), async (parts) => {
        const pattern = parts.join('/');
        const found = (await all(glob(`${base}/${pattern}`))).map((url) => url.slice(base.length + 1));
        const wanted = paths.filter((path) => fitsSlowly(pattern, path));
        const shown = wanted.map((path) => (statSync(join(twin, path)).isDirectory() ? `${path}/` : path));
        t.same([...found].sort(), shown.sort(), pattern);
      }),
      { numRuns: isLocal ? 200 : 60 },
    );
  },
  { asksMuch: true },
);

/** The calls of mindts/storage, on a disk and in an object store. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import * as fc from 'fast-check';
import { test } from 'tap';
import * as storage from '../../sdk/storage/index.js';
import { shownUrl } from '../../sdk/storage/url.js';
import { all, objectStore, onEach } from './grounds.js';
import { noSmallDisk, smallDisk } from './small-disk.js';

async function names(url: string, options?: { recursive: boolean }): Promise<string[]> {
  return (await all(storage.list(url, options))).map(({ name, kind }) => (kind === 'folder' ? `${name}/` : name));
}

onEach('what is written, as text, bytes or a stream, is read', async (t, { root }) => {
  const url = `${root}/new/手写 #%+?.txt`;
  await storage.write(url, 'sieben 七');
  t.equal(await storage.read(url, { encoding: 'utf8' }), 'sieben 七');
  t.equal(await storage.read(url, { encoding: 'utf8', start: 7 }), '七');
  await storage.write(url, Buffer.from([0xff, 0, 1]));
  t.same(await storage.read(url), Buffer.from([0xff, 0, 1]));
  t.same(await storage.read(url, { start: 1, end: 2 }), Buffer.from([0]));
  await t.rejects(storage.read(url, { encoding: 'utf8' }), { code: 'E_ENCODING', message: /new\/手写/ });
  await storage.write(url, Readable.from(['a', Buffer.from('b'), 'c'].map((part) => Buffer.from(part))));
  t.equal(await storage.read(url, { encoding: 'utf8' }), 'abc');
  await storage.write(url, '');
  t.equal((await storage.read(url)).length, 0);
});

onEach('bytes are asked for by whole numbers', async (t, { root }) => {
  await storage.write(`${root}/n`, '0123456789');
  for (const range of [{ start: -2 }, { start: 1.5 }, { end: -1 }, { start: Number.NaN }]) {
    await t.rejects(storage.read(`${root}/n`, range), { code: 'E_RANGE', message: /\/n is read/ });
  }
  t.equal((await storage.read(`${root}/n`, { start: 5, end: 2 })).length, 0);
});

test('no key is made that could not be copied to a disk', async (t) => {
  await objectStore();
  const root = 'oss://training/keys';
  for (const name of ['a//b', 'a/./b', 'a/../b', '/a', '..']) {
    await t.rejects(storage.write(`${root}/${name}`, 'x'), { code: 'E_NAME' }, name);
    await t.rejects(storage.makeDirs(`${root}/${name}`), { code: 'E_NAME' }, name);
  }
  await storage.write(`${root}/.hidden/...`, 'x');
  t.equal(await storage.size(`${root}/.hidden`), 1);
});

onEach('a stream that breaks off leaves the older file', async (t, { root }) => {
  async function* broken(): AsyncGenerator<string> {
    yield 'x'.repeat(100_000);
    throw new Error('the line went dead');
  }
  await storage.write(`${root}/a`, 'old');
  await t.rejects(storage.write(`${root}/a`, broken()), /the line went dead/);
  await t.rejects(storage.append(`${root}/a`, broken()), /the line went dead/);
  t.equal(await storage.read(`${root}/a`, { encoding: 'utf8' }), 'old');
  t.same(await names(root), ['a']);
});

onEach('a name stands for itself alone, not for those that begin so', async (t, { root }) => {
  await storage.write(`${root}/abc`, '1');
  await storage.write(`${root}/abd/x`, '2');
  t.equal(await storage.exists(`${root}/ab`), false);
  t.equal(await storage.isDirectory(`${root}/ab`), false);
  for (const call of [storage.stat, storage.size, storage.read, storage.remove]) {
    await t.rejects(call(`${root}/ab`), { code: 'E_NOT_FOUND', message: new RegExp(`${shownUrl(root)}/ab`) });
  }
  await t.rejects(all(storage.list(`${root}/ab`)), { code: 'E_NOT_FOUND' });
  await t.rejects(storage.copyParallel(`${root}/ab`, `${root}/to`), { code: 'E_NOT_FOUND' });
  await t.rejects(storage.rename(`${root}/ab`, `${root}/to`), { code: 'E_NOT_FOUND' });
  await t.rejects(storage.remove(`${root}/ab`, { recursive: true }), { code: 'E_NOT_FOUND' });
  t.same(await names(root, { recursive: true }), ['abc', 'abd/', 'abd/x']);
});

onEach('a slash at the end means a folder', async (t, { root }) => {
  await storage.write(`${root}/d/f`, '1');
  t.equal(await storage.exists(`${root}/d/`), true);
  t.equal(await storage.exists(`${root}/d/f/`), false);
  t.equal(await storage.exists(`${root}/d/f/g`), false, 'nothing is below a file');
  t.equal(await storage.isDirectory(`${root}/d`), true);
  for (const call of [storage.read, storage.remove]) {
    await t.rejects(call(`${root}/d/`), { code: 'E_NOT_FILE' });
    await t.rejects(call(`${root}/d`), { code: 'E_NOT_FILE' });
  }
  await t.rejects(storage.write(`${root}/new/`, 'x'), { code: 'E_NOT_FILE', message: /new\/ is a folder/ });
  await t.rejects(storage.append(`${root}/d`, 'x'), { code: 'E_NOT_FILE' });
  await t.rejects(storage.copy(`${root}/d/f`, `${root}/d`), { code: 'E_NOT_FILE', message: /d\/f$/ });
  await t.rejects(storage.copy(`${root}/d/f`, `${root}/new/`), { code: 'E_NOT_FILE', message: /new\/f$/ });
  await t.rejects(storage.copy(`${root}/d`, `${root}/e`), { code: 'E_NOT_FILE', message: /copy_parallel/ });
  await t.rejects(storage.copyParallel(`${root}/d/f`, `${root}/e`), { code: 'E_NOT_FOLDER' });
  await t.rejects(all(storage.list(`${root}/d/f`)), { code: 'E_NOT_FOLDER', message: /d\/f is a file/ });
  t.same(await names(root, { recursive: true }), ['d/', 'd/f']);
});

onEach('what is removed is gone, and nothing else is', async (t, { root }) => {
  for (const name of ['a', 'd/f', 'd/e/g', 'dx/f']) await storage.write(`${root}/${name}`, name);
  await storage.makeDirs(`${root}/d/empty`);
  await storage.remove(`${root}/a`);
  await t.rejects(storage.remove(`${root}/d`), { code: 'E_NOT_FILE', message: /recursive/ });
  t.same(await names(root), ['d/', 'dx/']);
  await storage.remove(`${root}/d`, { recursive: true });
  t.same(await names(root, { recursive: true }), ['dx/', 'dx/f']);
  await t.rejects(storage.remove(`${root}/d`, { recursive: true }), { code: 'E_NOT_FOUND' });
});

onEach('folders are made with those above them, once or twice, and not where a file is', async (t, { root }) => {
  await storage.makeDirs(`${root}/a/b`);
  await storage.makeDirs(`${root}/a/b/`);
  t.equal(await storage.isDirectory(`${root}/a/b`), true);
  t.same(await names(root, { recursive: true }), ['a/', 'a/b/']);
  t.equal(await storage.size(root), 0);
  await storage.write(`${root}/f`, '');
  await t.rejects(storage.makeDirs(`${root}/f`), { code: 'E_NOT_FOLDER', message: /f is a file/ });
});

onEach('what is appended comes after what is there', async (t, { root }) => {
  await storage.append(`${root}/log`, 'one\n');
  await storage.append(`${root}/log`, Buffer.from('two\n'));
  await storage.append(`${root}/log`, Readable.from([Buffer.from('three\n')]));
  await storage.append(`${root}/log`, '');
  t.equal(await storage.read(`${root}/log`, { encoding: 'utf8' }), 'one\ntwo\nthree\n');
});

onEach('copying a missing or an empty folder is an error, and makes nothing', async (t, { root }) => {
  await storage.makeDirs(`${root}/empty/deeper`);
  await t.rejects(storage.copyParallel(`${root}/empty`, `${root}/to`), { code: 'E_EMPTY' });
  await t.rejects(storage.copyParallel(`${root}/no`, `${root}/to`), { code: 'E_NOT_FOUND' });
  await t.rejects(storage.copy(`${root}/no`, `${root}/to`), { code: 'E_NOT_FOUND' });
  t.equal(await storage.exists(`${root}/to`), false);
});

onEach('a file is renamed, over another one too, but not to a folder or to itself', async (t, { root }) => {
  await storage.write(`${root}/a`, 'a');
  await storage.rename(`${root}/a`, `${root}/new/b`);
  await storage.write(`${root}/c`, 'c');
  await storage.rename(`${root}/c`, `${root}/new/b`);
  t.equal(await storage.read(`${root}/new/b`, { encoding: 'utf8' }), 'c');
  await t.rejects(storage.rename(`${root}/new/b`, `${root}/new`), { code: 'E_NOT_FILE' });
  await t.rejects(storage.rename(`${root}/new/b`, `${root}/other/`), { code: 'E_NOT_FILE', message: /other\/b/ });
  await t.rejects(storage.rename(`${root}/new/b`, `${root}/new/b`), { code: 'E_INTO_ITSELF' });
  await t.rejects(storage.rename(`${root}/no`, `${root}/new/b`), { code: 'E_NOT_FOUND' });
  t.same(await names(root, { recursive: true }), ['new/', 'new/b']);
});

onEach('a folder is renamed with all that is in it, but not over another one or into itself', async (t, { root }) => {
  for (const name of ['d/f', 'd/e/g', 'there/x']) await storage.write(`${root}/${name}`, name);
  await storage.makeDirs(`${root}/d/empty`);
  for (const to of ['d', 'd/', 'd/inner', 'd/e/f']) {
    await t.rejects(storage.rename(`${root}/d`, `${root}/${to}`), { code: 'E_INTO_ITSELF' }, to);
  }
  await t.rejects(storage.rename(`${root}/d`, `${root}/there`), { code: 'E_EXISTS', message: /there/ });
  await t.rejects(storage.rename(`${root}/d`, `${root}/there/x`), { code: 'E_NOT_FOLDER' });
  await storage.rename(`${root}/d`, `${root}/new/d2`);
  t.same(
    await names(root, { recursive: true }),
    'new/ new/d2/ new/d2/e/ new/d2/e/g new/d2/empty/ new/d2/f there/ there/x'.split(' '),
  );
  await storage.rename(`${root}/new/d2/empty/`, `${root}/alone/`);
  t.same(await names(`${root}/alone`), []);
});

test('a file and a folder move to another store and back, empty folders too', async (t) => {
  await objectStore();
  const folder = t.testdir({ d: { a: '1', e: { b: '22' }, empty: {} }, f: 'file' });
  symlinkSync('../f', join(folder, 'd/link'));
  mkdirSync(join(folder, 'far'));
  writeFileSync(join(folder, 'far/kept'), 'kept');
  symlinkSync('../far', join(folder, 'd/away'));
  await storage.rename(join(folder, 'd'), 'oss://training/moved/d');
  await storage.rename(pathToFileURL(join(folder, 'f')).href, 'oss://training/moved/f');
  t.same(readdirSync(folder), ['far']);
  t.equal(readFileSync(join(folder, 'far/kept'), 'utf8'), 'kept', 'what a link led to was copied and stays');
  t.same(
    await names('oss://training/moved', { recursive: true }),
    'd/ d/a d/away/ d/away/kept d/e/ d/e/b d/empty/ d/link f'.split(' '),
  );
  await storage.rename('oss://training/moved', join(folder, 'back'));
  t.equal(await storage.exists('oss://training/moved'), false);
  t.same(await names(join(folder, 'back/d')), ['a', 'away/', 'e/', 'empty/', 'link']);
  t.equal(readFileSync(join(folder, 'back/d/e/b'), 'utf8'), '22');
});

test('a move that was killed at any point is repeated by the same call, and nothing is lost', async (t) => {
  const server = await objectStore();
  const folder = t.testdir();
  const content = { a: '1', 'd/b': '22', 'd/e/c': '333' };
  // Requests of a whole move, then moves that die after each of them: the server takes no more.
  const move = async (name: string, requests: number): Promise<number> => {
    const source = join(folder, name);
    for (const [file, text] of Object.entries(content)) await storage.write(join(source, file), text);
    const before = server.asked.length;
    const { now } = server;
    server.now = () => (server.asked.length - before < requests ? now() : now() + 86_400_000);
    await storage.rename(source, `oss://training/${name}`).catch((error: unknown) => {
      t.match(error, { code: 'E_CLOCK' });
    });
    server.now = now;
    const asked = server.asked.length - before;
    for (const [file, text] of Object.entries(content)) {
      const places = [join(source, file), `oss://training/${name}/${file}`];
      const found = await Promise.all(places.map(async (url) => (await storage.exists(url)) && storage.read(url)));
      t.ok(
        found.some((bytes) => bytes && bytes.toString() === text),
        `${file} is whole on one side at least`,
      );
    }
    if (existsSync(source)) await storage.rename(source, `oss://training/${name}`);
    t.notOk(existsSync(source));
    const there = (await all(storage.list(`oss://training/${name}`, { recursive: true }))).map(({ name }) => name);
    t.same(
      there.filter((file) => !file.endsWith('.partial')),
      ['a', 'd', 'd/b', 'd/e', 'd/e/c'],
    );
    return asked;
  };
  const whole = await move('whole', Number.POSITIVE_INFINITY);
  t.ok(whole > 5);
  for (let requests = 0; requests < whole; requests++) await move(`killed${requests}`, requests);
});

test('where a bucket holds a file and a folder of one name, the slash tells them apart', async (t) => {
  const { buckets } = await objectStore();
  const url = 'oss://training/both';
  await storage.write(`${url}/a/x`, '22');
  await storage.write(`${url}/a`, '1');
  t.same(await names(url), ['a', 'a/']);
  t.equal(await storage.size(`${url}/a`), 1);
  t.equal(await storage.size(`${url}/a/`), 2);
  t.equal(await storage.isDirectory(`${url}/a`), false);
  t.equal(await storage.isDirectory(`${url}/a/`), true);
  t.same(await all(storage.glob(`${url}/*`)), [`${url}/a`, `${url}/a/`]);
  t.same(await all(storage.glob(`${url}/a`)), [`${url}/a`, `${url}/a/`]);
  await t.rejects(storage.remove(`${url}/a`, { recursive: true }), { code: 'E_AMBIGUOUS', message: /both\/a\/ to/ });
  await t.rejects(storage.copyParallel(`${url}/a`, `${url}/b`), { code: 'E_NOT_FOLDER', message: /both\/a\/$/ });
  await t.rejects(storage.makeDirs(`${url}/a`), { code: 'E_NOT_FOLDER' });
  const steps = (await all(storage.walk(url))).map(({ url: folder, files }) => [folder, files]);
  t.same(steps, [
    [url, ['a']],
    [`${url}/a/`, ['x']],
  ]);
  await storage.rename(`${url}/a`, `${url}/moved`);
  t.same(await names(url, { recursive: true }), ['a/', 'a/x', 'moved']);
  await storage.write(`${url}/a`, '1');
  await storage.remove(`${url}/a`);
  t.same(await names(url, { recursive: true }), ['a/', 'a/x', 'moved'], 'the file alone was removed');
  await storage.write(`${url}/a`, '1');
  await storage.remove(`${url}/a/`, { recursive: true });
  t.same(await names(url, { recursive: true }), ['a', 'moved'], 'the folder alone was removed');
  t.ok(buckets.get('training')?.objects.has('both/a'));
});

test('a bucket that is not there is nothing to exists, an error to all others, and never removed', async (t) => {
  await objectStore();
  t.equal(await storage.exists('oss://no-such-bucket/a'), false);
  t.equal(await storage.isDirectory('oss://no-such-bucket'), false);
  for (const call of [storage.stat, storage.size, storage.read, storage.remove, storage.makeDirs]) {
    await t.rejects(call('oss://no-such-bucket/a'), { code: 'E_BUCKET', message: /no-such-bucket/ });
  }
  await t.rejects(storage.write('oss://no-such-bucket/a', 'x'), { code: 'E_BUCKET' });
  await t.rejects(all(storage.glob('oss://no-such-bucket/*')), { code: 'E_BUCKET' });
  await t.rejects(storage.remove('oss://training', { recursive: true }), { code: 'E_BUCKET', message: /whole bucket/ });
  await t.rejects(storage.remove('/', { recursive: true }), { code: 'E_DENIED' });
});

test('a long object grows by upload in parts, and a broken append leaves it as it was', async (t) => {
  const server = await objectStore();
  const block = Buffer.alloc(10 << 20, 7);
  await storage.write('oss://training/long', block);
  await storage.append('oss://training/long', block);
  t.equal(await storage.size('oss://training/long'), 20 << 20);
  const uploads = [...(server.buckets.get('training')?.uploads.values() ?? [])];
  t.same(uploads, [], 'no upload is left behind');
});

test('a disk that fills up while a file grows leaves it as it was', { skip: noSmallDisk }, async (t) => {
  const log = join(smallDisk(t, 1 << 20), 'log');
  await storage.write(log, 'x'.repeat(500_000));
  await t.rejects(storage.append(log, 'y'.repeat(800_000)), { code: 'E_NO_SPACE' });
  t.equal(readFileSync(log, 'utf8'), 'x'.repeat(500_000));
});

test('links to nothing and pipes are passed over when people list, and refuse to be copied', async (t) => {
  const folder = t.testdir({ from: { a: '1' } });
  symlinkSync('nothing', join(folder, 'from/link'));
  t.same(await names(join(folder, 'from'), { recursive: true }), ['a']);
  t.equal(await storage.exists(join(folder, 'from/link')), false);
  await t.rejects(storage.copyParallel(join(folder, 'from'), join(folder, 'to')), { code: 'E_LINK' });
  t.equal(await storage.exists('/dev/null'), true);
  t.equal(await storage.isDirectory('/dev/null'), false);
});

/** A tree of files (text) and folders. */
type Tree = { readonly [name: string]: string | Tree };
const { tree } = fc.letrec<{ tree: Tree; node: string | Tree }>((tie) => ({
  node: fc.oneof({ maxDepth: 3, depthSize: 'small' }, fc.string({ maxLength: 20 }), tie('tree')),
  tree: fc.dictionary(
    fc.stringMatching(/^[a-c手 #%+.-]{1,3}$/u).filter((name) => !/^\.+$/.test(name)),
    tie('node'),
    {
      maxKeys: 4,
    },
  ),
}));

async function build(url: string, tree: Tree): Promise<void> {
  await storage.makeDirs(url);
  for (const [name, node] of Object.entries(tree)) {
    if (typeof node === 'string') await storage.write(`${url}/${name}`, node);
    else await build(`${url}/${name}`, node);
  }
}

function place(path: string, tree: Tree): void {
  mkdirSync(path);
  for (const [name, node] of Object.entries(tree)) {
    if (typeof node === 'string') writeFileSync(join(path, name), node);
    else place(join(path, name), node);
  }
}

onEach(
  'of any tree every call says what node:fs says of it',
  async (t, { root }) => {
    const folder = t.testdir();
    let run = 0;
    await fc.assert(
      fc.asyncProperty(tree, async (tree) => {
        const [twin, url] = [join(folder, `twin${++run}`), `${root}/tree${run}`];
        place(twin, tree);
        await build(url, tree);
        const paths = readdirSync(twin, { recursive: true, encoding: 'utf8' });
        const sorted = (paths: readonly string[]): string[] =>
          paths.map((path) => (statSync(join(twin, path)).isDirectory() ? `${path}/` : path)).sort(byBytes);
        t.same(await names(url, { recursive: true }), sorted(paths));
        t.same(await names(url), sorted(readdirSync(twin)));
        let bytes = 0;
        for (const path of [...paths, 'none', 'none/none']) {
          const known = statSync(join(twin, path), { throwIfNoEntry: false });
          t.equal(await storage.exists(`${url}/${path}`), known !== undefined, path);
          t.equal(await storage.isDirectory(`${url}/${path}`), known?.isDirectory() ?? false, path);
          if (!known?.isFile()) continue;
          bytes += known.size;
          t.match(await storage.stat(`${url}/${path}`), { kind: 'file', size: known.size });
          t.same(await storage.read(`${url}/${path}`), readFileSync(join(twin, path)));
        }
        t.equal(await storage.size(url), bytes);
        await storage.rename(url, `${url}b`);
        t.same(await names(`${url}b`, { recursive: true }), sorted(paths));
        await storage.remove(`${url}b`, { recursive: true });
        t.equal(await storage.exists(`${url}b`), false);
      }),
      { numRuns: 20 },
    );
  },
  { asksMuch: true },
);

function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

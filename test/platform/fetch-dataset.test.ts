import { execFileSync, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readSync, watch, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { DATASETS, type DatasetSource } from '../../datasets/sources.js';
import { unzip } from '../../sdk/archive/unzip.js';
import { cifar10 } from '../../sdk/dataset/cifar.js';
import { mnist } from '../../sdk/dataset/mnist.js';
import { fetchDataset } from '../../sdk/platform/fetch-dataset.js';
import { type Asked, startMirror } from './mirror.js';

type Files = Readonly<Record<string, Buffer>>;

/** Two images of four pixels, and their labels, for either split. */
const IDX: Files = Object.fromEntries(
  ['train', 't10k'].flatMap((split, i) => [
    [
      `${split}-images-idx3-ubyte.gz`,
      gzipSync(Buffer.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6, 7, i)),
    ],
    [`${split}-labels-idx1-ubyte.gz`, gzipSync(Buffer.of(0, 0, 8, 1, 0, 0, 0, 2, 7, i))],
  ]),
);

/** A table of our own: the real one's files would be 200 MB. */
function tableOf(files: Files, mirrors: readonly string[], holds = holdsOfMnist): DatasetSource {
  return {
    title: 'Small',
    home: 'http://127.0.0.1/',
    mirrors,
    archive: 'small.zip',
    files: Object.entries(files).map(([name, bytes]) => ({
      name,
      bytes: bytes.length,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      holds: holds(name),
    })),
  };
}

function holdsOfMnist(name: string): string[] {
  const held = name.replace('.gz', '');
  return [`${held.startsWith('train') ? 'train' : 'test'}/${held}`];
}

/** Work folders of its own, and where they lie. */
function ownCache(t: Test): { folder: string; to: string; env: NodeJS.ProcessEnv } {
  const folder = t.testdir({ cache: {}, out: {} });
  const env = { ...process.env, MINDTS_CACHE: join(folder, 'cache') };
  t.intercept(process, 'env', { value: env });
  return { folder, to: join(folder, 'out', 'small.zip'), env };
}

/** What lies below a folder and is no folder. */
function filesIn(folder: string): string[] {
  const items = readdirSync(folder, { recursive: true, withFileTypes: true });
  return items.filter((item) => item.isFile()).map(({ name }) => name);
}

const contentOf = ({ method }: Asked): boolean => method === 'GET';

test('what is fetched is what the platform has: folders train/ and test/ in a zip, which are read as MNIST', async (t) => {
  const { folder, to } = ownCache(t);
  const mirror = await startMirror(t, IDX);
  t.equal(await fetchDataset(tableOf(IDX, [mirror.url]), to), to);
  await unzip(to, join(folder, 'data'));
  t.same(readdirSync(join(folder, 'data')).sort(), ['test', 'train']);
  const { images, labels } = await mnist(join(folder, 'data'), { split: 'test' });
  t.same([...images], [1, 2, 3, 4, 5, 6, 7, 1]);
  t.same([...labels], [7, 1]);
  t.same(filesIn(join(folder, 'cache')), [], 'nothing is left in the work folder');
});

test('a tar.gz becomes a zip of the files that are wanted, which are read as CIFAR', async (t) => {
  const { folder, to } = ownCache(t);
  const record = Buffer.concat([Buffer.of(3), randomBytes(3072)]);
  const names = [...[1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`), 'test_batch.bin'];
  const inner = join(folder, 'cifar-10-batches-bin');
  await mkdir(inner);
  for (const name of [...names, 'readme.html']) writeFileSync(join(inner, name), record);
  execFileSync('tar', ['-czf', join(folder, 'cifar.tar.gz'), '-C', folder, 'cifar-10-batches-bin']);
  const files = { 'cifar.tar.gz': readFileSync(join(folder, 'cifar.tar.gz')) };
  const mirror = await startMirror(t, files);
  const holds = (): string[] => names.map((name) => `cifar-10-batches-bin/${name}`);
  await fetchDataset(tableOf(files, [mirror.url], holds), to);
  t.same(await unzip(to, join(folder, 'data')), { files: 6, bytes: 6 * 3073 });
  t.equal((await cifar10(join(folder, 'data'), { split: 'train' })).size, 5);
});

test('a mirror may be a folder of any store, and what is fetched goes to a folder under its own name', async (t) => {
  const { folder } = ownCache(t);
  for (const [name, content] of Object.entries(IDX)) writeFileSync(join(folder, name), content);
  const to = await fetchDataset(tableOf(IDX, ['http://127.0.0.1:1/']), join(folder, 'out'), { mirrors: [folder] });
  t.equal(to, join(folder, 'out', 'small.zip'));
  t.ok(existsSync(to));
});

test('where the first mirror has nothing, the next one is asked', async (t) => {
  const { to } = ownCache(t);
  const [first, second] = [await startMirror(t, {}), await startMirror(t, IDX)];
  await fetchDataset(tableOf(IDX, [first.url, second.url]), to);
  t.ok(existsSync(to));
  t.equal(second.asked.filter(contentOf).length, 4);
});

test('a mirror that has other bytes of the same number is not believed', async (t) => {
  const { to } = ownCache(t);
  const [name] = Object.keys(IDX);
  const flipped = Buffer.from(IDX[name]);
  flipped[flipped.length - 1] ^= 1;
  const [first, second] = [await startMirror(t, { ...IDX, [name]: flipped }), await startMirror(t, IDX)];
  await fetchDataset(tableOf(IDX, [first.url, second.url]), to);
  t.same(
    second.asked.filter(contentOf).map((one) => one.name),
    [name],
    'the other three were right',
  );
});

test('a mirror whose file has another size is not even read', async (t) => {
  const { to } = ownCache(t);
  const page = Buffer.from('<html>Please log in.</html>');
  const [first, second] = [
    await startMirror(t, Object.fromEntries(Object.keys(IDX).map((name) => [name, page]))),
    await startMirror(t, IDX),
  ];
  await fetchDataset(tableOf(IDX, [first.url, second.url]), to);
  t.same(first.asked.filter(contentOf), []);
});

test('where no mirror has the right bytes, the error names the file in a short line, and nothing stands at the place', async (t) => {
  const { folder, to } = ownCache(t);
  const [name] = Object.keys(IDX);
  const flipped = Buffer.from(IDX[name]);
  flipped[flipped.length - 1] ^= 1;
  const [first, second] = [await startMirror(t, { ...IDX, [name]: flipped }), await startMirror(t, {})];
  const failure = fetchDataset(tableOf(IDX, [first.url, second.url]), to);
  await t.rejects(failure, {
    code: 'E_FETCH',
    message: /^[^:]+: no mirror gives [\w.-]+: .{1,100}--mirror FOLDER; docs\/datasets\.md lists them$/,
  });
  t.same(readdirSync(join(folder, 'out')), []);
  t.same(filesIn(join(folder, 'cache')), [], 'the wrong bytes are not kept');
});

test('a zip that was there stays when its data set cannot be fetched', async (t) => {
  const { to } = ownCache(t);
  writeFileSync(to, 'old');
  const mirror = await startMirror(t, {});
  await t.rejects(fetchDataset(tableOf(IDX, [mirror.url]), to), { code: 'E_FETCH' });
  t.equal(readFileSync(to, 'utf8'), 'old');
});

// More than one part of 8 MiB, so that there are some to lose.
const MIB = 2 ** 20;
const LARGE: Files = { 'train-images-idx3-ubyte.gz': gzipSync(randomBytes(20 * MIB), { level: 0 }) };

async function hasLarge(t: Test, archive: string): Promise<void> {
  const out = join(t.testdirName, 'unzipped');
  await unzip(archive, out);
  const found = gzipSync(readFileSync(join(out, 'train/train-images-idx3-ubyte')), { level: 0 });
  t.ok(found.equals(LARGE['train-images-idx3-ubyte.gz']));
}

test('connections that break are gone on with where they broke', async (t) => {
  const { to } = ownCache(t);
  const mirror = await startMirror(t, LARGE, ({ method, start, before }) =>
    method === 'GET' && start % (8 * MIB) === 0 && before === 0 ? { cutAfter: MIB } : undefined,
  );
  await fetchDataset(tableOf(LARGE, [mirror.url]), to);
  await hasLarge(t, to);
  const again = mirror.asked.filter(({ method, start }) => method === 'GET' && start % (8 * MIB) !== 0);
  t.ok(again.length >= 3, 'each part was asked for from where it broke');
});

test('mirrors that say other lengths than they have are passed over, and one that knows no ranges is read', async (t) => {
  const { to } = ownCache(t);
  const { length } = LARGE['train-images-idx3-ubyte.gz'];
  const mirrors = [
    await startMirror(t, LARGE, () => ({ says: length + 1000 })),
    await startMirror(t, LARGE, ({ method }) => (method === 'GET' ? { says: length - 1000 } : undefined)),
    await startMirror(t, LARGE, ({ method }) => (method === 'GET' ? { status: 403 } : undefined)),
    await startMirror(t, LARGE, () => 'no ranges'),
  ];
  const urls = mirrors.map(({ url }) => url);
  await fetchDataset(tableOf(LARGE, urls), to);
  await hasLarge(t, to);
});

test('after a kill only what had not come comes', async (t) => {
  const { folder, to, env } = ownCache(t);
  const last = 16 * MIB;
  const mirror = await startMirror(t, LARGE, ({ method, start, before }) =>
    method === 'GET' && start === last && before === 0 ? 'silence' : undefined,
  );
  const source = tableOf(LARGE, [mirror.url]);
  writeFileSync(join(folder, 'source.json'), JSON.stringify(source));
  const script = fileURLToPath(new URL('fetch-child.ts', import.meta.url));
  const haveCome = partsIn(join(folder, 'cache'), source.files[0].bytes, 2);
  const child = spawn(process.execPath, [...process.execArgv, script, join(folder, 'source.json'), to], {
    env,
    stdio: 'inherit',
  });
  await Promise.race([haveCome, once(child, 'exit')]);
  child.kill('SIGKILL');
  t.same(await once(child, 'close'), [null, 'SIGKILL']);
  t.notOk(existsSync(to));

  const before = mirror.asked.filter(contentOf).length;
  await fetchDataset(source, to);
  t.same(
    mirror.asked
      .filter(contentOf)
      .slice(before)
      .map(({ start }) => start),
    [last],
  );
  await hasLarge(t, to);
});

/** Waits until so many parts of a file of this size have come to a folder below. */
async function partsIn(cache: string, size: number, wanted: number): Promise<void> {
  for await (const _ of changesBelow(cache)) {
    const partial = readdirSync(cache, { recursive: true, encoding: 'utf8' }).find((name) => name.endsWith('.partial'));
    if (partial === undefined) continue;
    const marks = Buffer.alloc(3);
    // Behind the parts a note of 4096 bytes, then a byte for each that is there.
    const file = openSync(join(cache, partial), 'r');
    readSync(file, marks, 0, 3, size + 4096);
    closeSync(file);
    if (marks.filter((mark) => mark === 1).length === wanted) return;
  }
}

async function* changesBelow(folder: string): AsyncGenerator<void> {
  const watcher = watch(folder, { recursive: true });
  try {
    for (;;) {
      await once(watcher, 'change');
      yield;
    }
  } finally {
    watcher.close();
  }
}

test('each of the sets has its files in the place where its reader looks', async (t) => {
  for (const name of ['mnist', 'fashion-mnist'] as const) {
    t.same(
      DATASETS[name].files.flatMap(({ holds }) => holds),
      [
        'train/train-images-idx3-ubyte',
        'train/train-labels-idx1-ubyte',
        'test/t10k-images-idx3-ubyte',
        'test/t10k-labels-idx1-ubyte',
      ],
    );
  }
  t.ok(DATASETS.cifar10.files[0].holds.includes('cifar-10-batches-bin/data_batch_5.bin'));
  t.ok(DATASETS.cifar100.files[0].holds.includes('cifar-100-binary/train.bin'));
  for (const { files, mirrors } of Object.values(DATASETS)) {
    for (const { sha256 } of files) t.match(sha256, /^[0-9a-f]{64}$/);
    t.match(mirrors[0], /^https:/, 'one with TLS comes first');
  }
});

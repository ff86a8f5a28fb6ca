import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { unzip } from '../../sdk/archive/unzip.js';
import { packageRoot } from '../../sdk/base/package.js';
import { encodeIdx } from '../../sdk/dataset/idx.js';
import { mnist, mnistTransforms } from '../../sdk/dataset/mnist.js';

const FILES = {
  train: ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'],
  test: ['t10k-images-idx3-ubyte', 't10k-labels-idx1-ubyte'],
} as const;

/** Two 2×2 images to train on, three to test with. */
function content(split: 'train' | 'test'): readonly [Uint8Array, Uint8Array] {
  const size = split === 'train' ? 2 : 3;
  const bytes = Uint8Array.from({ length: size * 4 }, (_, i) => i);
  return [encodeIdx([size, 2, 2], bytes), encodeIdx([size], bytes.slice(0, size))];
}

/** Writes a set, each file where `place` says. */
function writeSet(t: Test, place: (split: 'train' | 'test', name: string) => string): string {
  const folder = t.testdir({ train: {}, test: {} });
  for (const split of ['train', 'test'] as const) {
    for (const [i, name] of FILES[split].entries()) {
      const path = place(split, name);
      const bytes = content(split)[i];
      writeFileSync(join(folder, path), path.endsWith('.gz') ? gzipSync(bytes) : bytes);
    }
  }
  return folder;
}

const refused = (t: Test, folder: string, code: string, message: RegExp): Promise<unknown> =>
  t.rejects(mnist(folder, { split: 'train' }), { name: 'DatasetError', code, message });

test('a set is read from train/ and test/ or from one folder, plain or gzipped, with either way to write its names', async (t) => {
  const places: Record<string, (split: string, name: string) => string> = {
    folders: join,
    'one folder': (_split, name) => name,
    'folders, gzipped': (split, name) => join(split, `${name}.gz`),
    'one folder, gzipped': (_split, name) => `${name}.gz`,
    dots: (split, name) => join(split, name.replace('-idx', '.idx')),
    'gzipped images alone': (split, name) => join(split, name.replace('idx3-ubyte', 'idx3-ubyte.gz')),
  };
  for (const [what, place] of Object.entries(places)) {
    await t.test(what, async (t) => {
      const folder = writeSet(t, place);
      const train = await mnist(folder, { split: 'train' });
      t.same([...train.images], [0, 1, 2, 3, 4, 5, 6, 7]);
      t.same([...train.labels], [0, 1]);
      t.match(train, {
        size: 2,
        classes: 10,
        plan: { height: 32, width: 32, source: { height: 2, width: 2, channels: 1 } },
      });
      t.ok(train.source.startsWith(join(folder, place('train', FILES.train[0]))), train.source);
      t.equal((await mnist(folder, { split: 'test' })).size, 3);
    });
  }
});

test('a folder of its own comes before the folder around it, a plain file before a gzipped one', async (t) => {
  const folder = writeSet(t, join);
  for (const name of FILES.train) {
    writeFileSync(join(folder, name), 'not looked at');
    writeFileSync(join(folder, 'train', `${name}.gz`), 'not looked at');
  }
  t.equal((await mnist(folder, { split: 'train' })).size, 2);
});

test('classes and transforms are those given', async (t) => {
  const folder = writeSet(t, join);
  const { plan, classes } = await mnist(folder, { split: 'train', classes: 2, transforms: [] });
  t.equal(classes, 2);
  t.match(plan, { height: 2, width: 2, scale: [1], shift: [0] });
  await t.rejects(mnist(folder, { split: 'test', classes: 2 }), {
    code: 'E_LABEL',
    message: /label 2; with 2 classes/,
  });
});

test('the usual transforms resize, bring bytes to [0, 1] and normalise, in this order', async (t) => {
  t.same(mnistTransforms(), [
    { kind: 'resize', height: 32, width: 32 },
    { kind: 'rescale', factor: 1 / 255 },
    { kind: 'normalize', mean: [0.1307], std: [0.3081] },
  ]);
  t.match(mnistTransforms(28, 30)[0], { height: 28, width: 30 });
});

test('where no set is, what was looked for is named', async (t) => {
  const folder = t.testdir({ 'readme.txt': 'nothing', inner: {} });
  const wanted =
    /neither it nor its folder train\/ holds train-images-idx3-ubyte and train-labels-idx1-ubyte \(or \.gz\)/;
  await refused(t, folder, 'E_NOT_FOUND', wanted);
  await refused(t, join(folder, 'inner'), 'E_NOT_FOUND', wanted);
  await refused(t, join(folder, 'missing'), 'E_NOT_FOUND', /missing/);
  await refused(t, join(folder, 'readme.txt'), 'E_READ', /readme\.txt.*not a folder/);
});

test('half a set is refused, naming the half that is there and the one that lacks', async (t) => {
  const [images, labels] = FILES.train;
  const folder = writeSet(t, join);
  renameSync(join(folder, 'train', labels), join(folder, 'kept'));
  await refused(t, folder, 'E_NOT_FOUND', /train: holds train-images-idx3-ubyte, but not the labels/);
  renameSync(join(folder, 'kept'), join(folder, 'train', labels));
  rmSync(join(folder, 'train', images));
  await refused(t, folder, 'E_NOT_FOUND', /train: holds train-labels-idx1-ubyte, but not the images/);
  t.equal((await mnist(folder, { split: 'test' })).size, 3, 'the other split is whole');
});

test('images and labels that disagree are refused, naming both', async (t) => {
  const folder = writeSet(t, join);
  const [images, labels] = FILES.train.map((name) => join(folder, 'train', name));
  const replaceLabels = (shape: readonly number[], ...bytes: readonly number[]): void =>
    writeFileSync(labels, encodeIdx(shape, Uint8Array.from(bytes)));
  replaceLabels([3], 0, 1, 2);
  await refused(t, folder, 'E_COUNT', /train-images-idx3-ubyte holds 2 images, but .*train-labels-idx1-ubyte 3 labels/);
  replaceLabels([2], 0, 10);
  await refused(t, folder, 'E_LABEL', /sample 1 has the label 10; with 10 classes it must be 0 to 9/);
  replaceLabels([2, 1], 0, 1);
  await refused(t, folder, 'E_SHAPE', /train-labels-idx1-ubyte: has 2 dimensions; labels have 1/);
  replaceLabels([0]);
  writeFileSync(images, encodeIdx([0, 2, 2], new Uint8Array()));
  await refused(t, folder, 'E_EMPTY', /holds no samples/);
  writeFileSync(images, readFileSync(labels));
  await refused(t, folder, 'E_SHAPE', /train-images-idx3-ubyte: has 1 dimensions?; images have 3/);
});

test('a file that is cut is refused by its name', async (t) => {
  const folder = writeSet(t, join);
  writeFileSync(join(folder, 'train', FILES.train[0]), content('train')[0].subarray(0, 20));
  await refused(t, folder, 'E_IDX_TRUNCATED', /train-images-idx3-ubyte: /);
});

const archive = join(packageRoot, '../shared/data/MNISTData.zip');

test('MNIST has 60000 and 10000 digits, so many of each', {
  skip: !existsSync(archive) && 'no shared/data/MNISTData.zip beside the repository',
}, async (t) => {
  const folder = join(t.testdir(), 'set');
  mkdirSync(folder);
  await unzip(archive, folder);
  const perClass = {
    train: [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
    test: [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
  };
  for (const split of ['train', 'test'] as const) {
    const { labels, images, plan } = await mnist(folder, { split });
    t.match(plan.source, { height: 28, width: 28, channels: 1 });
    t.equal(images.length, labels.length * 28 * 28);
    const counts = new Array<number>(10).fill(0);
    for (const label of labels) counts[label]++;
    t.same(counts, perClass[split], split);
  }
});

test('a folder without such a set is shown, as it was packed', async (t) => {
  const folder = t.testdir({ a: { b: { 'x.txt': '' } }, notes: '' });
  await t.rejects(mnist(folder, { split: 'train' }), { message: /it holds a\/\{b\/\{x\.txt\}\}, notes$/ });
});

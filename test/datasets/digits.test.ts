import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { makeDigits, writeDigits } from '../../datasets/digits.js';
import { readIdx } from '../../sdk/dataset/idx.js';
import { contactSheet, decodePng, encodePng } from './contact-sheet.js';
import { linearAccuracy } from './linear-classifier.js';

const PIXELS = 28 * 28;

test('the same seed gives the same bytes, today and tomorrow', async (t) => {
  const digits = makeDigits({ seed: 7, train: 200, test: 100 });
  const hash = createHash('sha256');
  for (const { images, labels } of [digits.train, digits.test]) hash.update(images).update(labels);
  t.equal(hash.digest('hex'), 'a912f7e367040f84a8b38e8cbf36a34b9df6d51576d88673602d66730c34930b');
});

test('another seed, and the other part, give other images', async (t) => {
  const one = makeDigits({ seed: 1, train: 300, test: 300 });
  const two = makeDigits({ seed: 2, train: 300, test: 300 });
  const all = [one.train, one.test, two.train, two.test].flatMap(({ images }) =>
    Array.from({ length: 300 }, (_, i) =>
      Buffer.from(images.subarray(i * PIXELS, (i + 1) * PIXELS)).toString('latin1'),
    ),
  );
  t.equal(new Set(all).size, 1200, 'no image comes twice');
});

test('a smaller set is the beginning of a larger one, and every class has its tenth', async () => {
  const large = makeDigits({ train: 120, test: 0 }).train;
  fc.assert(
    fc.property(fc.nat(120), (n) => {
      const { images, labels } = makeDigits({ train: n, test: 0 }).train;
      const counts = Array.from({ length: 10 }, () => 0);
      for (const label of labels) counts[label]++;
      return (
        Buffer.compare(images, large.images.subarray(0, n * PIXELS)) === 0 &&
        Buffer.compare(labels, large.labels.subarray(0, n)) === 0 &&
        Math.max(...counts) - Math.min(...counts) <= 1
      );
    }),
    { numRuns: 20 },
  );
});

test('every image has ink, black paper, and its centre of mass near the middle', async (t) => {
  const { images } = makeDigits({ train: 1000, test: 0 }).train;
  for (let i = 0; i < 1000; i++) {
    const image = images.subarray(i * PIXELS, (i + 1) * PIXELS);
    const mass = image.reduce((sum, ink) => sum + ink, 0);
    const x = image.reduce((sum, ink, at) => sum + ink * (at % 28), 0) / mass;
    const y = image.reduce((sum, ink, at) => sum + ink * Math.floor(at / 28), 0) / mass;
    const blank = image.filter((ink) => ink === 0).length / PIXELS;
    const fine = Math.abs(x - 13.5) < 5 && Math.abs(y - 13.5) < 5 && blank > 0.5 && blank < 0.97;
    if (!fine || Math.max(...image) < 200) t.fail(`image ${i}: centre ${x}, ${y}; blank ${blank}`);
  }
});

test('counts that cannot be drawn are refused, naming them', async (t) => {
  for (const train of [-1, 1.5, Number.NaN, 1e9]) {
    t.throws(() => makeDigits({ train }), {
      code: 'E_DIGITS_COUNT',
      message: new RegExp(`have ${train} train images`),
    });
  }
});

test('a folder of digits has the files, names and headers of MNIST', async (t) => {
  const folder = join(t.testdir(), 'digits');
  await writeDigits(folder, { seed: 3, train: 30, test: 20 });
  const digits = makeDigits({ seed: 3, train: 30, test: 20 });
  t.same(await readIdx(join(folder, 'train/train-images-idx3-ubyte')), {
    shape: [30, 28, 28],
    data: digits.train.images,
  });
  t.same(await readIdx(join(folder, 'train/train-labels-idx1-ubyte')), { shape: [30], data: digits.train.labels });
  t.same(await readIdx(join(folder, 'test/t10k-images-idx3-ubyte')), { shape: [20, 28, 28], data: digits.test.images });
  t.same(await readIdx(join(folder, 'test/t10k-labels-idx1-ubyte')), { shape: [20], data: digits.test.labels });
});

test('a file that cannot be written is named', async (t) => {
  const folder = t.testdir({ test: { 't10k-labels-idx1-ubyte': { 'a folder': '' } } });
  const message = /t10k-labels-idx1-ubyte/;
  await t.rejects(writeDigits(folder, { train: 1, test: 1 }), { code: 'E_WRITE', message });
});

test('a linear classifier learns the digits, but not well: they need a convolution', async (t) => {
  const accuracies = linearAccuracy(makeDigits());
  const best = Math.max(...accuracies);
  t.comment(`after each epoch: ${accuracies.join(', ')}`);
  t.ok(best > 0.6, 'it learns');
  t.ok(best < 0.95, 'it does not suffice');
});

test('the picture in Example_Picture shows the digits as they are drawn', async (t) => {
  const path = join(import.meta.dirname, '../../Example_Picture/digits.png');
  const sheet = contactSheet(makeDigits({ train: 200, test: 0 }).train);
  if (process.env.TAP_SNAPSHOT === '1') await writeFile(path, encodePng(sheet)); // `npx tap --snapshot`
  t.ok(decodePng(await readFile(path)).equals(sheet), 'else draw it again with `npx tap --snapshot`');
});

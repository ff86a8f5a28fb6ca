import { createHash } from 'node:crypto';
import { chmodSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { type Test, test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import type { Dataset } from '../../sdk/dataset/dataset.js';
import { type ImageFolderOptions, imageFolder, type PassOptions } from '../../sdk/dataset/image-stream.js';
import { centerCrop, randomHorizontalFlip, randomResizedCrop } from '../../sdk/dataset/views.js';
import { type Running, start } from '../cli/command.js';
import { picture, writeClasses, writeFiles } from './pictures.js';

const training = [randomResizedCrop(32), randomHorizontalFlip()];

/** Each batch of a pass as its labels and a hash of its images. */
async function pass(folder: string, options: PassOptions, folderOptions: ImageFolderOptions = {}): Promise<string[]> {
  const stream = await imageFolder(folder, { transforms: training, workers: 2, ...folderOptions });
  const batches: string[] = [];
  for await (const batch of stream.batches(options)) batches.push(shown(batch));
  return batches;
}

function shown({ images, labels }: Dataset): string {
  return `${[...labels].join(' ')} ${createHash('sha256').update(images).digest('hex').slice(0, 16)}`;
}

test('in the order of the files, batches hold the images and their classes, the last one fewer', async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 3, each: 4 });
  const stream = await imageFolder(folder, { transforms: [centerCrop(32, { resize: 32 })], workers: 1 });
  t.match(stream, { size: 12, classes: 3, classNames: ['a', 'b', 'c'], source: folder });
  t.match(stream.plan, { height: 32, width: 32, source: { height: 32, width: 32, channels: 3 } });
  const batches: Dataset[] = [];
  for await (const batch of stream.batches({ batchSize: 5 })) batches.push(batch);
  t.same(
    batches.map(({ labels }) => [...labels]),
    [
      [0, 0, 0, 0, 1],
      [1, 1, 1, 2, 2],
      [2, 2],
    ],
  );
  for (const { size, images, labels, plan } of batches) {
    t.equal(images.length, size * 32 * 32 * 3);
    t.equal(labels.length, size);
    t.same(plan, stream.plan);
  }
  t.equal((await pass(folder, { batchSize: 5, dropRemainder: true })).length, 2);
  const none = pass(folder, { batchSize: 1000, dropRemainder: true });
  await t.rejects(none, {
    code: 'E_BATCH',
    message: /a batch of 1000 is larger than the data set: .* holds \d+ images/,
  });
});

test('a shuffled pass depends on seed and epoch alone: not on the number of threads, nor on where it begins', async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 3, each: 11 });
  const shuffle = { seed: 7, epoch: 2 };
  const whole = await pass(folder, { batchSize: 4, shuffle }, { workers: 1 });
  t.equal(whole.length, 9);
  for (const workers of [2, 3, 5]) t.same(await pass(folder, { batchSize: 4, shuffle }, { workers }), whole);
  for (const from of [1, 5, 8, 9]) t.same(await pass(folder, { batchSize: 4, shuffle, from }), whole.slice(from));
  t.same(await pass(folder, { batchSize: 4, shuffle, from: 2, to: 5 }), whole.slice(2, 5));
  t.not((await pass(folder, { batchSize: 4, shuffle: { seed: 7, epoch: 3 } }))[0], whole[0]);
  t.not((await pass(folder, { batchSize: 4, shuffle: { seed: 8, epoch: 2 } }))[0], whole[0]);
});

/** Two classes of eight images, four of them bad in ways that the names say. */
async function withBad(t: Test): Promise<string> {
  const folder = await writeClasses(t.testdir(), { classes: 2, each: 8 });
  const jpeg = await picture(60, 50).jpeg().toBuffer();
  return writeFiles(folder, {
    'a/cut.JPEG': jpeg.subarray(0, 300),
    'a/empty.jpg': '',
    'b/text.jpg': 'not an image at all',
    'b/really-a.png.JPEG': await picture(60, 50).png().toBuffer(),
    'b/wide.png': await sharp({ create: { width: 30_000, height: 4000, channels: 3, background: 'red' } })
      .png()
      .toBuffer(),
  });
}

test('bad images are passed over and remembered with what is wrong with them', async (t) => {
  const folder = await withBad(t);
  const stream = await imageFolder(folder, { transforms: training, workers: 2 });
  t.equal(stream.size, 21);
  const labels: number[] = [];
  for await (const batch of stream.batches({ batchSize: 4 })) labels.push(...batch.labels);
  t.same(labels, [...Array(8).fill(0), ...Array(9).fill(1)], 'a PNG is one whatever it is called');
  t.same([...stream.skipped.keys()].sort(), ['a/cut.JPEG', 'a/empty.jpg', 'b/text.jpg', 'b/wide.png']);
  t.match(Object.fromEntries(stream.skipped), {
    'a/cut.JPEG': /premature end|truncated/i,
    'a/empty.jpg': 'the file is empty',
    'b/text.jpg': 'not a JPEG, PNG, WebP, GIF or TIFF image',
    'b/wide.png': /pixel limit/,
  });
});

test('in training the next good image of the order stands in for a bad one, so that every batch is full and the same', async (t) => {
  const folder = await withBad(t);
  const shuffle = { seed: 3, epoch: 1 };
  const whole = await pass(folder, { batchSize: 4, dropRemainder: true, shuffle }, { workers: 1 });
  t.equal(whole.length, 5);
  for (const batch of whole) t.equal(batch.split(' ').length, 5);
  for (const workers of [2, 3]) {
    t.same(await pass(folder, { batchSize: 4, dropRemainder: true, shuffle }, { workers }), whole);
  }
  for (const from of [1, 2, 3, 4]) {
    t.same(await pass(folder, { batchSize: 4, dropRemainder: true, shuffle, from }), whole.slice(from), `from ${from}`);
  }
  const stream = await imageFolder(folder, { transforms: training, workers: 2 });
  for (const _ of [1, 2]) {
    const again: string[] = [];
    for await (const batch of stream.batches({ batchSize: 4, dropRemainder: true, shuffle })) again.push(shown(batch));
    t.same(again, whole, 'what is known to be bad already makes no difference');
  }
});

test('an image that is gone or cannot be read is passed over; where all are bad, training is refused', async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 1, each: 6 });
  const stream = await imageFolder(folder, { transforms: training, workers: 2 });
  rmSync(join(folder, 'a', '001.jpg'));
  const labels: number[] = [];
  for await (const batch of stream.batches({ batchSize: 6 })) labels.push(...batch.labels);
  t.equal(labels.length, 5);
  t.match([...stream.skipped], [['a/001.jpg', 'no such file or folder']]);
  for (const i of [0, 2, 3, 4, 5]) writeFiles(folder, { [`a/00${i}.jpg`]: 'x' });
  const next = async (): Promise<unknown> => stream.batches({ batchSize: 2, shuffle: { seed: 1, epoch: 1 } }).next();
  await t.rejects(next(), { name: 'DatasetError', code: 'E_IMAGES', message: /6 images cannot be read.*a\/001\.jpg/ });
});

test('an image without permission is passed over', {
  skip: process.getuid?.() === 0 && 'root reads everything',
}, async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 1, each: 3 });
  chmodSync(join(folder, 'a', '000.jpg'), 0);
  const stream = await imageFolder(folder, { transforms: training, workers: 1 });
  for await (const batch of stream.batches({ batchSize: 3 })) t.equal(batch.size, 2);
  t.same([...stream.skipped.values()], ['permission denied']);
});

test('the checksum is that of the names and the transforms', async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 2, each: 2 });
  const sum = async (transforms = training): Promise<string> => (await imageFolder(folder, { transforms })).checksum;
  const first = await sum();
  t.match(first, /^[0-9a-f]{8}$/);
  t.equal(await sum(), first);
  t.not(await sum([randomResizedCrop(32)]), first);
  writeFiles(folder, { 'b/more.jpg': '' });
  t.not(await sum(), first);
});

test('wrong options are refused', async (t) => {
  const folder = await writeClasses(t.testdir(), { classes: 1, each: 2 });
  await t.rejects(imageFolder(folder, { workers: 0 }), { code: 'E_WORKERS', message: /from 1 to 256, not 0/ });
  await t.rejects(imageFolder(folder, { transforms: [] }), { code: 'E_TRANSFORM' });
  await t.rejects(imageFolder(join(folder, 'none')), { code: 'E_NOT_FOUND' });
  const stream = await imageFolder(folder);
  await t.rejects(stream.batches({ batchSize: 0 }).next(), { code: 'E_BATCH' });
});

/**
 * Runs code with `stream` of 40 images at hand in a process of its own, which ends by itself or not at all; `preload` runs
 * in all its threads.
 */
async function processWith(t: Test, code: string, preload = ''): Promise<Running> {
  const root = t.testdir({});
  const folder = await writeClasses(join(root, 'set'), { classes: 2, each: 20 });
  const dist = join(packageRoot, 'dist', 'sdk', 'dataset', 'image-stream.js');
  writeFiles(root, {
    'preload.mjs': `import { isMainThread, parentPort } from 'node:worker_threads'; ${preload}`,
    'job.mjs': `import { imageFolder } from ${JSON.stringify(dist)};
      const stream = await imageFolder(${JSON.stringify(folder)}, { workers: 2 });
      ${code}`,
  });
  const env = { NODE_OPTIONS: `--import=${join(root, 'preload.mjs')}` };
  return start([], { cache: join(root, 'cache'), file: join(root, 'job.mjs'), env });
}

test('a pass that is left early, stopped or forgotten keeps no process alive', async (t) => {
  const ways: Readonly<Record<string, string>> = {
    break: `for await (const { size } of stream.batches({ batchSize: 4 })) { console.log(size); break; }`,
    throw: `try { for await (const { size } of stream.batches({ batchSize: 4 })) { console.log(size); throw 1; } } catch {}`,
    forgotten: `console.log((await stream.batches({ batchSize: 4 }).next()).value.size);`,
    abort: `const controller = new AbortController();
      for await (const { size } of stream.batches({ batchSize: 4, signal: controller.signal })) {
        console.log(size);
        controller.abort();
      }`,
    'aborted before': `for await (const _ of stream.batches({ batchSize: 4, signal: AbortSignal.abort() })) throw 1; console.log(4);`,
    end: `let all = 0; for await (const { size } of stream.batches({ batchSize: 4 })) all += size; console.log(all / 10);`,
  };
  for (const [way, code] of Object.entries(ways)) {
    const { ended } = await processWith(t, code);
    t.match(await ended, { code: 0, stdout: '4\n', stderr: /^$/ }, way);
  }
});

test('a thread that dies is an error, not a wait without end', async (t) => {
  for (const [death, message] of [
    ['process.exit(3)', 'ended with exit code 3'],
    [`throw new Error('out of luck')`, 'failed: out of luck'],
  ]) {
    const { ended } = await processWith(
      t,
      `try { for await (const _ of stream.batches({ batchSize: 4 })); } catch (error) { console.log(error.code, error.message); }`,
      `if (!isMainThread) parentPort.once('message', () => { ${death}; });`,
    );
    t.match(await ended, { code: 0, stdout: `E_WORKER a thread that decodes images ${message}\n` });
  }
});

test('where sharp is not there, photos are read, and what needs it is an error that says what to install', async (t) => {
  const hook = `export const resolve = (name, context, next) => {
    if (name === 'sharp') throw new Error('Could not load the "sharp" module\\nand more'); else return next(name, context); };`;
  const preload = `import { register } from 'node:module'; register(${JSON.stringify(`data:text/javascript,${encodeURIComponent(hook)}`)});`;
  const reading = `try { for await (const { size } of stream.batches({ batchSize: 40 })) console.log(size); } catch (error) { console.log(error.code, error.message); }`;
  const photos = await processWith(t, reading, preload);
  t.match(await photos.ended, { code: 0, stdout: '40\n', stderr: /^$/ });
  const other = `const { writeFileSync } = await import('node:fs');
    writeFileSync(stream.source + '/a/000.jpg', Buffer.from('89504e470d0a1a0a', 'hex')); ${reading}`;
  const { ended } = await processWith(t, other, preload);
  t.match(
    (await ended).stdout,
    /^E_SHARP sharp, which decodes images, cannot be loaded on \S+ \(Could not load the "sharp" module\): run `npm install/,
  );
});

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeClasses, writeFiles } from '../dataset/pictures.js';
import { type Ended, run } from './command.js';

async function imagenet(t: Test): Promise<{ root: string; read: (...args: readonly string[]) => Promise<Ended> }> {
  const root = t.testdir({});
  for (const split of ['train', 'val']) await writeClasses(join(root, 'imagenet', split), { classes: 3, each: 7 });
  writeFiles(join(root, 'imagenet'), { 'train/b/broken.JPEG': 'no image' });
  const urls = ['--data_url', join(root, 'imagenet'), '--train_url', join(root, 'out')];
  return { root, read: (...args) => run(['read_imagenet', ...urls, ...args], { cache: join(root, 'cache') }) };
}

const infoIn = (root: string): unknown => JSON.parse(readFileSync(join(root, 'out', 'data_info.json'), 'utf8'));

test('read_imagenet reads one pass and writes what came of it', async (t) => {
  const { root, read } = await imagenet(t);
  const ended = await read('--batch_size', '4', '--image_size', '32', '--workers', '2');
  t.match(ended, {
    code: 0,
    stdout:
      /train: 22 images of 3 classes\nread 20 images in 5 batches, \d+ images\/s, 1 passed over, 2 left out as no full batch \(--no-drop_remainder reads them\); /,
  });
  t.match(ended.stderr, /^mindts: passed over .*broken\.JPEG: not a JPEG/);
  t.match(infoIn(root), {
    pipeline: [
      { kind: 'imageFolder', folder: join(root, 'imagenet', 'train'), shuffle: { seed: 1, epoch: 1 } },
      { kind: 'randomResizedCrop', size: 32, scale: [0.08, 1] },
      { kind: 'randomHorizontalFlip', probability: 0.5 },
      { kind: 'rescale' },
      { kind: 'normalize', mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
      { kind: 'batch', batchSize: 4, dropRemainder: true },
    ],
    images: 22,
    classes: 3,
    batches: 5,
    shape: [4, 3, 32, 32],
    read: { batches: 5, images: 20 },
    skipped: 1,
    skippedFiles: [{ file: 'b/broken.JPEG', reason: 'not a JPEG, PNG, WebP, GIF or TIFF image' }],
    classNames: ['a', 'b', 'c'],
  });
});

test('the other half, a part of a pass, and the last, smaller batch can be asked for', async (t) => {
  const { root, read } = await imagenet(t);
  const whole = await read('--split=val', '--no-drop_remainder', '--image_size=32');
  t.match(whole, {
    code: 0,
    stdout: /read 21 images in 2 batches, \d+ images\/s, 0 passed over; details/,
    stderr: /^$/,
  });
  t.match(infoIn(root), {
    batches: 2,
    read: { batches: 2, images: 21 },
    pipeline: [{ shuffle: false }, { kind: 'centerCrop' }],
  });
  const one = await read('--split=val', '--limit=1', '--image_size=32', '--batch_size=8');
  t.match(one, { code: 0, stdout: /read 8 images in 1 batch, \d+ images\/s, 0 passed over; details/ });
  t.match(infoIn(root), { batches: 2, read: { batches: 1, images: 8, seconds: /^\d+(\.\d{1,4})?$/ } });
});

test('without --train_url nothing is read and nothing written', async (t) => {
  const root = t.testdir({});
  t.match(await run(['read_imagenet'], { cache: join(root, 'cache') }), {
    code: 2,
    stderr: /^mindts: required, but not given: --train_url; /,
  });
  t.strictSame(readdirSync(root), []);
});

test('where there is no ImageNet, or no half of it, one line says so', async (t) => {
  const { root, read } = await imagenet(t);
  const elsewhere = await run(['read_imagenet', '--train_url', join(root, 'out')], { cache: join(root, 'cache') });
  t.match(elsewhere, {
    code: 1,
    stderr: /^mindts: --data_url \/cache\/sfs\/data\/imagenet: no such file or folder\n$/,
  });
  t.match(await read('--data_url', join(root, 'imagenet', 'train')), {
    code: 1,
    stderr: /^mindts: .*imagenet\/train: holds no folder train; --data_url is the folder above train\/ and val\/\n$/,
  });
});

test('a batch larger than the half is an error, unless a batch need not be full', async (t) => {
  const { read } = await imagenet(t);
  t.match(await read('--batch_size=1000'), {
    code: 1,
    stderr: /^mindts: a batch of 1000 is larger than the data set: .*train holds 22 images, .* is left out\n$/,
  });
  t.match(await read('--batch_size=1000', '--no-drop_remainder', '--split=val', '--image_size=32'), {
    code: 0,
    stdout: /read 21 images in 1 batch, /,
  });
});

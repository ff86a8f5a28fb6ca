import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { encodeIdx } from '../../sdk/dataset/idx.js';
import { craftZip } from '../archive/craft.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';
import { run } from './command.js';
import { errorLines, filesBelow, refuses } from './refuses.js';

test('a wrong command line exits with 2 and names the flag, the value and what is allowed', async (t) => {
  const root = t.testdir();
  const wrong = (args: readonly string[], message: RegExp) =>
    refuses(t, args.join(' '), { args, message, code: 2, root });
  const urls = ['--data_url', 'd', '--train_url', 'o'];
  await wrong(['fly'], /there is no command fly; there are train, inference/);
  await wrong(['train'], /required, but not given: --data_url, --train_url/);
  await wrong(['train', ...urls, '--epoch_size', 'ten'], /--epoch_size.*ten.*whole number of at least 1/);
  await wrong(['train', ...urls, '--epoch_size', '0'], /--epoch_size.*0.*at least 1/);
  await wrong(['train', ...urls, '--device_target', 'TPU'], /--device_target.*TPU.*CPU, Ascend or GPU/);
  await wrong(['train', ...urls, '--learning_rate', '-1'], /--learning_rate.*-1.*above 0/);
  await wrong(['train', '--data_url', '--train_url', 'o'], /--data_url/);
  await wrong(['train', ...urls, '--config', join(root, 'none.yaml')], /none\.yaml/);
  await wrong(['ckpt', 'inspect'], /usage: mindts ckpt inspect FILE/);
  await wrong(['ckpt', 'melt'], /there is no command melt/);
});

test('a data set that is missing, empty, damaged or hostile is refused in one line', async (t) => {
  const root = t.testdir({ given: {} });
  const given = (name: string) => join(root, 'given', name);
  const zip = (name: string, bytes: Buffer): string => {
    writeFileSync(given(name), bytes);
    return given(name);
  };
  await writeDigits(given('set'), { train: 40, test: 20 });
  await makeZip(given('set'), given('whole.zip'));
  const whole = readFileSync(given('whole.zip'));
  mkdirSync(given('empty'));
  const flipped = Buffer.from(whole);
  flipped[200] ^= 0xff;
  const bomb = Buffer.alloc(64 << 20);
  const cases: readonly [string, string, RegExp][] = [
    ['missing', given('missing'), /given.missing: no such file or folder/],
    ['empty', given('empty'), /the folder is empty/],
    ['no zip', zip('text.zip', Buffer.from('not a zip')), /neither a folder nor a zip/],
    ['truncated zip', zip('cut.zip', whole.subarray(0, whole.length - 40)), /cut\.zip/],
    ['bad CRC', zip('crc.zip', flipped), /crc\.zip.*/],
    ['..', zip('up.zip', craftZip([{ name: '../../evil', data: Buffer.from('x') }])), /up\.zip.*evil/],
    ['absolute', zip('abs.zip', craftZip([{ name: '/etc/evil', data: Buffer.from('x') }])), /abs\.zip.*evil/],
    [
      'symlink',
      zip('link.zip', craftZip([{ name: 'train', data: Buffer.from('/etc'), mode: 0o120777 }])),
      /link\.zip.*link/,
    ],
    ['bomb', zip('bomb.zip', craftZip([{ name: 'train', data: bomb, method: 8 }])), /bomb\.zip/],
  ];
  for (const [what, url, message] of cases) {
    await refuses(t, what, { args: ['train', '--data_url', url, '--train_url', join(root, 'out')], message, root });
    t.notOk(existsSync(join(root, 'evil')), `${what}: nothing outside`);
  }
});

test('IDX files that are wrong are refused in one line', async (t) => {
  const root = t.testdir({ given: {} });
  const [images, labels] = ['train-images-idx3-ubyte', 'train-labels-idx1-ubyte'];
  await writeDigits(join(root, 'given', 'set'), { train: 40, test: 20 });
  const good = (name: string) => readFileSync(join(root, 'given', 'set', 'train', name));
  const magic = good(images);
  magic[2] = 7;
  const outOfRange = encodeIdx([40], new Uint8Array(40).fill(11));
  const cases: readonly [string, string, Uint8Array, RegExp][] = [
    ['wrong magic', images, magic, /train-images-idx3-ubyte/],
    ['too few bytes', images, good(images).subarray(0, 5000), /train-images.*5000/],
    [
      'too many bytes',
      labels,
      Buffer.concat([good(labels), Buffer.alloc(3)]),
      /train-labels.*48 bytes and 51 are there/,
    ],
    ['disagreeing', labels, encodeIdx([39], new Uint8Array(39)), /holds 40 images.*39 labels/],
    ['label out of range', labels, outOfRange, /has the label 11; with 10 classes it must be 0 to 9/],
  ];
  for (const [what, name, bytes, message] of cases) {
    const folder = join(root, 'given', what.replaceAll(' ', '-'));
    cpSync(join(root, 'given', 'set'), folder, { recursive: true });
    writeFileSync(join(folder, 'train', name), bytes);
    await refuses(t, what, { args: ['train', '--data_url', folder, '--train_url', join(root, 'out')], message, root });
  }
  const args = ['train', '--data_url', join(root, 'given', 'set'), '--train_url', join(root, 'out')];
  await refuses(t, 'large batch', {
    args: [...args, '--batch_size', '64'],
    message: /a batch of 64 is larger.*40 samples/,
    root,
  });
  await refuses(t, 'NaN', {
    args: [...args, '--learning_rate', '1e30'],
    message: /no longer a number at step 2 \(epoch 2, step 1\)/,
    root,
  });
  await refuses(t, 'GPU', { args: [...args, '--device_target', 'GPU'], message: /--device_target GPU/, root });
});

test('after a loss that is no number the last good checkpoint stays, here and where it was copied', async (t) => {
  const root = t.testdir({ given: {} });
  await writeDigits(join(root, 'given', 'set'), { train: 400, test: 20 });
  const config = join(root, 'given', 'wild.yaml');
  writeFileSync(config, 'learning_rate: 1e30\nsave_checkpoint_steps: 1\n');
  const out = join(root, 'out');
  const ended = await run(
    ['train', '--data_url', join(root, 'given', 'set'), '--train_url', out, '--config', config, '--epoch_size', '50'],
    { cache: join(root, 'cache') },
  );
  t.equal(ended.code, 1);
  t.match(ended.stderr, /no longer a number at step 2 /);
  t.same(readdirSync(out), ['checkpoint_lenet-1_1.ckpt', 'run.json']);
});

test('a checkpoint that is truncated, of another network or of another shape is refused by name', async (t) => {
  const root = t.testdir({ given: {} });
  const given = (name: string) => join(root, 'given', name);
  await writeDigits(given('set'), { train: 40, test: 20 });
  const trained = await run(['train', '--data_url', given('set'), '--train_url', given('out'), '--epoch_size', '1'], {
    cache: given('cache'),
  });
  t.equal(trained.code, 0, trained.stderr);
  const good = given(join('out', 'checkpoint_lenet-1_1.ckpt'));
  cpSync(good, given('cut.ckpt'));
  truncateSync(given('cut.ckpt'), statSync(good).size / 2);
  const other = { shape: [3], data: new Float32Array(3) };
  await saveCheckpoint(given('other.ckpt'), {
    parameters: new Map([['lstm.weight', other]]),
    optimizer: new Map(),
    epoch: 1,
    step: 1,
  });
  const args = (ckpt: string, more: readonly string[] = []) => [
    'inference',
    '--data_url',
    given('set'),
    '--ckpt_url',
    ckpt,
    '--result_url',
    join(root, 'result'),
    ...more,
  ];
  await refuses(t, 'truncated', { args: args(given('cut.ckpt')), message: /cut\.ckpt/, root });
  await refuses(t, 'missing', { args: args(given('none.ckpt')), message: /none\.ckpt/, root });
  await refuses(t, 'other network', {
    args: args(given('other.ckpt')),
    message: /belongs to another network.*lstm\.weight/,
    root,
  });
  const shape = /"fc3\.weight" has the shape \[10, 84\], and this network wants \[12, 84\]/;
  await refuses(t, 'other shape', { args: args(good, ['--num_classes', '12']), message: shape, root });
});

test('an output folder that cannot be written is found out before training', async (t) => {
  const root = t.testdir({ given: { file: '' } });
  await writeDigits(join(root, 'given', 'set'), { train: 40, test: 20 });
  const args = ['train', '--data_url', join(root, 'given', 'set'), '--train_url', join(root, 'given', 'file')];
  await refuses(t, 'a file in its place', { args, message: /given.file/, root });
});

test('a full disk ends the run in one line; what was saved before stays whole', { skip: noSmallDisk }, async (t) => {
  const root = t.testdir({ given: {} });
  await writeDigits(join(root, 'given', 'set'), { train: 40, test: 20 });
  for (const full of ['work', 'destination'] as const) {
    const disk = smallDisk(t, 1_200_000);
    const [cache, out] = full === 'work' ? [disk, join(root, 'out')] : [join(root, 'cache'), join(disk, 'out')];
    const ended = await run(
      [
        'train',
        '--data_url',
        join(root, 'given', 'set'),
        '--train_url',
        out,
        '--epoch_size',
        '9',
        '--save_checkpoint_steps',
        '1',
      ],
      { cache },
    );
    t.equal(ended.code, 1, `${full}: ${ended.stderr}`);
    t.match(ended.stderr, /no space left on the device/, full);
    t.notMatch(ended.stderr, /fault of mindts/, full);
    const saved = filesBelow(disk).filter((name) => /ckpt|partial/.test(name));
    t.equal(saved.length, 2, `${full}: two fit: ${saved}`);
    for (const name of saved) {
      const inspected = await run(['ckpt', 'inspect', join(disk, name)], { cache: join(root, 'cache') });
      t.equal(inspected.code, 0, `${name} is whole: ${inspected.stderr}`);
    }
  }
});

test('a pipe or a device in the place of a file is refused, not waited for', async (t) => {
  const root = t.testdir({ given: {} });
  const given = (name: string) => join(root, 'given', name);
  await writeDigits(given('set'), { train: 40, test: 20 });
  const images = given(join('set', 'train', 'train-images-idx3-ubyte'));
  execFileSync('mkfifo', [given('pipe')]);
  const args = ['train', '--data_url', given('set'), '--train_url', join(root, 'out')];
  const message = /it is a pipe or a device, not a file/;
  for (const [what, place] of [
    ['pipe', given('pipe')],
    ['device', '/dev/zero'],
  ] as const) {
    rmSync(images, { force: true });
    symlinkSync(place, images);
    await refuses(t, `images: ${what}`, { args, message, root });
    await refuses(t, `config: ${what}`, { args: [...args, '--config', place], message, code: 2, root });
    await refuses(t, `checkpoint: ${what}`, { args: ['ckpt', 'inspect', place], message, root });
  }
});

test('names that would move the cursor or forge a line are shown, not obeyed', async (t) => {
  const root = t.testdir({ given: {} });
  const zip = join(root, 'given', 'evil.zip');
  writeFileSync(zip, craftZip([{ name: 'a\u001B[31m\nmindts: all is well/x', data: Buffer.from('x') }]));
  const ended = await run(['train', '--data_url', zip, '--train_url', join(root, 'out')], {
    cache: join(root, 'cache'),
  });
  t.equal(ended.code, 1);
  t.notOk(ended.stderr.includes('\u001B'));
  t.equal(errorLines(ended).length, 1, ended.stderr);
});

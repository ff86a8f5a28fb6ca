import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { listOf, startCluster } from './cluster.js';
import { run } from './command.js';
import { refuses } from './refuses.js';

test('lists that cannot be read exit with 2, and quote the place', async (t) => {
  const root = t.testdir();
  const wrong = (list: string, message: RegExp) =>
    refuses(t, list, {
      args: ['train_for_multidataset', '--multi_data_url', list, '--train_url', join(root, 'out')],
      message,
      code: 2,
      root,
    });
  const two = [
    { dataset_url: 'a/', dataset_name: 'MNISTData' },
    { dataset_url: 'b/', dataset_name: 'MNISTData' },
  ];
  await wrong(
    '[{"dataset_url": "a/", "dataset_name": "b"}',
    /--multi_data_url: this is not JSON: expected , or \] at its end: ….*"b"\}$/m,
  );
  await wrong('[{dataset_url:a/,dataset_name:b}]', /its double quotes are gone, as a shell takes them/);
  await wrong('[]', /--multi_data_url names no data set/);
  await wrong(JSON.stringify(two), /--multi_data_url: two have the name MNISTData: rename one/);
  await wrong(listOf('dataset', { '../x': 'a/' }), /"\.\.\/x" is to be that of a folder/);
  await wrong('[{"dataset_url": "a/"}]', /entry 1 has no "dataset_name"/);
});

test('of several data sets those that fail are named, with why, and the others are kept', async (t) => {
  const cluster = await startCluster(t);
  const list = listOf('dataset', {
    MNISTData: 's3://qizhi/dataset/MNISTData/',
    gone: 's3://qizhi/dataset/gone/',
    'odd.zip': 's3://qizhi/dataset/MNISTData/train/train-labels-idx1-ubyte',
  });
  const ended = await cluster.mindts([
    'train_for_multidataset',
    '--multi_data_url',
    list,
    '--train_url',
    's3://qizhi/o/',
  ]);
  t.equal(ended.code, 1);
  t.match(ended.stderr, /2 of 3 data sets could not be prepared \(the others are kept for the next run\): /);
  t.match(
    ended.stderr,
    /data set gone, s3:\/\/qizhi\/dataset\/gone\/: no such file or folder; data set odd, .*neither a folder nor a zip/,
  );
  const kept = readdirSync(join(cluster.root, 'machine', 'data')).find((name) => name.startsWith('MNISTData-'));
  t.same(readdirSync(join(cluster.root, 'machine', 'data', kept ?? 'none')).sort(), ['test', 'train']);
  t.same(cluster.objects('qizhi', 'o/').size, 0, 'nothing was begun');
});

test('an archive that holds something else shows what; where several data sets will do, a flag is asked for', async (t) => {
  const root = t.testdir();
  const [odd, ...sets] = ['odd', 'a', 'b'].map((name) => join(root, name));
  mkdirSync(join(odd, 'photos', 'cats', 'deep', 'deeper'), { recursive: true });
  for (let i = 0; i < 20; i++) writeFileSync(join(odd, 'photos', 'cats', `${i}.jpg`), '');
  await makeZip(odd, join(root, 'odd.zip'));
  for (const set of sets) await writeDigits(set, { train: 60, test: 20 });
  const train = (data: Record<string, string>, more: readonly string[] = []) => [
    'train_for_c2net',
    '--multi_data_url',
    listOf('dataset', data),
    '--train_url',
    join(root, 'out'),
    ...more,
  ];
  await refuses(t, 'an odd tree', {
    args: train({ 'odd.zip': join(root, 'odd.zip') }),
    message: /no data set here has a train\/ folder of MNIST's files .*: odd holds 0\.jpg, 1\.jpg, .*… 15 more$/m,
    root,
  });
  const [a, b] = sets;
  const message = /2 data sets hold images: a, b; say which one it is with --dataset_name/;
  await refuses(t, 'two', { args: train({ a, b }), message, code: 2, root });
  const unknown = /--dataset_name c: the data sets are a, b/;
  await refuses(t, 'none of the name', {
    args: train({ a, b }, ['--dataset_name', 'c']),
    message: unknown,
    code: 2,
    root,
  });
  const chosen = await run(train({ a, b }, ['--dataset_name', 'b.zip', '--epoch_size', '1']), {
    cache: join(root, 'cache'),
  });
  t.equal(chosen.code, 0, chosen.stderr);
});

test('a model that cannot be meant is refused, and what to give instead is said', async (t) => {
  const root = t.testdir({
    given: { two: { 'a.safetensors': '', 'b.caffemodel': '', 'c.txt': '' }, none: { 'c.txt': '' } },
  });
  const given = (name: string) => join(root, 'given', name);
  await writeDigits(given('set'), { train: 60, test: 20 });
  execFileSync('tar', ['-C', given('two'), '-czf', given('two.tar.gz'), 'a.safetensors', 'b.caffemodel']);
  const pretrain = (...flags: readonly string[]) => [
    'pretrain',
    '--data_url',
    given('set'),
    '--train_url',
    join(root, 'out'),
    ...flags,
  ];
  const refused = (flags: readonly string[], message: RegExp, code: number) =>
    refuses(t, flags.join(' '), { args: pretrain(...flags), message, code, root });
  const model = (...names: readonly string[]) => [
    '--pretrain_url',
    listOf('model', Object.fromEntries(names.map((name) => [name, given(name)]))),
  ];
  await refused([], /no checkpoint to begin with: choose a model in the task form, or name one with --ckpt_url/, 2);
  await refused(['--pretrain_url', '[]'], /no checkpoint to begin with/, 2);
  await refused(
    model('set', 'two'),
    /--pretrain_url names 2 models: .*given.set, .*; name the one .* --ckpt_url URL/,
    2,
  );
  await refused(model('two'), /given.two holds 2 models: .*a\.safetensors, .*b\.caffemodel; name/, 2);
  await refused(model('two.tar.gz'), /two\.tar\.gz holds 2 models/, 2);
  await refused(model('none'), /given.none: holds no checkpoint/, 1);
  await refused(model('gone'), /given.gone does not exist/, 1);
});

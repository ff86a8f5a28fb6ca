import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { prepare, uploadOutput } from '../../sdk/platform/c2net.js';
import { variableValue } from '../../sdk/platform/c2net-settings.js';
import { copyParallel } from '../../sdk/storage/copy.js';
import { OBS_KEY, startObsServer } from '../services/obs-server.js';

/** A task's store, and its variables with all parts in it. */
async function task(t: Test) {
  const root = t.testdir({
    up: { code: { 'train.js': 'run();' }, set: { train: { a: '1' } }, model: { 'lenet.ckpt': '2' } },
  });
  const server = await startObsServer({ region: 'us-east-1' });
  t.teardown(() => server.close());
  const keys = { S3_ENDPOINT: server.endpoint, ACCESS_KEY_ID: OBS_KEY.id, SECRET_ACCESS_KEY: OBS_KEY.secret };
  const env = (more: Record<string, string | undefined> = {}): void => {
    for (const name of Object.keys(process.env))
      if (/^(LOCAL|CODE|DATASET|PRETRAIN|OUTPUT)_/.test(name)) delete process.env[name];
    const place = (name: string) => join(root, 'cache', name);
    Object.assign(process.env, keys, {
      DATA_DOWNLOAD_METHOD: 'MOXING',
      CODE_URL: 's3://training/code/',
      DATASET_URL: '[{"dataset_url": "s3:///training/set.zip", "dataset_name": "set.zip"}]',
      DATASET_NEED_UNZIP: 'true',
      PRETRAIN_MODEL_URL: '[{"model_url": "s3://training/model/", "model_name": "lenet"}]',
      OUTPUT_URL: 's3://training/out/',
      LOCAL_CODE_PATH: place('code'),
      LOCAL_DATASET_PATH: place('dataset'),
      LOCAL_PRETRAIN_MODEL_PATH: place('pretrainmodel'),
      LOCAL_OUTPUT_PATH: place('output'),
    });
    for (const [name, one] of Object.entries(more)) {
      if (one === undefined) delete process.env[name];
      else process.env[name] = one;
    }
  };
  await makeZip(join(root, 'up', 'set'), join(root, 'up', 'set.zip'));
  env();
  await copyParallel(join(root, 'up'), 's3://training/');
  server.asked.length = 0;
  return { root, server, env, at: (...names: string[]) => join(root, 'cache', ...names) };
}

test('MOXING: code, data sets and models are brought, archives unpacked, and a second call asks nobody', async (t) => {
  const { server, at } = await task(t);
  const context = await prepare();
  t.same(context, {
    codePath: at('code'),
    datasetPath: at('dataset'),
    pretrainModelPath: at('pretrainmodel'),
    outputPath: at('output'),
    tensorboardPath: undefined,
  });
  t.same(readdirSync(at('code')).sort(), ['.code_cache_file', 'train.js']);
  t.equal(readFileSync(at('dataset', 'set', 'train', 'a'), 'utf8'), '1');
  t.equal(readFileSync(at('pretrainmodel', 'lenet', 'lenet.ckpt'), 'utf8'), '2');
  t.same(readdirSync(at('output')), []);
  const asked = server.asked.length;
  t.ok(asked > 0);
  t.same(await prepare(), context);
  t.equal(server.asked.length, asked, 'not a single request');
  rmSync(at('dataset', 'set'), { recursive: true });
  await prepare();
  t.ok(existsSync(at('dataset', 'set', 'train', 'a')), 'what is gone is brought again, whatever the marker says');
});

test('the marker of another task, or of another program, does not count, and none tells a password', async (t) => {
  const { at, env } = await task(t);
  mkdirSync(at('dataset', 'set'), { recursive: true });
  writeFileSync(at('dataset', '.dataset_cache_file'), 'This is a dataset cache file');
  await prepare();
  t.ok(existsSync(at('dataset', 'set', 'train', 'a')));
  env({
    DATASET_URL: '[{"dataset_url": "s3://training/code/", "dataset_name": "other"}]',
    DATASET_NEED_UNZIP: 'false',
  });
  await prepare();
  t.same(readdirSync(at('dataset', 'other')), ['train.js']);
  t.match(readFileSync(at('dataset', '.dataset_cache_file'), 'utf8'), /^[0-9a-f]{64}$/);
});

test('what fails leaves no marker, is named, and the rest is kept', async (t) => {
  const { at, env } = await task(t);
  const broken = [
    { dataset_url: 's3://training/set.zip', dataset_name: 'set.zip' },
    { dataset_url: 's3://training/code/train.js', dataset_name: 'broken.zip' },
    { dataset_url: 's3://training/gone.zip', dataset_name: 'gone.zip' },
  ];
  env({ DATASET_URL: JSON.stringify(broken) });
  await t.rejects(prepare(), {
    code: 'E_DATA_SETS',
    message:
      /^dataset could not be brought \(the rest is kept\): broken\.zip: .*train\.js.*; gone\.zip: s3:.*does not exist/,
  });
  t.same(readdirSync(at('dataset')), ['set'], 'no marker');
  t.ok(existsSync(at('dataset', 'set', 'train', 'a')));
});

test('MOUNT: nothing is copied; archives that lie there are unpacked beside themselves; nothing is uploaded', async (t) => {
  const { root, server, env, at } = await task(t);
  env({
    DATA_DOWNLOAD_METHOD: 'MOUNT',
    LOCAL_DATASET_PATH: join(root, 'up'),
    LOCAL_CODE_PATH: undefined,
    CODE_URL: undefined,
  });
  t.match(await prepare(), { pretrainModelPath: undefined }, 'what was not mounted the task does not have');
  env({
    DATA_DOWNLOAD_METHOD: 'MOUNT',
    LOCAL_DATASET_PATH: join(root, 'up'),
    LOCAL_CODE_PATH: undefined,
    LOCAL_PRETRAIN_MODEL_PATH: join(root, 'up', 'model'),
  });
  rmSync(join(root, 'up', 'set'), { recursive: true });
  t.match(await prepare(), { codePath: undefined, datasetPath: join(root, 'up') });
  t.ok(existsSync(join(root, 'up', 'set', 'train', 'a')));
  t.ok(existsSync(join(root, 'up', 'set.zip')), 'it is not ours to remove');
  writeFileSync(join(root, 'up', 'set', 'kept'), '');
  await prepare();
  t.ok(existsSync(join(root, 'up', 'set', 'kept')), 'not unpacked again');
  t.equal(await uploadOutput(), at('output'));
  t.same(server.asked, []);
});

test('variables that are missing or wrong are named; the word None is none', async (t) => {
  const { server, env, at } = await task(t);
  const wrong = async (more: Record<string, string | undefined>, message: RegExp) => {
    env(more);
    await t.rejects(prepare(), { code: 'E_ENVIRONMENT', exitCode: 2, message }, String(message));
  };
  await wrong({ DATA_DOWNLOAD_METHOD: undefined }, /DATA_DOWNLOAD_METHOD is not set: .*MOXING, to copy, or MOUNT/);
  await wrong({ DATA_DOWNLOAD_METHOD: 'FTP' }, /DATA_DOWNLOAD_METHOD is FTP/);
  await wrong({ LOCAL_OUTPUT_PATH: undefined }, /LOCAL_OUTPUT_PATH is not set/);
  await wrong(
    { LOCAL_DATASET_PATH: '' },
    /LOCAL_DATASET_PATH is not set: it says where to bring what DATASET_URL names/,
  );
  await wrong({ DATASET_NEED_UNZIP: 'maybe' }, /DATASET_NEED_UNZIP is maybe: expected true or false/);
  await wrong({ DATASET_URL: '[{' }, /DATASET_URL cannot be read: this is not JSON: .* at its end/);
  await wrong(
    { DATASET_URL: '[{"dataset_url": "s3://b/x", "dataset_name": "../x"}]' },
    /DATASET_URL cannot be read: the name/,
  );

  env({ CODE_URL: 'None', DATASET_URL: '[]', PRETRAIN_MODEL_URL: 'null', OUTPUT_URL: 'None' });
  t.match(await prepare(), { codePath: undefined, datasetPath: undefined, pretrainModelPath: undefined });
  await t.rejects(uploadOutput(), { code: 'E_ENVIRONMENT', message: /the variable OUTPUT_URL is not set: .*output/ });
  t.same(server.asked, [], 'nobody was asked for None');
  t.equal(variableValue({ A: ' None ' }, 'A'), undefined);

  env();
  writeFileSync(at('output', 'a.ckpt'), '3');
  t.equal(await uploadOutput(), at('output'));
  t.equal(String(server.buckets.get('training')?.objects.get('out/a.ckpt')?.data), '3');
});

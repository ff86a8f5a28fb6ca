/** The main job with all its URLs in an object store: a server of our own that checks OSS's signatures. */

import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { buildNetwork } from '../../sdk/nn/networks.js';
import { OSS_KEY, startOssServer } from '../services/oss-server.js';
import { run } from './command.js';

async function bucket(t: Test) {
  const root = t.testdir();
  const server = await startOssServer();
  t.teardown(() => server.close());
  const env = {
    OSS_ENDPOINT: server.endpoint,
    OSS_REGION: server.region,
    OSS_ACCESS_KEY_ID: OSS_KEY.id,
    OSS_ACCESS_KEY_SECRET: OSS_KEY.secret,
  };
  const cache = join(root, 'cache');
  const object = (key: string): Buffer => Buffer.from(server.buckets.get('training')?.objects.get(key)?.data ?? '');
  const keys = (prefix: string): string[] =>
    [...(server.buckets.get('training')?.objects.keys() ?? [])].filter((key) => key.startsWith(prefix)).sort();
  await writeDigits(join(root, 'set'), { train: 1000, test: 200 });
  await makeZip(join(root, 'set'), join(root, '手写 digits.zip'));
  const copied = await run(['fs', 'copy', join(root, '手写 digits.zip'), 'oss://training/sets/手写 digits.zip'], {
    cache,
    env,
  });
  t.equal(copied.code, 0, copied.stderr);
  return { root, cache, env, object, keys, data: 'oss://training/sets/手写 digits.zip' };
}

test('train, resume on another machine, infer: from a bucket into a bucket', async (t) => {
  const { cache, env, object, keys, data } = await bucket(t);
  const train = ['train', '--data_url', data, '--train_url', 'oss://training/out', '--threads', '1'];
  const whole = await run([...train.slice(0, 4), 'oss://training/whole', '--epoch_size', '3', '--threads', '1'], {
    cache,
    env,
  });
  t.equal(whole.code, 0, whole.stderr);
  t.same(keys('whole/'), ['whole/checkpoint_lenet-3_31.ckpt', 'whole/history.json', 'whole/run.json']);

  const first = await run([...train, '--epoch_size', '2'], { cache, env });
  t.equal(first.code, 0, first.stderr);
  rmSync(cache, { recursive: true });
  const resumed = await run([...train, '--epoch_size', '3', '--resume'], { cache, env });
  t.match(resumed.stdout + resumed.stderr, /resuming from oss:\/\/training\/out\/checkpoint_lenet-2_31\.ckpt/);
  t.ok(
    object('out/checkpoint_lenet-3_31.ckpt').equals(object('whole/checkpoint_lenet-3_31.ckpt')),
    'as if it had never stopped',
  );

  const result = [
    '--ckpt_url',
    'oss://training/out/checkpoint_lenet-3_31.ckpt',
    '--result_url',
    'oss:///training/result/',
  ];
  const inferred = await run(['inference', '--data_url', data, ...result], { cache, env });
  t.equal(inferred.code, 0, inferred.stderr);
  t.same(keys('result/'), ['result/result.json', 'result/result.txt']);
  const { accuracy } = JSON.parse(object('result/result.json').toString());
  t.equal(accuracy, JSON.parse(object('whole/history.json').toString()).epochs[2].accuracy);
});

test('other commands read from a bucket and write into it, too, and leave nothing here', async (t) => {
  const { root, cache, env, keys } = await bucket(t);
  const { network } = buildNetwork('lenet5', {});
  const parameters = new Map(
    network.parameters.map(({ name, shape, size }) => [name, { shape, data: new Float32Array(size) }]),
  );
  await saveCheckpoint(join(root, 'a.ckpt'), { parameters, optimizer: new Map(), epoch: 0, step: 0 });
  writeFileSync(join(root, 'list'), '../big\n');
  const cwd = join(root, 'here');
  mkdirSync(cwd);
  const mindts = (command: string) => run(command.split(' '), { cache, env, cwd });
  const say: readonly (readonly [string, number, RegExp])[] = [
    ['dataset make oss://training/made.zip --train 30 --test 20', 0, /^drew 30 \+ 20 digits to oss:.*made\.zip\n$/],
    ['dataset inspect oss://training/made.zip', 0, /train +30 images/],
    ['dataset make oss://training/made --train 30 --test 20', 0, /^drew 30 \+ 20 digits to oss:/],
    ['dataset inspect oss://training/made', 0, /copied 4 files[^]*test +20 images/],
    ['dataset inspect oss://training/made', 0, /^oss:/],
    ['fs copy ../a.ckpt oss://training/m/a.ckpt', 0, /^copied 1 file/],
    ['ckpt convert oss://training/m/a.ckpt oss://training/m/model.json', 0, /wrote oss:.*m\/model\.json: lenet for/],
    ['ckpt convert oss://training/m/model.json oss://training/m/b.safetensors', 0, /wrote oss:.*b\.safetensors/],
    ['ckpt inspect oss://training/m/b.safetensors', 0, /conv1/],
    ['ckpt convert ../a.ckpt oss://training/m/a.odd', 1, /^mindts: oss:\/\/training\/m\/a\.odd: its extension/],
    ['ckpt convert ../a.ckpt http://127.0.0.1:1/a.onnx', 1, /only read from/],
    ['ckpt inspect oss://training/m', 1, /oss:\/\/training\/m is a folder: name a checkpoint in it/],
    ['fs write oss://training/job.yaml epoch_size:no', 0, /^$/],
    ['train --config oss://training/job.yaml', 2, /oss:\/\/training\/job\.yaml:1: this is not a flat YAML map/],
    ['train --config oss://training/no.yaml', 1, /oss:\/\/training\/no\.yaml/],
    ['fs write oss://training/list a.ckpt', 0, /^$/],
    ['fs copy_parallel oss://training/m oss://training/out --file_list oss://training/list', 0, /^copied 1 file/],
    ['fs copy_parallel oss://training . --file_list oss://training/no', 2, /--file_list oss:\/\/training\/no: /],
    ['fs copy_parallel oss://training . --file_list ../list', 2, /--file_list \.\.\/list: "\.\.\/big" is not the name/],
  ];
  for (const [command, code, text] of say) {
    const ended = await mindts(command);
    t.match({ code: ended.code, text: ended.stdout + ended.stderr }, { code, text }, command);
  }
  t.same(keys('out/'), ['out/a.ckpt']);
  t.same(keys('made/').length, 4);
  t.same(readdirSync(cwd), []);
});

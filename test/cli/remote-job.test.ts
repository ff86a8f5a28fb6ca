/** The main job with all its URLs in an object store: a server of our own that checks OSS's signatures. */

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
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
  return { cache, env, object, keys, data: 'oss://training/sets/手写 digits.zip' };
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

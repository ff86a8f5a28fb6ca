/** Each launch script in its cluster's layout, with all URLs in an object store. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { unpack } from '../../sdk/archive/unpack.js';
import { type Cluster, fileAt, listOf, startCluster } from './cluster.js';
import type { Ended } from './command.js';

const CHECKPOINT = /^checkpoint_lenet-1_\d+\.ckpt$/;

function succeeds(t: Test, ended: Ended, script: string): void {
  t.equal(ended.code, 0, `${script}: ${ended.stderr}`);
  t.notMatch(ended.stderr, /passed over flags/, `${script} knows all flags that its platform gives`);
}

/** The names below a prefix, and the one checkpoint among them. */
function trained(t: Test, cluster: Cluster, bucket: string, prefix: string): string {
  const names = [...cluster.objects(bucket, prefix).keys()].map((key) => key.slice(prefix.length));
  t.match(names, [CHECKPOINT, 'history.json', 'run.json'], `${bucket}/${prefix}`);
  return `s3://${bucket}/${prefix}${names[0]}`;
}

function reported(t: Test, cluster: Cluster, bucket: string, prefix: string): { accuracy: number; text: string } {
  const objects = cluster.objects(bucket, prefix);
  t.same([...objects.keys()], [`${prefix}result.json`, `${prefix}result.txt`]);
  const text = String(objects.get(`${prefix}result.txt`));
  t.equal(text.trimEnd().split('\n').length, cluster.tests, 'a line for each image');
  return { ...JSON.parse(String(objects.get(`${prefix}result.json`))), text };
}

test('the eight scripts, each as its platform starts it, end well with their results at their URLs', async (t) => {
  const cluster = await startCluster(t, { real: true });
  t.comment(`on ${cluster.set}`);
  const { mindts } = cluster;
  const once = ['--epoch_size', '1'];

  // Qizhi, one data set: unzipped, the folder's URL ending in a slash.
  const data = ['--data_url', 's3://qizhi/dataset/MNISTData/'];
  succeeds(t, await mindts(['train', ...data, '--train_url', 's3://qizhi/job1/', ...once]), 'train');
  const ckpt = trained(t, cluster, 'qizhi', 'job1/');
  const { epochs } = JSON.parse(String(cluster.objects('qizhi').get('job1/history.json')));

  const result = ['--result_url', 's3://qizhi/result1/'];
  succeeds(t, await mindts(['inference', ...data, '--ckpt_url', ckpt, ...result]), 'inference');
  const inferred = reported(t, cluster, 'qizhi', 'result1/');
  t.equal(inferred.accuracy, epochs[0].accuracy, 'inference says what training said');

  const model = listOf('model', { mnist: 's3://qizhi/job1/' });
  const pretrain = ['pretrain', ...data, '--pretrain_url', model, '--train_url', 's3://qizhi/job2/'];
  const pretrained = await mindts([...pretrain, ...once]);
  succeeds(t, pretrained, 'pretrain');
  t.match(pretrained.stdout, `starting from ${ckpt}`);
  trained(t, cluster, 'qizhi', 'job2/');
  const twin = await mindts(['train', ...data, '--ckpt_url', ckpt, '--train_url', 's3://qizhi/twin/', ...once]);
  succeeds(t, twin, 'train with --ckpt_url');
  const [of, as] = ['job2/', 'twin/'].map((prefix) => [...cluster.objects('qizhi', prefix).values()][0]);
  t.ok(of.equals(as), 'what train.ts spells out is what the other scripts do, bit for bit');

  // Qizhi, several: the second holds the checkpoint. --data_url comes along, and means the first.
  const several = listOf('dataset', { MNISTData: 's3:///qizhi/dataset/MNISTData/', lenet: 's3:///qizhi/model/' });
  await cluster.put('qizhi', 'model/', join(await fileAt(join(cluster.root, 'model'), 'lenet.ckpt', of), '..'));
  const multi = ['--multi_data_url', several, ...data];
  const trainedMulti = await mindts(['train_for_multidataset', ...multi, '--train_url', 's3://qizhi/job3/', ...once]);
  succeeds(t, trainedMulti, 'train_for_multidataset');
  t.match(trainedMulti.stdout, /starting from .*lenet\.ckpt/);
  trained(t, cluster, 'qizhi', 'job3/');

  const inferredMulti = [
    'inference_for_multidataset',
    ...multi,
    '--ckpt_url',
    ckpt,
    '--result_url',
    's3://qizhi/result3/',
  ];
  succeeds(t, await mindts(inferredMulti), 'inference_for_multidataset');
  t.equal(reported(t, cluster, 'qizhi', 'result3/').text, inferred.text, 'as inference.ts has it');

  // C2Net: archives. Results stay where the platform collects them, and are packed to --model_url.
  const archives = ['--multi_data_url', listOf('dataset', { 'MNISTData.zip': 's3://grampus/dataset/MNISTData.zip' })];
  const models = ['--model_url', 's3:///grampus/jobs/job4/output/models.zip'];
  succeeds(
    t,
    await mindts(['train_for_c2net', ...archives, ...models, ...once], { machine: 'node4' }),
    'train_for_c2net',
  );
  const collected = readdirSync(join(cluster.root, 'node4', 'output')).find((name) => /^c2net-\w+$/.test(name));
  t.match(readdirSync(join(cluster.root, 'node4', 'output', collected ?? '')).sort()[0], CHECKPOINT);
  const packed = cluster.objects('grampus', 'jobs/job4/output/').get('jobs/job4/output/models.zip');
  await unpack(await fileAt(cluster.root, 'models.zip', packed ?? ''), join(cluster.root, 'models'));
  t.match(readdirSync(join(cluster.root, 'models')).sort(), [CHECKPOINT, 'history.json', 'run.json']);

  const from = ['--pretrain_url', listOf('model', { models: 's3:///grampus/jobs/job4/output/models.zip' })];
  const pretrainedThere = await mindts(
    ['pretrain_for_c2net', ...archives, ...from, '--train_url', 's3://grampus/jobs/job5/', ...once],
    { machine: 'node5' },
  );
  succeeds(t, pretrainedThere, 'pretrain_for_c2net');
  t.match(pretrainedThere.stdout, /starting from .*checkpoint_lenet-1/);
  trained(t, cluster, 'grampus', 'jobs/job5/');

  // A task of the newer kind gives no flags, but variables.
  const place = (name: string) => join(cluster.root, 'node6', name);
  const env = {
    DATA_DOWNLOAD_METHOD: 'MOXING',
    DATASET_URL: archives[1],
    DATASET_NEED_UNZIP: 'true',
    PRETRAIN_MODEL_URL: listOf('model', { lenet: 's3://qizhi/model/' }),
    OUTPUT_URL: 's3://grampus/jobs/job6/',
    LOCAL_DATASET_PATH: place('dataset'),
    LOCAL_PRETRAIN_MODEL_PATH: place('pretrainmodel'),
    LOCAL_OUTPUT_PATH: place('output'),
  };
  succeeds(t, await mindts(['inference_for_c2net'], { machine: 'node6/cache', env }), 'inference_for_c2net');
  reported(t, cluster, 'grampus', 'jobs/job6/');
  t.match(readFileSync(join(place('dataset'), '.dataset_cache_file'), 'utf8'), /^[0-9a-f]{64}$/);
});

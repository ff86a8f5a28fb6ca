import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type Cluster, listOf, startCluster } from '../cli/cluster.js';
import { type Ended, run } from '../cli/command.js';

/** Two ranks of one machine that prepare a task's data, write a line each, and upload. */
async function twoRanks(t: Test, cluster: Cluster, list: string): Promise<readonly Ended[]> {
  const file = join(cluster.root, 'job.mjs');
  writeFileSync(
    file,
    `import { readdirSync, writeFileSync } from 'node:fs';
    import * as mindts from 'mindts';
    const spec = { description: 'Prepares.', ranks: 'all', options: {} };
    export default mindts.launch(import.meta.url, spec, async () => {
      const { datasetPath, outputPath } = await mindts.prepare();
      await mindts.prepare();
      console.log('sees ' + readdirSync(datasetPath + '/MNISTData').sort());
      writeFileSync(outputPath + '/rank' + mindts.theseRanks().id, '');
      await mindts.theseRanks().gather(null);
      await mindts.uploadOutput();
    });`,
  );
  const env = {
    ...cluster.env,
    RANK_SIZE: '2',
    MINDTS_RENDEZVOUS: join('/dev/shm', `mindts-test-${process.pid}-${t.name.length}`),
    DATA_DOWNLOAD_METHOD: 'MOXING',
    DATASET_URL: list,
    DATASET_NEED_UNZIP: 'true',
    OUTPUT_URL: 's3://qizhi/out/',
    LOCAL_DATASET_PATH: join(cluster.root, 'dataset'),
    LOCAL_OUTPUT_PATH: join(cluster.root, 'output'),
  };
  const rank = (id: string) => run([], { file, cache: join(cluster.root, 'cache'), env: { ...env, RANK_ID: id } });
  return Promise.all([rank('0'), rank('1')]);
}

test('of two ranks the first brings the data, both see it, and the first alone uploads', async (t) => {
  const cluster = await startCluster(t);
  const before = cluster.asked.length;
  const list = listOf('dataset', { 'MNISTData.zip': 's3://grampus/dataset/MNISTData.zip' });
  for (const { code, stdout, stderr } of await twoRanks(t, cluster, list)) {
    t.equal(code, 0, stderr);
    t.match(stdout, /^sees test,train$/m);
  }
  const asked = cluster.asked.slice(before);
  const first = asked.filter((line) => line.startsWith('HEAD /grampus/dataset/MNISTData.zip'));
  t.equal(first.length, 1, 'one rank asked what there is, once');
  t.same([...cluster.objects('qizhi', 'out/').keys()], ['out/rank0', 'out/rank1']);
  t.equal(asked.filter((line) => line.startsWith('PUT /qizhi/out/rank1')).length, 1);
  t.match(readFileSync(join(cluster.root, 'dataset', '.dataset_cache_file'), 'utf8'), /^[0-9a-f]{64}$/);
});

test('when the first rank cannot bring the data, the other hears why', async (t) => {
  const cluster = await startCluster(t);
  const [first, other] = await twoRanks(t, cluster, listOf('dataset', { 'gone.zip': 's3://grampus/gone.zip' }));
  t.match(first, { code: 1, stderr: /^mindts: dataset could not be brought: gone\.zip: s3:.* does not exist/ });
  t.match(other, { code: 3, stderr: /rank 1: rank 0: dataset could not be brought: gone\.zip/ });
});

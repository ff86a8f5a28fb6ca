/** What goes wrong between stores: one place by two names, uploads that others take away. Nothing good may be lost. */
import { type Test, test } from 'tap';
import * as storage from '../../sdk/storage/index.js';
import { storeFor } from '../../sdk/storage/stores.js';
import { OBS_KEY, startObsServer } from '../services/obs-server.js';
import { startWebHdfs } from '../services/webhdfs.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '0';

/** Makes s3:// and obs:// buckets of one server. */
async function oneServer(t: Test): Promise<Awaited<ReturnType<typeof startObsServer>>> {
  const server = await startObsServer();
  t.teardown(() => server.close());
  for (const name of Object.keys(process.env)) if (/^(OBS|AWS|S3)_/.test(name)) delete process.env[name];
  Object.assign(process.env, {
    S3_ENDPOINT: server.endpoint,
    S3_REGION: server.region,
    ACCESS_KEY_ID: OBS_KEY.id,
    SECRET_ACCESS_KEY: OBS_KEY.secret,
  });
  return server;
}

test('a file is not moved onto itself, whatever scheme its bucket is called by', async (t) => {
  await oneServer(t);
  await storage.write('s3://training/d/a', 'precious');
  await t.rejects(storage.rename('s3://training/d/a', 'obs://training/d/a'), { code: 'E_INTO_ITSELF' });
  await t.rejects(storage.rename('s3://training/d', 'obs://training/d/in'), { code: 'E_INTO_ITSELF' });
  await t.rejects(storage.copyParallel('s3://training/d', 'obs://training/d/in'), { code: 'E_INTO_ITSELF' });
  t.equal(await storage.read('obs://training/d/a', { encoding: 'utf8' }), 'precious');
});

test('a file is not moved onto itself by another name of its server', async (t) => {
  const { address } = await startWebHdfs(t);
  const other = address.replace('127.0.0.1', 'localhost');
  await storage.write(`webhdfs://hdfs@${address}/d/a`, 'precious');
  await t.rejects(storage.rename(`webhdfs://hdfs@${address}/d/a`, `webhdfs://hdfs@${other}/d/a`), {
    code: 'E_INTO_ITSELF',
    message: /the same: choose another name/,
  });
  t.equal(await storage.read(`webhdfs://hdfs@${address}/d/a`, { encoding: 'utf8' }), 'precious');
  await storage.rename(`webhdfs://hdfs@${address}/d/a`, `webhdfs://hdfs@${other}/e/a`);
  const names = [];
  for await (const { name } of storage.list(`webhdfs://hdfs@${address}/`, { recursive: true })) names.push(name);
  t.same(names, ['d', 'e', 'e/a'], 'nothing is left of finding that out');
});

test('an upload that somebody else gave up is not taken for finished since an older file has its size', async (t) => {
  const server = await oneServer(t);
  const [url, partSize] = ['obs://training/large', 100 * 1024];
  const [older, newer] = [Buffer.alloc(2 * partSize, 'o'), Buffer.alloc(2 * partSize, 'n')];
  await storage.write(url, older);
  const store = await storeFor(url);
  const plan = { size: newer.length, partSize, modified: 1_700_000_000_000, source: 'any' };
  const killed = await store.upload(url, plan);
  await killed.put(0, newer.subarray(0, partSize));
  const resumed = await store.upload(url, plan);
  t.equal(await resumed.put(0, newer.subarray(0, partSize)), false);
  await resumed.put(1, newer.subarray(partSize));
  server.buckets.get('training')?.uploads.clear();
  await t.rejects(resumed.finish(), { code: 'E_NO_UPLOAD' });
  t.ok((await storage.read(url)).equals(older));
});

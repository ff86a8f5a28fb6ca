/**
 * What goes wrong between stores, and what servers do that mean no good: one place by two names, uploads that others take away,
 * answers without an end, redirects to anywhere. Nothing good may be lost, and each ends with an error for people.
 */
import { createServer, type RequestListener } from 'node:http';
import { type Test, test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import * as storage from '../../sdk/storage/index.js';
import { ossStoreWith } from '../../sdk/storage/oss.js';
import { ossSettings } from '../../sdk/storage/oss-settings.js';
import { storeFor } from '../../sdk/storage/stores.js';
import { OBS_KEY, startObsServer } from '../services/obs-server.js';
import { startWebHdfs } from '../services/webhdfs.js';
import { all } from './grounds.js';

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

/** A server that does what it likes; `127.0.0.1:port`. */
async function serve(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('it listens to no port');
  return `127.0.0.1:${address.port}`;
}

for (const status of [200, 403]) {
  test(`an answer of ${status} that never ends is not read for ever`, async (t) => {
    const host = await serve(t, (_, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      const more = (): void => {
        while (response.write(PIECE));
      };
      response.on('drain', more);
      more();
    });
    const keys = { S3_ENDPOINT: `http://${host}`, ACCESS_KEY_ID: 'id', SECRET_ACCESS_KEY: 'secret' };
    Object.assign(process.env, keys);
    const env = {
      OSS_ENDPOINT: `http://${host}`,
      OSS_REGION: 'x',
      OSS_ACCESS_KEY_ID: 'id',
      OSS_ACCESS_KEY_SECRET: 'no',
    };
    const oss = ossStoreWith(() => ossSettings({ env, home: t.testdir() }));
    const asking: Readonly<Record<string, () => Promise<unknown>>> = {
      s3: () => all(storage.list('s3://bucket/')),
      oss: () => all(oss.list('oss://bucket/')),
      webhdfs: () => storage.stat(`webhdfs://li@${host}/a`),
      // What answers with 200 is the file, and as long as it is.
      ...(status === 403 && { 'web page': () => storage.read(`http://${host}/a`) }),
    };
    for (const [name, ask] of Object.entries(asking)) {
      const error: unknown = await ask().catch((caught: unknown) => caught);
      t.ok(error instanceof StorageError && !error.message.includes('\n'), `${name}: ${String(error)}`);
    }
  });
}

const PIECE = Buffer.alloc(1 << 16, '<a>');

test('a WebHDFS server that leads anywhere else is not followed, nor taken for one that did it', async (t) => {
  const status = { pathSuffix: '', type: 'FILE', length: 3, modificationTime: 1, blockSize: 1 << 20 };
  let location: string | undefined;
  const host = await serve(t, ({ url = '' }, response) => {
    if (url.includes('GETFILESTATUS')) response.end(JSON.stringify({ FileStatus: status }));
    else response.writeHead(307, location === undefined ? {} : { location }).end();
  });
  const url = `webhdfs://li@${host}/a`;
  await t.rejects(storage.remove(url), { code: 'E_HTTP', message: /leads elsewhere \(HTTP 307\)/ });
  for (location of ['file:///etc/passwd', 'http://[bad', `http://${host}/round/and/round`]) {
    await t.rejects(storage.read(url), { code: 'E_HTTP', message: /leads/ }, location);
  }
});

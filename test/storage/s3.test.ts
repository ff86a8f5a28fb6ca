/** `s3://` against a real server, OpenStack Swift, directly or through a proxy that fails on command. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { ListMultipartUploadsCommand, S3Client } from '@aws-sdk/client-s3';
import { type Test, test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import { compareNames } from '../../sdk/storage/names.js';
import type { ObjectClient } from '../../sdk/storage/object-client.js';
import { PassingFailure } from '../../sdk/storage/retry.js';
import { s3StoreWith } from '../../sdk/storage/s3.js';
import { s3Client } from '../../sdk/storage/s3-client.js';
import { s3Connection } from '../../sdk/storage/s3-connection.js';
import { type S3Settings, s3Settings } from '../../sdk/storage/s3-settings.js';
import type { Listed, Store } from '../../sdk/storage/store.js';
import { storeFor } from '../../sdk/storage/stores.js';
import { type Fault, type FaultProxy, faultProxy } from '../services/fault-proxy.js';
import { OBS_KEY, startObsServer } from '../services/obs-server.js';
import { noSwift, type Swift, startSwift } from '../services/swift.js';

const skip = noSwift;
const MiB = 2 ** 20;
/** The fewest bytes that S3 takes for a part which is not the last. */
const PART = 5 * MiB;
const TIME = 1_700_000_000_123;

// The faults here are made; nobody has to wait for them to pass.
process.env['MINDTS_RETRY_WAIT_MS'] = '1';

let swift: Swift;
let buckets = 0;
test('Swift starts', { skip }, async (t) => {
  swift = await startSwift();
  t.match(swift.endpoint, /^http:\/\/127\.0\.0\.1:\d+$/);
});

function settings(more: Partial<S3Settings> = {}): S3Settings {
  const keys = { accessKeyId: swift.accessKey, secretAccessKey: swift.secretKey };
  return { endpoint: swift.endpoint, region: 'us-east-1', keys, addressing: 'path', isObs: false, ...more };
}

/** A store of the server's, and the URL of a new bucket. */
async function fresh(more: Partial<S3Settings> = {}): Promise<{ store: Store; url: string; bucket: string }> {
  const bucket = `bucket${++buckets}`;
  await swift.makeBucket(bucket);
  return { store: s3StoreWith('s3', async () => settings(more)), url: `s3://${bucket}`, bucket };
}

async function through(t: Test): Promise<FaultProxy> {
  const proxy = await faultProxy(swift.endpoint);
  t.teardown(() => proxy.close());
  return proxy;
}

async function all(files: AsyncIterable<Listed>): Promise<Listed[]> {
  const found: Listed[] = [];
  for await (const file of files) found.push(file);
  return found;
}

async function namesOf(files: AsyncIterable<Listed>): Promise<string[]> {
  return (await all(files)).map(({ name }) => name);
}

async function failureOf(action: Promise<unknown>): Promise<StorageError> {
  try {
    await action;
  } catch (error) {
    if (error instanceof StorageError) return error;
    throw error;
  }
  throw new Error('nothing failed');
}

/** Uploads that the server itself says were begun and not finished. */
async function begunIn(t: Test, Bucket: string): Promise<{ key: string; id: string }[]> {
  const { endpoint, accessKey, secretKey } = swift;
  const credentials = { accessKeyId: accessKey, secretAccessKey: secretKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, credentials });
  t.teardown(() => client.destroy());
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }));
  return Uploads.map(({ Key = '', UploadId = '' }) => ({ key: Key, id: UploadId }));
}

/** The client of a bucket: no retries. */
async function clientOf(bucket: string, more: Partial<S3Settings> = {}): Promise<ObjectClient> {
  return s3Client(await s3Connection('s3', bucket, settings(more)));
}

function md5(data: Uint8Array): string {
  return createHash('md5').update(data).digest('hex');
}

/** Bytes that differ from part to part. */
function content(size: number): Buffer {
  const data = Buffer.alloc(size);
  for (let at = 0; at < size; at += 4) data.writeUInt32LE((at * 2_654_435_761) >>> 0, Math.min(at, size - 4));
  return data;
}

test('a file written is there with its time and its MD5', { skip }, async (t) => {
  const { store, url } = await fresh();
  t.equal(await store.stat(`${url}/a/b.txt`), undefined);
  await store.write(`${url}/a/b.txt`, Buffer.from('seven'), { modified: TIME });
  const entry = await store.stat(`${url}/a/b.txt`);
  t.match(entry, {
    kind: 'file',
    size: 5,
    modified: TIME,
    digest: { algorithm: 'md5', value: md5(Buffer.from('seven')) },
  });
  t.equal((await buffer(store.read(`${url}/a/b.txt`))).toString(), 'seven');
  const [listed] = await all(store.list(url));
  t.match(listed, { name: 'a/b.txt', size: 5, digest: entry?.digest, version: entry?.version });
});

test('three slashes name the same file, as OpenI writes them', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  await store.write(`s3:///${bucket}/a.txt`, Buffer.from('x'));
  t.equal((await store.stat(`${url}/a.txt`))?.size, 1);
  t.same(await namesOf(store.list(`s3:///${bucket}/`)), ['a.txt']);
});

test('folders are parts of names: they are there while something is in them', { skip }, async (t) => {
  const { store, url } = await fresh();
  await store.write(`${url}/run/a.ckpt`, Buffer.from('a'));
  await store.write(`${url}/run-2/b.ckpt`, Buffer.from('b'));
  await store.makeFolder(`${url}/empty/deep`);
  t.same(await store.stat(`${url}/run`), { kind: 'folder', size: 0, modified: 0 });
  t.equal(await store.stat(`${url}/ru`), undefined);
  t.equal(await store.stat(`${url}/run/a.ckpt/`), undefined);
  t.equal((await store.stat(`${url}/empty`))?.kind, 'folder');
  t.equal((await store.stat(`${url}/empty/deep/`))?.kind, 'folder');
  t.same(
    (await all(store.list(url, { recursive: false }))).map(({ name, kind }) => [name, kind]),
    [
      ['empty', 'folder'],
      ['run-2', 'folder'],
      ['run', 'folder'],
    ],
  );
  t.same(await namesOf(store.list(url)), ['run-2/b.ckpt', 'run/a.ckpt']);
  await store.remove(`${url}/run`);
  t.same(await namesOf(store.list(url)), ['run-2/b.ckpt']);
  t.equal((await failureOf(all(store.list(`${url}/run`)))).code, 'E_NOT_FOUND');
  t.equal((await failureOf(all(store.list(`${url}/run-2/b.ckpt`)))).code, 'E_NOT_FOLDER');
});

test('an empty file is a file, and has no bytes at any place', { skip }, async (t) => {
  const { store, url } = await fresh();
  await store.write(`${url}/empty`, Readable.from([]));
  t.match(await store.stat(`${url}/empty`), { kind: 'file', size: 0 });
  t.equal((await buffer(store.read(`${url}/empty`))).length, 0);
  t.equal((await buffer(store.read(`${url}/empty`, { end: 10 }))).length, 0);
});

test('a range is read, and nothing where nothing is', { skip }, async (t) => {
  const { store, url } = await fresh();
  await store.write(`${url}/a`, Buffer.from('0123456789'));
  const read = async (range: object): Promise<string> => (await buffer(store.read(`${url}/a`, range))).toString();
  t.equal(await read({ start: 2, end: 5 }), '234');
  t.equal(await read({ start: 7 }), '789');
  t.equal(await read({ end: 3 }), '012');
  t.equal(await read({ start: 8, end: 100 }), '89');
  t.equal(await read({ start: 10 }), '');
  t.equal(await read({ start: 4, end: 4 }), '');
});

test('a file that has changed is not read as the one that was listed', { skip }, async (t) => {
  const { store, url } = await fresh();
  await store.write(`${url}/a`, Buffer.from('old'));
  const [{ version }] = await all(store.list(url));
  await store.write(`${url}/a`, Buffer.from('new'));
  const failure = await failureOf(buffer(store.read(`${url}/a`, { start: 1, version })));
  t.equal(failure.code, 'E_CHANGED');
});

test('names may be anything that S3 allows', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  const names = [
    '手写 数字/图 1.png',
    ' a b ',
    'a+b',
    'a#b?c=d&e',
    'a%b',
    'a%2Fb%20',
    `a'(b)*!"<>&;=@:,$|\\^\`{}[]~`,
    '😀',
    'Ａ',
    `${'深'.repeat(333)}x`,
  ].sort(compareNames);
  for (const name of names) await store.write(`${url}/${name}`, Buffer.from(name));
  t.same(await namesOf(store.list(url)), names);
  for (const name of names) {
    t.equal((await buffer(store.read(`${url}/${name}`))).toString(), name);
    t.equal(await store.copyWithin?.(`${url}/${name}`, `s3://${bucket}/copies/${name.slice(0, 300)}`, SMALL), true);
  }
  t.equal((await namesOf(store.list(`${url}/copies`))).length, names.length);
  await store.remove(`${url}/copies`);
  for (const name of names) await store.remove(`${url}/${name}`);
  t.same(await namesOf(store.list(url)), []);
});

const SMALL = { kind: 'file', size: 1, modified: 0 } as const;

test('a copy within the server keeps its time and content', { skip }, async (t) => {
  const { store, url } = await fresh();
  await store.write(`${url}/a`, Buffer.from('seven'), { modified: TIME });
  t.equal(await store.copyWithin?.(`${url}/a`, `${url}/b`, SMALL), true);
  t.match(await store.stat(`${url}/b`), { size: 5, modified: TIME });
});

test('1100 files come page by page, in the order of their names in UTF-8', { skip, timeout: 120_000 }, async (t) => {
  const { store, url } = await fresh();
  const names = Array.from({ length: 1100 }, (_, i) => `${['😀', 'Ａ', 'a/', 'a!', '图'][i % 5]}${i % 7}/${i} +%.bin`);
  let next = 0;
  const write = async (): Promise<void> => {
    while (next < names.length) await store.write(`${url}/all/${names[next++]}`, Buffer.of(1));
  };
  await Promise.all(Array.from({ length: 16 }, write));
  names.sort(compareNames);
  t.same(await namesOf(store.list(`${url}/all`)), names);
  const below = names.map((name) => name.slice(0, name.indexOf('/') + 1));
  t.same(
    await namesOf(store.list(`${url}/all`, { recursive: false })),
    [...new Set(below)].map((name) => name.slice(0, -1)),
  );
});

test('a stream of unknown length is written whole, in as many parts as it needs', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  const data = content(33 * MiB + 5);
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < data.length; at += 999_999) yield data.subarray(at, at + 999_999);
  }
  await store.write(`${url}/large`, Readable.from(pieces()), { modified: TIME });
  const entry = await store.stat(`${url}/large`);
  t.match(entry, { size: data.length, modified: TIME, digest: { algorithm: 'md5-parts', partSize: 16 * MiB } });
  t.match(entry?.digest?.value, /^[0-9a-f]{32}-3$/);
  t.ok((await buffer(store.read(`${url}/large`))).equals(data));
  t.same(await begunIn(t, bucket), []);
});

test('a stream that fails leaves nothing, neither a file nor parts', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  async function* broken(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 40; i++) yield Buffer.alloc(MiB);
    throw new Error('the line went dead');
  }
  await t.rejects(store.write(`${url}/large`, Readable.from(broken())), { message: 'the line went dead' });
  t.equal(await store.stat(`${url}/large`), undefined);
  t.same(await begunIn(t, bucket), []);
});

const large = content(2 * PART + 7);
const plan = { size: large.length, partSize: PART, modified: TIME, source: 'a source' };
const partOf = (part: number): Buffer => large.subarray(part * PART, (part + 1) * PART);

test('parts that were put are found again, and nothing is there before all are', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  const first = await store.upload(`${url}/large`, plan);
  t.equal(await first.put(2, partOf(2)), true);
  t.equal(await first.put(0, partOf(0)), true);
  await first.leave();
  t.equal(await store.stat(`${url}/large`), undefined);

  const { store: another } = { store: s3StoreWith('s3', async () => settings()) };
  const second = await another.upload(`${url}/large`, plan);
  t.same(await Promise.all([0, 1, 2].map((part) => second.put(part, partOf(part)))), [false, true, false]);
  await second.finish();
  t.match(await store.stat(`${url}/large`), {
    size: large.length,
    modified: TIME,
    digest: { algorithm: 'md5-parts', partSize: PART },
  });
  t.ok((await buffer(store.read(`${url}/large`))).equals(large));
  t.same(await begunIn(t, bucket), []);
});

test('a part whose bytes have changed meanwhile is put again', { skip }, async (t) => {
  const { store, url } = await fresh();
  const first = await store.upload(`${url}/large`, plan);
  await first.put(0, Buffer.alloc(PART, 'x'));
  await first.leave();
  const second = await store.upload(`${url}/large`, plan);
  t.same(await Promise.all([0, 1, 2].map((part) => second.put(part, partOf(part)))), [true, true, true]);
  await second.finish();
  t.ok((await buffer(store.read(`${url}/large`))).equals(large));
});

test('what was begun with another time has the right one in the end', { skip }, async (t) => {
  const { store, url } = await fresh();
  const first = await store.upload(`${url}/large`, { ...plan, modified: 5_000 });
  await first.put(0, partOf(0));
  await first.leave();
  const second = await store.upload(`${url}/large`, plan);
  t.same(await Promise.all([0, 1, 2].map((part) => second.put(part, partOf(part)))), [false, true, true]);
  await second.finish();
  t.match(await store.stat(`${url}/large`), { size: large.length, modified: TIME });
  t.ok((await buffer(store.read(`${url}/large`))).equals(large));
});

test('an upload in parts of another length is not gone on with', { skip }, async (t) => {
  const { store, url } = await fresh();
  const first = await store.upload(`${url}/large`, plan);
  await first.put(0, partOf(0));
  await first.leave();
  const second = await store.upload(`${url}/large`, { ...plan, partSize: PART + 100 });
  t.same(await second.put(0, large.subarray(0, PART + 100)), true);
  await second.put(1, large.subarray(PART + 100));
  await second.finish();
  t.match(await store.stat(`${url}/large`), { digest: { algorithm: 'md5-parts', partSize: PART + 100 } });
});

test('an upload of a name that only begins alike is another one', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  await (await store.upload(`${url}/large.zip`, plan)).put(0, partOf(0));
  const upload = await store.upload(`${url}/large`, plan);
  t.equal(await upload.put(0, partOf(0)), true);
  await upload.abandon();
  t.same(
    (await begunIn(t, bucket)).map(({ key }) => key),
    ['large.zip'],
  );
});

test('an upload that is given up is gone at the server', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  const upload = await store.upload(`${url}/large`, plan);
  await upload.put(0, partOf(0));
  t.equal((await begunIn(t, bucket)).length, 1);
  await upload.abandon();
  t.same(await begunIn(t, bucket), []);
  await upload.abandon();
  t.equal((await failureOf(upload.put(1, partOf(1)))).code, 'E_NO_UPLOAD');
  t.equal((await failureOf(upload.finish())).code, 'E_NO_UPLOAD');
  t.equal(await store.stat(`${url}/large`), undefined);
});

test('when another gave it up in the middle, people are told', { skip }, async (t) => {
  const { store, url, bucket } = await fresh();
  const upload = await store.upload(`${url}/large`, plan);
  const [{ key, id }] = await begunIn(t, bucket);
  const client = await clientOf(bucket);
  await client.abort(key, id);
  t.equal(await client.parts(key, id), undefined);
  const failure = await failureOf(upload.put(0, partOf(0)));
  t.match(failure, { code: 'E_NO_UPLOAD', message: `${url}/large` });
});

test('wrong keys are told from missing rights, with the endpoint and without the secret', { skip }, async (t) => {
  const { bucket, url } = await fresh();
  const cases: [string, string, string][] = [
    [swift.accessKey, 'a wrong secret', 'E_CREDENTIALS'],
    ['test:nobody', swift.secretKey, 'E_CREDENTIALS'],
    [swift.guestKey, swift.guestSecret, 'E_DENIED'],
  ];
  for (const [accessKeyId, secretAccessKey, code] of cases) {
    const { store } = { store: s3StoreWith('s3', async () => settings({ keys: { accessKeyId, secretAccessKey } })) };
    const actions = [
      () => store.stat(`${url}/a`),
      () => all(store.list(url)),
      () => buffer(store.read(`${url}/a`)),
      () => store.write(`${url}/a`, Buffer.alloc(8 * MiB)),
      () => store.upload(`${url}/a`, plan),
      () => store.remove(`${url}/a`),
    ];
    for (const action of actions) {
      const failure = await failureOf(action());
      t.equal(failure.code, code, `${accessKeyId}: ${failure.message}`);
      t.match(failure.message, `s3://${bucket}`);
      t.match(failure.message, swift.endpoint);
      const told = `${failure.stack} ${JSON.stringify(failure.cause)}`;
      t.notOk(told.includes(secretAccessKey), 'the secret is not told');
    }
  }
});

test('a bucket that does not exist is named', { skip }, async (t) => {
  const store = s3StoreWith('s3', async () => settings());
  const url = 's3://nobodys-bucket/a';
  for (const action of [
    () => store.stat(url),
    () => all(store.list(url)),
    () => buffer(store.read(url)),
    () => store.write(url, Buffer.alloc(1)),
  ]) {
    const failure = await failureOf(action());
    t.match(failure, { code: 'E_BUCKET', message: 's3://nobodys-bucket' });
  }
  const file = await failureOf(store.write('s3://nobodys-bucket', Buffer.alloc(1)));
  t.equal(file.code, 'E_NOT_FILE');
});

test('a file that does not exist is named', { skip }, async (t) => {
  const { store, url } = await fresh();
  t.match(await failureOf(buffer(store.read(`${url}/none`))), { code: 'E_NOT_FOUND', message: `${url}/none` });
  await store.remove(`${url}/none`);
});

test('a server that is not there may come back, and is named', { skip }, async (t) => {
  const client = await clientOf('bucket', { endpoint: await closedEndpoint() });
  const failure = await failureOf(client.put('a', Buffer.of(1), { md5: md5(Buffer.of(1)), modified: TIME }));
  t.type(failure, PassingFailure);
  t.match(failure, {
    code: 'E_NETWORK',
    message: /^cannot write s3:\/\/bucket\/a: the connection was refused \(http:/,
  });
});

async function closedEndpoint(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}`;
}

test('a server that is no S3 server is not taken for one', { skip }, async (t) => {
  const server = createServer((_, response) => {
    response.setHeader('Content-Type', 'text/html');
    response.end('<html><body>Sign in to the network</body></html>');
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(undefined)));
  t.teardown(() => server.close());
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const store = s3StoreWith('s3', async () => settings({ endpoint }));
  const actions = [
    () => store.stat('s3://bucket/a'),
    () => all(store.list('s3://bucket')),
    () => buffer(store.read('s3://bucket/a')),
    () => store.write('s3://bucket/a', Buffer.of(1)),
    () => store.upload('s3://bucket/a', plan),
    () => store.remove('s3://bucket/a'),
  ];
  for (const action of actions) {
    t.match(await failureOf(action()), { code: 'E_HTTP', message: endpoint }, String(action));
  }
});

test('a clock that is wrong by an hour does no harm', { skip }, async (t) => {
  const { store, url } = await fresh();
  const { now } = Date;
  t.intercept(Date, 'now', { value: () => now() + 3_600_000 });
  await store.write(`${url}/a`, Buffer.from('seven'), { modified: TIME });
  const another = s3StoreWith('s3', async () => settings());
  t.match(await another.stat(`${url}/a`), { size: 5, modified: TIME });
  const third = s3StoreWith('s3', async () => settings());
  const found = await Promise.all([1, 2, 3].map(async () => (await buffer(third.read(`${url}/a`))).toString()));
  t.same(found, ['seven', 'seven', 'seven']);
});

test('a read goes on where the connection broke', { skip }, async (t) => {
  const proxy = await through(t);
  const { store, url } = await fresh({ endpoint: proxy.url });
  const data = content(3 * MiB);
  await store.write(`${url}/a`, data);
  const cuts = [0, 100_000, 1 * MiB];
  proxy.plan = ({ method }) => {
    const after = method === 'GET' ? cuts.shift() : undefined;
    return after === undefined ? undefined : { kind: 'cut', way: 'down', after };
  };
  t.ok((await buffer(store.read(`${url}/a`))).equals(data));
  t.equal(cuts.length, 0);
});

test('a byte that changed on its way down is an error, for parts too', { skip }, async (t) => {
  const proxy = await through(t);
  const { store, url } = await fresh({ endpoint: proxy.url });
  await store.write(`${url}/small`, content(MiB));
  const upload = await store.upload(`${url}/large`, plan);
  for (const part of [0, 1, 2]) await upload.put(part, partOf(part));
  await upload.finish();
  proxy.plan = ({ method }) => (method === 'GET' ? { kind: 'flip', way: 'down', at: 77 } : undefined);
  for (const name of ['small', 'large']) {
    t.match(await failureOf(buffer(store.read(`${url}/${name}`))), { code: 'E_CHECKSUM', message: `${url}/${name}` });
  }
});

test('a byte that changed on its way up is refused by the server, and put again', { skip }, async (t) => {
  const proxy = await through(t);
  const { store, url } = await fresh({ endpoint: proxy.url });
  const data = content(MiB);
  let flips = 0;
  proxy.plan = ({ method }) => (method === 'PUT' && flips++ < 1 ? { kind: 'flip', way: 'up', at: 1000 } : undefined);
  await store.write(`${url}/a`, data);
  t.equal(flips, 2);
  t.ok((await buffer(store.read(`${url}/a`))).equals(data));
});

test('a busy server is asked again, when it says', { skip }, async (t) => {
  const proxy = await through(t);
  const { store, url, bucket } = await fresh({ endpoint: proxy.url });
  const body = '<?xml version="1.0"?><Error><Code>SlowDown</Code><Message>Please slow down</Message></Error>';
  proxy.plan = () => ({ kind: 'answer', status: 503, headers: { 'Retry-After': '7' }, body });
  const failure = await failureOf((await clientOf(bucket, { endpoint: proxy.url })).head('a'));
  t.match(failure, { code: 'E_BUSY_STORE', waitMs: 7000 });
  const first = proxy.passed.length + 1;
  proxy.plan = ({ number }) =>
    number === first ? { kind: 'answer', status: 503, headers: { 'Retry-After': '0' }, body } : undefined;
  await store.write(`${url}/a`, Buffer.from('x'));
  t.equal(proxy.passed.length, first + 1);
});

test('a server that ignores ranges is not believed', { skip }, async (t) => {
  const proxy = await through(t);
  const { store, url } = await fresh({ endpoint: proxy.url });
  await store.write(`${url}/a`, Buffer.from('0123456789'));
  proxy.plan = () => ({ kind: 'answer', status: 200, body: '0123456789' });
  t.match(await failureOf(buffer(store.read(`${url}/a`, { start: 5 }))), { code: 'E_HTTP', message: 'which bytes' });
});

/** What other servers say, and Swift does not. */
function says(headers: Readonly<Record<string, string>>, body = ''): Fault {
  return { kind: 'answer', status: 200, headers, body };
}

test('the ETag of what is encrypted with keys of a key service is no checksum, in lists either', {
  skip,
}, async (t) => {
  const proxy = await through(t);
  const { url, store } = await fresh({ endpoint: proxy.url });
  await s3StoreWith('s3', async () => settings()).write(`${url}/a`, Buffer.from('seven'));
  const ETag = `"${'0'.repeat(32)}"`;
  proxy.plan = ({ method }) =>
    method === 'HEAD' ? says({ ETag, 'Content-Length': '5', 'x-amz-server-side-encryption': 'aws:kms' }) : undefined;
  t.match(await all(store.list(url)), [{ name: 'a', size: 5, digest: undefined }]);
  t.match(await store.stat(`${url}/a`), { size: 5, digest: undefined, version: ETag });
});

test('the length of parts is asked for where nobody has kept it', { skip }, async (t) => {
  const proxy = await through(t);
  const { url, store } = await fresh({ endpoint: proxy.url });
  const value = `${'0'.repeat(32)}-3`;
  const lengths: Record<string, string> = { '': '25', '1': '10', '3': '5' };
  proxy.plan = (request) => {
    const part = /partNumber=(\d+)/.exec(request.url)?.[1] ?? '';
    return says({
      ETag: `"${value}"`,
      'Content-Length': lengths[part],
      ...(part !== '' && { 'x-amz-mp-parts-count': '3' }),
    });
  };
  t.same((await store.stat(`${url}/a`))?.digest, { algorithm: 'md5-parts', value, partSize: 10 });
  // Parts of different lengths.
  lengths['3'] = '7';
  t.equal((await store.stat(`${url}/a`))?.digest, undefined);
});

test('a server that lists one page again and again is not listened to for ever', { skip }, async (t) => {
  const proxy = await through(t);
  const { url, store } = await fresh({ endpoint: proxy.url });
  const object = '<Contents><Key>a</Key><Size>1</Size></Contents>';
  const page = `<ListBucketResult><IsTruncated>true</IsTruncated>${object}</ListBucketResult>`;
  proxy.plan = () => says({ 'Content-Type': 'application/xml' }, `<?xml version="1.0"?>${page}`);
  t.match(await failureOf(all(store.list(url))), { code: 'E_HTTP', message: 'where the next page begins' });
});

test('without keys, the variables are named', { skip }, async (t) => {
  t.intercept(process, 'env', {
    value: { PATH: process.env['PATH'], HOME: t.testdir(), AWS_EC2_METADATA_DISABLED: 'true', AWS_REGION: 'eu-west-1' },
  });
  const failure = await failureOf(s3StoreWith('s3', () => s3Settings('s3')).stat('s3://bucket/a'));
  t.match(failure, { code: 'E_CREDENTIALS', message: /AWS_ACCESS_KEY_ID.*AWS_PROFILE.*S3_ENDPOINT/ });
});

test("a profile of Amazon's tools says where and with which keys", { skip }, async (t) => {
  const { bucket } = await fresh();
  const profile = [
    '[profile training]',
    `endpoint_url = ${swift.endpoint}`,
    'region = us-east-1',
    `aws_access_key_id = ${swift.accessKey}`,
    `aws_secret_access_key = ${swift.secretKey}`,
  ];
  const HOME = t.testdir({ '.aws': { config: `${profile.join('\n')}\n` } });
  const env = { PATH: process.env['PATH'], HOME, AWS_PROFILE: 'training', AWS_EC2_METADATA_DISABLED: 'true' };
  t.intercept(process, 'env', { value: env });
  const store = await storeFor(`s3://${bucket}/a`);
  await store.write(`s3://${bucket}/a`, Buffer.from('seven'));
  t.equal((await buffer(store.read(`s3://${bucket}/a`))).toString(), 'seven');
  t.same(await namesOf(store.list(`s3://${bucket}`)), ['a']);
});

test('a new key in the environment is used from then on', { skip }, async (t) => {
  const { bucket } = await fresh();
  const env = { S3_ENDPOINT: swift.endpoint, ACCESS_KEY_ID: swift.accessKey, SECRET_ACCESS_KEY: 'wrong' };
  t.intercept(process, 'env', { value: { ...process.env, ...env } });
  const store = await storeFor(`s3://${bucket}/a`);
  t.equal((await failureOf(store.stat(`s3://${bucket}/a`))).code, 'E_CREDENTIALS');
  process.env['SECRET_ACCESS_KEY'] = swift.secretKey;
  t.equal(await store.stat(`s3://${bucket}/a`), undefined);
});

test('obs:// speaks the same to OBS, which neither encodes names nor knows the second version of lists', async (t) => {
  const server = await startObsServer();
  t.teardown(() => server.close());
  const keys = { accessKeyId: OBS_KEY.id, secretAccessKey: OBS_KEY.secret, sessionToken: OBS_KEY.token };
  const { endpoint, region } = server;
  const store = s3StoreWith('obs', async () => ({ endpoint, region, keys, addressing: 'path', isObs: true }));
  const [bucket] = server.buckets.keys();
  const names = ['手写 数字/图 1.png', 'a b', 'a+b', 'a%2Fb', 'a&b<c>"d'].sort(compareNames);
  for (const name of names) await store.write(`obs://${bucket}/${name}`, Buffer.from(name), { modified: TIME });
  t.same(await namesOf(store.list(`obs://${bucket}`)), names);
  t.match(await store.stat(`obs://${bucket}/a+b`), { size: 3, modified: TIME });
  const failure = await failureOf(buffer(store.read(`obs://${bucket}/none`)));
  t.match(failure, { code: 'E_NOT_FOUND', message: `obs://${bucket}/none` });
});

test('no advice to take a newer Node is printed', { skip }, async (t) => {
  t.same(warnings, []);
  t.equal(process.env['AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED'], undefined);
});

const warnings: string[] = [];
process.on('warning', ({ message }) => {
  if (message.includes('AWS')) warnings.push(message);
});

test('Swift ends', { skip }, async (t) => {
  await swift.stop();
  await t.rejects(fetch(swift.endpoint));
});

/** oss:// through the Store interface, against the server of our own that checks OSS's V4 signatures; never run against the cloud. */
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import { connect, createServer as createProxy } from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { type Test, test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import { ossStoreWith } from '../../sdk/storage/oss.js';
import { ossClient } from '../../sdk/storage/oss-client.js';
import { ossSettings } from '../../sdk/storage/oss-settings.js';
import type { Listed, Store } from '../../sdk/storage/store.js';
import { storeFor } from '../../sdk/storage/stores.js';
import type { ObjectServer, ServerOptions } from '../services/object-server.js';
import { OSS_KEY, startOssServer } from '../services/oss-server.js';

interface Stand {
  readonly server: ObjectServer;
  readonly store: Store;
  /** A store with other variables. */
  storeWith(env: Readonly<Record<string, string>>): Store;
}

async function stand(t: Test, options: Partial<ServerOptions> = {}): Promise<Stand> {
  const server = await startOssServer(options);
  t.teardown(() => server.close());
  const home = t.testdir();
  const base = {
    OSS_ENDPOINT: server.endpoint,
    OSS_REGION: server.region,
    OSS_ACCESS_KEY_ID: OSS_KEY.id,
    OSS_ACCESS_KEY_SECRET: OSS_KEY.secret,
  };
  const storeWith: Stand['storeWith'] = (env) =>
    ossStoreWith(() => ossSettings({ env: { ...base, ...env }, home, now: () => server.now() }));
  return { server, store: storeWith({}), storeWith };
}

/** An object that is there without having been written by anybody. */
function keep(server: ObjectServer, key: string): void {
  const object = {
    key,
    data: Buffer.from('x'),
    etag: 'E',
    stored: 1,
    meta: {},
    contentType: undefined,
    isMultipart: false,
    crc64: '0',
  };
  server.buckets.get('training')?.set(object);
}

async function listed(items: AsyncIterable<Listed>): Promise<string[]> {
  const found: string[] = [];
  for await (const { kind, name } of items) found.push(kind === 'folder' ? `${name}/` : name);
  return found;
}

/** The address of somebody between client and server, who changes bytes on their way, or, giving undefined, breaks the connection. */
async function between(
  t: Test,
  server: ObjectServer,
  {
    up = (chunk) => chunk,
    down = (chunk) => chunk,
  }: { readonly up?: (chunk: Buffer) => Buffer; readonly down?: (chunk: Buffer) => Buffer | undefined },
): Promise<string> {
  const proxy = createProxy((near) => {
    const far = connect(Number(new URL(server.endpoint).port), '127.0.0.1');
    near.on('data', (chunk: Buffer) => far.write(up(chunk)));
    far.on('data', (chunk: Buffer) => {
      const sent = down(chunk);
      if (sent !== undefined) near.write(sent);
      else {
        near.resetAndDestroy();
        far.destroy();
      }
    });
    for (const [one, other] of [
      [near, far],
      [far, near],
    ]) {
      one.on('close', () => other.destroy());
      // Who breaks connections hears of it; what comes of it is the client's to tell.
      one.on('error', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  t.teardown(() => proxy.close());
  const address = proxy.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

function read(store: Store, url: string, ...range: Parameters<Store['read']>[1][]): Promise<Buffer> {
  return buffer(store.read(url, ...range));
}

const LONG = `${'深'.repeat(333)}x`;
const SPECIAL = ['手写 数字/图 1.png', 'a b', 'a+b', 'a#b', 'a%b', 'a%2Fb', "a'(b)*!", 'a&b<c>"d', 'a?b=c', '😀', LONG];

test('what is written is read back, with its time and the checksum of all its bytes', async (t) => {
  const { store } = await stand(t);
  const data = randomBytes(300_000);
  const modified = 1_700_000_000_123;
  await store.write('oss://training/out/a.bin', data, { modified });
  t.ok((await read(store, 'oss://training/out/a.bin')).equals(data));
  const entry = await store.stat('oss://training/out/a.bin');
  t.match(entry, { kind: 'file', size: 300_000, modified, digest: { algorithm: 'crc64' } });
  t.equal((await read(store, 'oss://training/out/a.bin', { start: 10, end: 20 })).compare(data.subarray(10, 20)), 0);
  t.equal((await read(store, 'oss://training/out/a.bin', { start: 299_990, end: 400_000 })).length, 10);
  t.equal(await store.stat('oss://training/out/b.bin'), undefined);
  t.equal((await store.stat('oss://training/out'))?.kind, 'folder');
});

test('an empty file is written, read and described', async (t) => {
  const { store } = await stand(t);
  await store.write('oss://training/empty', new Uint8Array());
  t.match(await store.stat('oss://training/empty'), { size: 0, digest: { algorithm: 'crc64', value: '0' } });
  t.equal((await read(store, 'oss://training/empty')).length, 0);
  t.equal((await read(store, 'oss://training/empty', { start: 0, end: 5 })).length, 0);
});

test('a stream of unknown length arrives whole, in parts when it is long', async (t) => {
  const { server, store } = await stand(t);
  const block = randomBytes(1 << 20);
  await store.write('oss://training/long', Readable.from(Array.from({ length: 33 }, () => block)), {
    modified: 1_650_000_000_500,
  });
  t.match(await store.stat('oss://training/long'), { size: 33 << 20, modified: 1_650_000_000_500 });
  t.equal(server.asked.filter((line) => line.includes('partNumber=')).length, 3);
  t.ok((await read(store, 'oss://training/long')).equals(Buffer.concat(Array.from({ length: 33 }, () => block))));
});

test('a stream that fails half way leaves neither a file nor an upload', async (t) => {
  const { server, store } = await stand(t);
  async function* broken(): AsyncGenerator<Buffer> {
    for (let i = 0; i < 20; i++) yield Buffer.alloc(1 << 20);
    throw new Error('the line went dead');
  }
  await t.rejects(store.write('oss://training/half', Readable.from(broken())), /the line went dead/);
  t.equal(server.buckets.get('training')?.uploads.size, 0);
  t.equal(await store.stat('oss://training/half'), undefined);
});

for (const style of ['virtual', 'path']) {
  test(`special names are the same in every request, with the bucket in the ${style === 'path' ? 'path' : 'host'}`, async (t) => {
    const { server, storeWith } = await stand(t);
    const store = storeWith({ OSS_ADDRESSING_STYLE: style });
    for (const name of SPECIAL) {
      const url = `oss://training/in/${name}`;
      await store.write(url, Buffer.from(name));
      t.equal((await read(store, url)).toString(), name);
      t.equal(
        await store.copyWithin?.(url, `oss://training/out/${name}`, { kind: 'file', size: 1, modified: 0 }),
        true,
      );
      const upload = await store.upload(`oss://training/up/${name}`, {
        size: 1,
        partSize: 1,
        modified: 1,
        source: 'x',
      });
      await upload.put(0, Buffer.from('1'));
      await upload.finish();
    }
    const sorted = SPECIAL.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    for (const folder of ['in', 'out', 'up'])
      t.same(await listed(store.list(`oss://training/${folder}`, { recursive: true })), sorted);
    t.same(
      [...(server.buckets.get('training')?.objects.keys() ?? [])].filter((key) => key.startsWith('in/')).length,
      SPECIAL.length,
    );
    for (const name of SPECIAL) await store.remove(`oss://training/in/${name}`);
    await t.rejects(listed(store.list('oss://training/in')), { code: 'E_NOT_FOUND' });
  });
}

test('a list goes over pages in the order of bytes, folders counted with their slash', async (t) => {
  const { server, store } = await stand(t);
  const names = Array.from({ length: 2300 }, (_, i) => `d${i % 7}/${i}`).concat('d-', 'd1.txt', 'd10');
  for (const name of names) keep(server, `all/${name}`);
  const sorted = names.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  t.same(await listed(store.list('oss://training/all', { recursive: true })), sorted);
  t.ok(server.asked.filter((line) => line.includes('list-type=2')).length >= 3, 'in pages');
  t.same(await listed(store.list('oss://training/all', { recursive: false })), [
    'd-',
    'd0/',
    'd1.txt',
    'd1/',
    'd10',
    'd2/',
    'd3/',
    'd4/',
    'd5/',
    'd6/',
  ]);
  t.same(await listed(store.list('oss://training', { recursive: false })), ['all/']);
});

test('a list gives the MD5 of what was put at one stroke, and none of what came in parts', async (t) => {
  const { store } = await stand(t);
  await store.write('oss://training/l/one', Buffer.from('seven'));
  const upload = await store.upload('oss://training/l/two', { size: 5, partSize: 5, modified: 1, source: 'x' });
  await upload.put(0, Buffer.from('seven'));
  await upload.finish();
  const found: Listed[] = [];
  for await (const item of store.list('oss://training/l')) found.push(item);
  t.same(
    found.map(({ digest }) => digest),
    [{ algorithm: 'md5', value: 'bb3aec0fdcdbc2974890f805c585d432' }, undefined],
  );
});

test('what is too large to be copied within the store at one stroke goes through here', async (t) => {
  const { store } = await stand(t);
  const file = { kind: 'file', size: 2 ** 30 + 1, modified: 0 } as const;
  t.equal(await store.copyWithin?.('oss://training/a', 'oss://training/b', file), false);
});

test('an upload left behind is found again, and only the parts that it lacks move', async (t) => {
  const { server, store, storeWith } = await stand(t);
  const data = randomBytes(450_000);
  const plan = { size: data.length, partSize: 150_000, modified: 1_600_000_000_000, source: 'file:///a' };
  const url = 'oss://training/big.bin';
  const first = await store.upload(url, plan);
  t.equal(await first.put(0, data.subarray(0, 150_000)), true);
  t.equal(await first.put(2, data.subarray(300_000)), true);
  await first.leave();
  t.equal(await store.stat(url), undefined, 'nothing stands there before it is whole');
  // Of another key that begins alike, and newer.
  await (await store.upload(`${url}.more`, plan)).leave();

  const again = await storeWith({}).upload(url, plan);
  t.equal(await again.put(0, data.subarray(0, 150_000)), false);
  t.equal(await again.put(1, data.subarray(150_000, 300_000)), true);
  t.equal(await again.put(2, data.subarray(300_000)), false);
  await again.finish();
  t.ok((await read(store, url)).equals(data));
  t.match(await store.stat(url), { size: 450_000, modified: plan.modified });
  t.equal(
    server.asked.filter((line) => line.includes('uploads=') && line.startsWith('POST') && !line.includes('more'))
      .length,
    1,
  );
});

test('parts of an upload are found over pages', async (t) => {
  const { server, store } = await stand(t);
  const upload = await store.upload('oss://training/many', { size: 1100, partSize: 1, modified: 1, source: 'x' });
  await Promise.all(Array.from({ length: 1100 }, (_, part) => upload.put(part, Buffer.from([part & 255]))));
  const again = await store.upload('oss://training/many', { size: 1100, partSize: 1, modified: 1, source: 'x' });
  t.equal(await again.put(1099, Buffer.from([1099 & 255])), false);
  t.equal(server.asked.filter((line) => line.includes('max-parts=')).length, 2);
});

test('an upload that is given up leaves nothing at the store, twice over', async (t) => {
  const { server, store } = await stand(t);
  const upload = await store.upload('oss://training/no', { size: 3, partSize: 3, modified: 1, source: 'x' });
  await upload.put(0, Buffer.from('abc'));
  await upload.abandon();
  await upload.abandon();
  t.equal(server.buckets.get('training')?.uploads.size, 0);
  await t.rejects(upload.put(0, Buffer.from('abc')), { code: 'E_NO_UPLOAD', message: /oss:\/\/training\/no/ });
});

test('wrong keys are told apart, with the URL and the endpoint, and without the secret', async (t) => {
  const { server, storeWith } = await stand(t);
  const wrong = storeWith({ OSS_ACCESS_KEY_SECRET: 'not-the-secret' });
  const error: unknown = await wrong.write('oss://training/a', Buffer.from('x')).catch((caught: unknown) => caught);
  t.match(error, {
    code: 'E_CREDENTIALS',
    message: /cannot write oss:\/\/training\/a: SignatureDoesNotMatch.*check the secret key/,
  });
  t.match(error, { message: new RegExp(server.endpoint) });
  t.notMatch(JSON.stringify(error, Object.getOwnPropertyNames(error)), /not-the-secret/);
  const asking: readonly (() => Promise<unknown>)[] = [
    () => wrong.stat('oss://training/a'),
    () => read(wrong, 'oss://training/a'),
    () => listed(wrong.list('oss://training')),
  ];
  for (const ask of asking) {
    await t.rejects(ask(), { code: 'E_CREDENTIALS', message: /SignatureDoesNotMatch/ });
  }
  await t.rejects(storeWith({ OSS_ACCESS_KEY_ID: 'nobody' }).stat('oss://training/a'), {
    code: 'E_CREDENTIALS',
    message: /check the access key/,
  });
  await t.rejects(storeWith({ OSS_REGION: 'cn-beijing' }).stat('oss://training/a'), {
    code: 'E_REGION',
    message: /check the region/,
  });
});

test('a bucket that is not there, or cannot be one, is told by its name', async (t) => {
  const { store } = await stand(t);
  const asking: readonly (() => Promise<unknown>)[] = [
    () => store.stat('oss://nobody/a'),
    () => read(store, 'oss://nobody/a'),
    () => listed(store.list('oss://nobody')),
    () => store.write('oss://nobody/a', Buffer.from('x')),
  ];
  for (const ask of asking) {
    await t.rejects(ask(), {
      code: 'E_BUCKET',
      message: /oss:\/\/nobody.*NoSuchBucket.*check the name of the bucket/,
    });
  }
  await t.rejects(store.stat('oss://No_Bucket!/a'), { code: 'E_BUCKET', message: /small letters/ });
  await t.rejects(read(store, 'oss://training/a'), {
    code: 'E_NOT_FOUND',
    message: /oss:\/\/training\/a.*check its spelling/,
  });
});

test('a name that ali-oss would change is refused', async (t) => {
  const { server, store } = await stand(t);
  await t.rejects(store.write('oss://training//a', Buffer.from('x')), {
    code: 'E_NAME',
    message: /oss:\/\/training\/\/a/,
  });
  t.same(server.asked, []);
});

test('clocks that are too far apart are told', async (t) => {
  const { server, store } = await stand(t);
  server.now = () => Date.now() + 16 * 60_000;
  await t.rejects(store.stat('oss://training/a'), {
    code: 'E_CLOCK',
    message: /RequestTimeTooSkewed.*set this machine's clock/,
  });
});

test('bytes that were changed on the way to the store are refused by it, and sent again', async (t) => {
  const { server, storeWith } = await stand(t);
  let left = 2;
  const endpoint = await between(t, server, {
    up(chunk) {
      const at = chunk.indexOf('precious');
      if (at !== -1 && left-- > 0) chunk[at] ^= 1;
      return chunk;
    },
  });
  const store = storeWith({ OSS_ENDPOINT: endpoint });
  await store.write('oss://training/whole', Buffer.from('precious bytes'));
  const upload = await store.upload('oss://training/parts', { size: 14, partSize: 14, modified: 1, source: 'x' });
  left = 1;
  await upload.put(0, Buffer.from('precious parts'));
  await upload.finish();
  t.equal(server.asked.filter((line) => line.startsWith('PUT') && line.endsWith(' 400')).length, 3, 'refused');
  t.equal((await read(store, 'oss://training/whole')).toString(), 'precious bytes');
  t.equal((await read(store, 'oss://training/parts')).toString(), 'precious parts');
});

test('a read goes on where its connection broke', async (t) => {
  const { server, storeWith } = await stand(t);
  const data = randomBytes(1_000_000);
  let passed = 0;
  let cuts = 0;
  const endpoint = await between(t, server, {
    down(chunk) {
      passed += chunk.length;
      if (passed < 300_000 * (cuts + 1) || cuts === 3) return chunk;
      cuts++;
      return undefined;
    },
  });
  const store = storeWith({ OSS_ENDPOINT: endpoint });
  await store.write('oss://training/a', data);
  t.ok((await read(store, 'oss://training/a')).equals(data));
  t.equal(cuts, 3);
  t.equal(server.asked.filter((line) => line.startsWith('GET')).length, 4);
});

test('bytes that rotted in the store are noticed by whoever reads them', async (t) => {
  const { server, store } = await stand(t);
  await store.write('oss://training/rot', randomBytes(100_000));
  server.spoil('training', 'rot');
  await t.rejects(read(store, 'oss://training/rot'), {
    code: 'E_CHECKSUM',
    message: /oss:\/\/training\/rot came damaged/,
  });
});

test('a file that changed since it was looked at is not read', async (t) => {
  const { server, store } = await stand(t);
  await store.write('oss://training/v', Buffer.from('one'));
  const entry = await store.stat('oss://training/v');
  t.equal((await read(store, 'oss://training/v', { version: entry?.version })).toString(), 'one');
  await store.write('oss://training/v', Buffer.from('two'));
  await t.rejects(read(store, 'oss://training/v', { version: entry?.version }), { code: 'E_CHANGED' });
  server.etag = () => 'ANOTHER';
  t.equal((await store.stat('oss://training/v'))?.version, '"ANOTHER"');
});

test('keys that expire are renewed before they do, and once when the server says that they have', async (t) => {
  const { server, storeWith } = await stand(t);
  let given = 0;
  const issuer = createServer((_, response) => {
    given++;
    const expires = server.now() + 3_600_000;
    server.keys.set(`STS.${given}`, { id: `STS.${given}`, secret: `s${given}`, token: `t${given}`, expires });
    const answer = {
      AccessKeyId: `STS.${given}`,
      AccessKeySecret: `s${given}`,
      SecurityToken: `t${given}`,
      Expiration: new Date(expires),
    };
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => issuer.listen(0, '127.0.0.1', resolve));
  t.teardown(() => issuer.close());
  const address = issuer.address();
  const uri = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}/keys`;
  const store = storeWith({ OSS_ACCESS_KEY_ID: '', OSS_ACCESS_KEY_SECRET: '', ALIBABA_CLOUD_CREDENTIALS_URI: uri });

  await Promise.all([1, 2, 3].map((i) => store.write(`oss://training/${i}`, Buffer.from('x'))));
  t.equal(given, 1, 'one for all who ask at once');
  const first = server.keys.get('STS.1');
  if (first !== undefined) server.keys.set('STS.1', { ...first, expires: server.now() });
  t.equal((await read(store, 'oss://training/1')).toString(), 'x', 'the server said that they had expired');
  t.equal(given, 2);
  t.ok(server.asked.some((line) => line.endsWith(' 403')));
});

test('temporary keys that nobody can renew are told to have expired', async (t) => {
  const { server, storeWith } = await stand(t);
  server.keys.set('STS.x', { id: 'STS.x', secret: 's', token: 'token', expires: Date.now() + 60_000 });
  const env = { OSS_ACCESS_KEY_ID: 'STS.x', OSS_ACCESS_KEY_SECRET: 's', OSS_SESSION_TOKEN: 'token' };
  await storeWith(env).write('oss://training/a', Buffer.from('x'));
  await t.rejects(storeWith({ ...env, OSS_SESSION_TOKEN: 'another' }).stat('oss://training/a'), { code: 'E_EXPIRED' });
  server.keys.set('STS.x', { id: 'STS.x', secret: 's', token: 'token', expires: Date.now() });
  await t.rejects(storeWith(env).stat('oss://training/a'), {
    code: 'E_EXPIRED',
    message: /SecurityTokenExpired.*get new credentials/,
  });
});

test('somebody who says yes to everything is not taken for OSS', async (t) => {
  const portal = createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'text/html' }).end('<html><body>Welcome</body></html>');
  });
  await new Promise<void>((resolve) => portal.listen(0, '127.0.0.1', resolve));
  t.teardown(() => portal.close());
  const address = portal.address();
  const settings = await ossSettings({
    home: t.testdir(),
    env: {
      OSS_ENDPOINT: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`,
      OSS_REGION: 'x',
      OSS_ACCESS_KEY_ID: 'a',
      OSS_ACCESS_KEY_SECRET: 'b',
    },
  });
  const client = await ossClient('training', settings);
  const md5 = '8f00b204e9800998ecf8427e00000000';
  const asking: Readonly<Record<string, () => Promise<unknown>>> = {
    head: () => client.head('a'),
    page: () => client.page({ prefix: '', delimited: false }),
    get: () => client.get('a', { start: 0 }),
    put: () => client.put('a', new Uint8Array(), { md5, modified: 1 }),
    unfinished: () => client.unfinished('a'),
    begin: () => client.begin('a', { modified: 1 }),
    parts: () => client.parts('a', 'id'),
    putPart: () => client.putPart('a', 'id', 1, new Uint8Array(), md5),
    finish: () => client.finish('a', 'id', ['"x"']),
    abort: () => client.abort('a', 'id'),
    remove: () => client.remove('a'),
    copy: () => client.copy('training', 'b', 'a'),
  };
  for (const [name, ask] of Object.entries(asking)) {
    const error: unknown = await ask().catch((caught: unknown) => caught);
    t.ok(
      error instanceof StorageError && /oss:\/\/training\/a?.*http:\/\/127/.test(error.message),
      `${name}: ${String(error)}`,
    );
  }
});

test('oss:// has one store for all its URLs', async (t) => {
  const store = await storeFor('oss://training/a');
  t.equal(await storeFor('OSS://training/b'), store);
  t.equal(await store.locate('oss://training/a/'), 'oss://training/a');
});

test('an endpoint where nobody listens is named', async (t) => {
  const server = await startOssServer();
  await server.close();
  const settings = await ossSettings({
    home: t.testdir(),
    env: { OSS_ENDPOINT: server.endpoint, OSS_REGION: 'x', OSS_ACCESS_KEY_ID: 'a', OSS_ACCESS_KEY_SECRET: 'b' },
  });
  const client = await ossClient('training', settings);
  await t.rejects(client.head('a'), {
    code: 'E_NETWORK',
    message: /oss:\/\/training\/a: the connection was refused \(http:\/\/127.0.0.1/,
  });
});

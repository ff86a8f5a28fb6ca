import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { gzipSync } from 'node:zlib';
import * as fc from 'fast-check';
import { test } from 'tap';
import { copy } from '../../sdk/storage/copy.js';
import { PassingFailure } from '../../sdk/storage/retry.js';
import type { ByteRange } from '../../sdk/storage/store.js';
import { storeFor } from '../../sdk/storage/stores.js';
import { MODIFIED, startWeb } from '../services/web.js';
import { noise } from './hdfs-stories.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';
const store = await storeFor('https://host/file');
const read = (url: string, range?: ByteRange): Promise<Buffer> => buffer(store.read(url, range));

test('a file has the size, time and version that its server tells', async (t) => {
  const web = await startWeb(t, noise(1000));
  const entry = await store.stat(`${web.url}/数据/a b.zip?signature=x`);
  t.match(entry, { kind: 'file', size: 1000, modified: MODIFIED, version: /^"[0-9a-f]{32}"$/ });
  t.same(web.seen, [
    { method: 'HEAD', path: '/%E6%95%B0%E6%8D%AE/a%20b.zip?signature=x', range: undefined, login: undefined },
  ]);
  t.equal(await store.stat(`${web.url}/missing`), undefined);
  t.ok((await read(`${web.url}/a`)).equals(web.content));
});

test('a range counts its start in and its end out, whether the server takes ranges or not', async (t) => {
  for (const takesRanges of [true, false]) {
    const web = await startWeb(t, Buffer.from('0123456789'), { takesRanges });
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.option(fc.nat(12), { nil: undefined }), async (start, end) => {
        const content = await read(`${web.url}/digits`, { start, end });
        return content.toString() === '0123456789'.slice(start, end === undefined ? undefined : Math.max(start, end));
      }),
      { numRuns: 40 },
    );
  }
});

test('a server that refuses HEAD is asked for the first byte, and one that tells no length has its bytes counted', async (t) => {
  const refusing = await startWeb(t, noise(1000), { takesHead: false });
  t.match(await store.stat(`${refusing.url}/a`), { size: 1000, modified: MODIFIED });
  t.equal(await store.stat(`${refusing.url}/missing`), undefined);
  const simple = await startWeb(t, noise(1000), { takesHead: false, takesRanges: false });
  t.match(await store.stat(`${simple.url}/a`), { size: 1000 });
  const silent = await startWeb(t, noise(1000), { tellsLength: false, takesRanges: false });
  t.match(await store.stat(`${silent.url}/a`), { size: 1000 });
  t.equal((await read(`${silent.url}/a`)).length, 1000);
  const empty = await startWeb(t, Buffer.alloc(0), { takesHead: false });
  t.match(await store.stat(`${empty.url}/a`), { size: 0 });
  t.equal((await read(`${empty.url}/a`)).length, 0);
  silent.content = Buffer.alloc(17 << 20);
  await t.rejects(store.stat(`${silent.url}/a`), { code: 'E_HTTP', message: /does not tell its length/ });
});

test('reading goes on where the connection broke, and passes over what it has where the server takes no ranges', async (t) => {
  for (const takesRanges of [true, false]) {
    const web = await startWeb(t, noise(300_000), { takesRanges });
    web.cuts.push(100_000, 150_000);
    t.ok((await read(`${web.url}/a`)).equals(web.content));
    t.equal(web.seen.length, 3);
    web.cuts.push(20_000);
    t.ok((await read(`${web.url}/a`, { start: 10_000, end: 290_000 })).equals(web.content.subarray(10_000, 290_000)));
  }
  const ranges = await startWeb(t, noise(300_000));
  ranges.cuts.push(...Array.from({ length: 20 }, () => 0));
  await t.rejects(read(`${ranges.url}/a`), { code: 'E_NETWORK', message: /the connection broke/ });
});

test('a large file is copied in one sweep where the server takes no ranges, and in parts where it does', async (t) => {
  const content = noise(1_000_001);
  for (const takesRanges of [true, false]) {
    const web = await startWeb(t, content, { takesRanges });
    const copied = join(t.testdir(), 'large');
    // The first byte, which is asked for twice to find that out; then a connection that breaks in the middle.
    web.cuts.push(1, 1, takesRanges ? 50_000 : 500_000);
    await copy(`${web.url}/large`, copied, { partSize: 100_001 });
    t.ok(readFileSync(copied).equals(content));
    const reads = web.seen.filter(({ method, range }) => method === 'GET' && range !== 'bytes=0-0');
    t.equal(reads.length, takesRanges ? 11 : 2, 'and once more where the connection broke');
  }
});

test('it is not gone on with another file, nor where nothing tells whether it is another', async (t) => {
  const web = await startWeb(t, noise(300_000));
  const { version } = (await store.stat(`${web.url}/a`)) ?? {};
  web.cuts.push(100_000);
  const stream = store.read(`${web.url}/a`);
  stream.once('data', () => {
    web.content = Buffer.alloc(300_000);
  });
  await t.rejects(buffer(stream), { code: 'E_CHANGED' });
  await t.rejects(read(`${web.url}/a`, { start: 5, end: 10, version }), { code: 'E_CHANGED' });
  await t.rejects(read(`${web.url}/a`, { version }), { code: 'E_CHANGED' });
  const blind = await startWeb(t, noise(300_000), { tellsVersion: false });
  blind.cuts.push(100_000);
  await t.rejects(read(`${blind.url}/a`), { code: 'E_NETWORK', message: /does not tell whether it is still the same/ });
});

test('a body that is longer or shorter than was told is noticed', async (t) => {
  const web = await startWeb(t, noise(100));
  const lie = (_: IncomingMessage, response: ServerResponse): void => {
    response.socket?.write('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789 and more');
  };
  web.answers.push(lie);
  t.equal((await read(`${web.url}/a`)).length, 100, 'a lie of one time');
  web.answers.push(...Array.from({ length: 20 }, () => lie));
  await t.rejects(read(`${web.url}/a`), { code: 'E_HTTP', message: /sends more than the length that it told/ });
  web.answers.length = 0;
  const shorter = await startWeb(t, noise(100), { tellsVersion: false });
  shorter.answers.push((_, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('not so much', () => response.socket?.end());
  });
  await t.rejects(read(`${shorter.url}/a`), { code: 'E_NETWORK' });
  web.answers.push((_, response) => void response.writeHead(206, { 'content-range': 'bytes 7-9/10' }).end('789'));
  await t.rejects(read(`${web.url}/a`, { start: 5 }), { code: 'E_HTTP', message: /sends bytes from 7 instead of 5/ });
});

test('what is stored in a packed form is not unpacked', async (t) => {
  const packed = gzipSync('text');
  const web = await startWeb(t, packed);
  web.answers.push((request, response) => {
    t.equal(request.headers['accept-encoding'], 'identity');
    response.writeHead(200, { 'content-encoding': 'gzip', 'content-length': packed.length }).end(packed);
  });
  t.ok((await read(`${web.url}/a.gz`)).equals(packed));
});

test('redirects are followed, and credentials do not go to another server', async (t) => {
  const web = await startWeb(t, noise(100), { login: 'li:g/h m' });
  const mirror = await startWeb(t, noise(200));
  const url = web.url.replace('://', '://li:g%2Fh%20m@');
  t.match(await store.stat(`${url}/a`), { size: 100 });
  const to = (location: string) => {
    return (_: unknown, response: { writeHead(status: number, headers: object): { end(): void } }) =>
      response.writeHead(302, { location }).end();
  };
  web.answers.push(to('/b'), to('c?d=e'), to(`${mirror.url}/f`));
  t.equal((await read(`${url}/a`)).length, 200);
  t.same(
    web.seen.slice(-3).map(({ path, login }) => [path, login !== undefined]),
    [
      ['/a', true],
      ['/b', true],
      ['/c?d=e', true],
    ],
  );
  t.same(mirror.seen, [{ method: 'GET', path: '/f', range: undefined, login: undefined }]);
  mirror.answers.push(...Array.from({ length: 30 }, () => to('/round')));
  await t.rejects(read(`${mirror.url}/a`), { code: 'E_HTTP', message: /leads on and on/ });
  mirror.answers.length = 0;
  mirror.answers.push(to('file:///etc/passwd'));
  await t.rejects(read(`${mirror.url}/a`), { code: 'E_HTTP', message: /no web address/ });
});

test('what a server refuses is said, without the password and the query', async (t) => {
  const web = await startWeb(t, noise(100), { login: 'li:right' });
  const url = web.url.replace('://', '://li:wRoNg@');
  for (const action of [() => store.stat(`${url}/a?key=sEcReT`), () => read(`${url}/a?key=sEcReT`)]) {
    const error: unknown = await action().catch((reason: unknown) => reason);
    t.match(error, { code: 'E_CREDENTIALS', message: /cannot read http:\/\/127[^ ]*\/a: .*user and a password/ });
    t.notMatch(inspect(error, { depth: 9 }), /wRoNg|sEcReT|d1JvTmc/);
  }
  const open = await startWeb(t, noise(100));
  await t.rejects(read(`${open.url}/missing`), { code: 'E_NOT_FOUND' });
  open.answers.push((_, response) => void response.writeHead(403).end());
  await t.rejects(read(`${open.url}/a`), { code: 'E_DENIED' });
  open.answers.push((_, response) => void response.writeHead(503, { 'retry-after': '0' }).end());
  t.equal((await read(`${open.url}/a`)).length, 100, 'what passes is tried again');
  await t.rejects(store.stat('http://127.0.0.1:99999/a'), { code: 'E_URL' });
});

test('nothing is listed, written or removed', async (t) => {
  const web = await startWeb(t, noise(100));
  const url = `${web.url}/folder`;
  const drain = async (): Promise<void> => {
    for await (const file of store.list(url)) t.fail(file.name);
  };
  await t.rejects(drain(), { code: 'E_LIST', message: /cannot be listed/ });
  await t.rejects(store.stat(`${url}/`), { code: 'E_LIST' });
  for (const refused of [
    store.write(url, Buffer.from('x')),
    store.remove(url),
    store.makeFolder(url),
    store.upload(url, { size: 1, partSize: 1, modified: 1, source: 'x' }),
  ]) {
    await t.rejects(refused, { code: 'E_READ_ONLY' });
  }
  t.same(web.seen, []);
  t.equal(await store.locate('http://li:pw@Host:80/a/../b/'), 'http://host/b');
});

test('a server that nobody knows, and one that does not answer, have codes of their own', async (t) => {
  await t.rejects(store.stat('http://no-such-host.invalid/a'), { code: /^E_(HOST|NETWORK)$/ });
  const error: unknown = await read('http://127.0.0.1:1/a').catch((reason: unknown) => reason);
  t.ok(error instanceof PassingFailure);
  t.match(error, { code: 'E_NETWORK', message: /the connection was refused/ });
});

import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { type Test, test } from 'tap';
import { type Fault, type FaultProxy, faultProxy } from './fault-proxy.js';

interface Got {
  readonly method: string | undefined;
  readonly host: string | undefined;
  readonly body: Buffer;
}

/** A server that gives back what it gets, keeps note of what it got whole, and sends `/away/…` somewhere else. */
async function echo(t: Test, got: Got[], away?: string): Promise<string> {
  const server = createServer((request: IncomingMessage, response) => {
    buffer(request).then(
      (body) => {
        got.push({ method: request.method, host: request.headers.host, body });
        if (request.url?.startsWith('/away/')) response.writeHead(307, { Location: `${away}${request.url.slice(5)}` });
        else response.writeHead(200, { 'Content-Length': body.length });
        response.end(request.url?.startsWith('/away/') ? undefined : body);
      },
      () => got.push({ method: 'half', host: undefined, body: Buffer.alloc(0) }),
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const address: AddressInfo | string | null = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`;
}

async function between(t: Test, away?: string): Promise<{ proxy: FaultProxy; got: Got[] }> {
  const got: Got[] = [];
  const proxy = await faultProxy(await echo(t, got, away));
  t.teardown(() => proxy.close());
  return { proxy, got };
}

async function put(proxy: FaultProxy, body: Buffer, fault?: Fault): Promise<Buffer> {
  proxy.plan = () => fault;
  const answer = await fetch(`${proxy.url}/a`, { method: 'PUT', body: new Uint8Array(body) });
  return Buffer.from(await answer.arrayBuffer());
}

const body = Buffer.alloc(300_000, 'seven');

test('what goes through the proxy comes as it was sent, and is counted', async (t) => {
  const { proxy, got } = await between(t);
  t.ok((await put(proxy, body)).equals(body));
  t.ok(got[0].body.equals(body));
  t.equal(`http://${got[0].host}`, proxy.url);
  t.same(proxy.bytes, { up: 300_000, down: 300_000 });
  t.match(proxy.passed, [{ number: 1, method: 'PUT', url: '/a', bytes: 300_000, fault: undefined }]);
});

test('a request that is cut never comes whole, and an answer that is cut neither', async (t) => {
  const { proxy, got } = await between(t);
  await t.rejects(put(proxy, body, { kind: 'cut', way: 'up', after: 200_000 }));
  t.same(
    got.filter(({ method }) => method !== 'half'),
    [],
  );
  await t.rejects(put(proxy, body, { kind: 'cut', way: 'down', after: 200_000 }));
  t.ok((await put(proxy, body)).equals(body), 'the next one is not hurt');
});

test('when an answer is lost the server has done what it was asked', async (t) => {
  const { proxy, got } = await between(t);
  proxy.watch = () => t.equal(got.length, 1, 'the watcher sees it before the client hears');
  await t.rejects(put(proxy, body, { kind: 'lost' }));
  t.ok(got[0].body.equals(body));
});

test('one bit is turned over, on the way that was asked for', async (t) => {
  const { proxy, got } = await between(t);
  const answer = await put(proxy, body, { kind: 'flip', way: 'up', at: 250_001 });
  t.notOk(answer.equals(body));
  answer[250_001] ^= 2;
  t.ok(answer.equals(body));
  t.notOk((await put(proxy, body, { kind: 'flip', way: 'down', at: 0 })).equals(body));
  t.ok(got[1].body.equals(body));
});

test('a wrong length is either a broken connection or fewer bytes', async (t) => {
  const { proxy } = await between(t);
  await t.rejects(put(proxy, body, { kind: 'length', by: 10 }));
  t.ok((await put(proxy, body, { kind: 'length', by: -10 })).equals(body.subarray(10)));
  t.ok((await put(proxy, body)).equals(body), 'the next one is not hurt');
});

test('a body stops until something has happened', async (t) => {
  const { proxy } = await between(t);
  const order: string[] = [];
  const until = async (): Promise<void> => void order.push('until');
  await put(proxy, body, { kind: 'stall', way: 'down', after: 5, until });
  t.same(order, ['until']);
});

test('an answer may come without the server', async (t) => {
  const { proxy, got } = await between(t);
  proxy.plan = () => ({ kind: 'answer', status: 503, headers: { 'Retry-After': '0' }, body: 'busy' });
  const answer = await fetch(`${proxy.url}/a`, { method: 'PUT', body: 'x' });
  t.equal(answer.status, 503);
  t.equal(answer.headers.get('retry-after'), '0');
  t.equal(await answer.text(), 'busy');
  t.same(got, []);
});

test('a redirect to another server leads through the proxy too', async (t) => {
  const there: Got[] = [];
  const { proxy, got } = await between(t, await echo(t, there));
  const answer = await fetch(`${proxy.url}/away/b`, { method: 'PUT', body: 'x' });
  t.equal(await answer.text(), 'x');
  t.same([got.length, there.length, proxy.passed.length], [1, 1, 2]);
});

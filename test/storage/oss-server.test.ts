/** That the OSS server of our own is as strict as it must be, asked with what ali-oss has signed. */
import OSS from 'ali-oss';
import { type Test, test } from 'tap';
import type { AccessKey } from '../services/access-keys.js';
import type { ObjectServer } from '../services/object-server.js';
import { OSS_KEY, startOssServer } from '../services/oss-server.js';
import { type Sent, send } from '../services/send.js';

async function serve(t: Test): Promise<ObjectServer> {
  const server = await startOssServer();
  t.teardown(() => server.close());
  return server;
}

interface Signed {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** What ali-oss would send to put an object, signed by it and not sent. */
async function signedPut(server: ObjectServer, { id, secret, token }: AccessKey = OSS_KEY): Promise<Signed> {
  const signed: Signed[] = [];
  const client = clientOf(
    server,
    { id, secret, token },
    {
      async request(
        url: string,
        { method, headers, content }: { method: string; headers: Record<string, unknown>; content: Buffer },
      ) {
        const given = Object.entries(headers).map(([name, value]) => [name, String(value)]);
        signed.push({ url, method, headers: Object.fromEntries(given), body: content.toString() });
        return { status: 200, headers: {}, data: Buffer.alloc(0), res: {} };
      },
    },
  );
  await client.put('a b+c.txt', Buffer.from('seven'), { headers: { 'x-oss-meta-mtime': '1.5' } });
  return signed[0];
}

function clientOf(server: ObjectServer, { id, secret, token }: AccessKey, urllib?: object): OSS {
  const options = {
    accessKeyId: id,
    accessKeySecret: secret,
    stsToken: token,
    bucket: 'training',
    endpoint: server.endpoint,
    region: `oss-${server.region}`,
    authorizationV4: true,
    refreshSTSTokenInterval: Number.MAX_SAFE_INTEGER,
    ...(urllib !== undefined && { urllib }),
  };
  return new OSS(options);
}

async function answerTo({ url, ...sent }: Sent & { readonly url: string }): Promise<string> {
  const { status, body } = await send(url, sent);
  return `${status} ${/<Code>(.*?)<\/Code>/.exec(body)?.[1] ?? ''}`.trim();
}

test('what ali-oss has signed is taken, and nothing of it may be changed', async (t) => {
  const server = await serve(t);
  const signed = await signedPut(server);
  t.equal(await answerTo(signed), '200');
  const { headers, url } = signed;
  const wrong = '403 SignatureDoesNotMatch';
  t.equal(await answerTo({ ...signed, url: `${url}x` }), wrong, 'the key');
  t.equal(await answerTo({ ...signed, url: `${url}?append=` }), wrong, 'the query');
  t.equal(await answerTo({ ...signed, method: 'POST' }), wrong, 'the method');
  t.equal(await answerTo({ ...signed, headers: { ...headers, 'x-oss-meta-mtime': '2.5' } }), wrong, 'a header');
  t.equal(
    await answerTo({ ...signed, headers: { ...headers, 'x-oss-object-acl': 'public-read' } }),
    wrong,
    'a header more',
  );
  t.equal(await answerTo({ ...signed, headers: { ...headers, 'Content-Type': 'text/html' } }), wrong, 'the type');
  t.equal(
    await answerTo({ ...signed, headers: { ...headers, host: 'other.oss-cn-hangzhou.aliyuncs.com' } }),
    wrong,
    'the bucket',
  );
  const { authorization, ...unsigned } = headers;
  t.equal(await answerTo({ ...signed, headers: unsigned }), '403 AccessDenied', 'anonymous');
  const flipped = authorization.replace(/.$/, (last) => (last === '0' ? '1' : '0'));
  t.equal(await answerTo({ ...signed, headers: { ...headers, authorization: flipped } }), wrong, 'the signature');
  t.equal(
    await answerTo({
      ...signed,
      headers: { ...headers, authorization: authorization.replace('cn-hangzhou', 'cn-beijing') },
    }),
    '400 InvalidArgument',
  );
  t.equal(
    await answerTo({
      ...signed,
      headers: { ...headers, authorization: authorization.replace(',', ',AdditionalHeaders=,') },
    }),
    '400 InvalidArgument',
  );
  t.equal(
    await answerTo({
      ...signed,
      headers: { ...headers, authorization: authorization.replace(',', ',AdditionalHeaders=host,') },
    }),
    wrong,
  );
});

test('a body that is not what its MD5 says is refused', async (t) => {
  const server = await serve(t);
  const signed = await signedPut(server);
  t.equal(await answerTo({ ...signed, body: 'eight' }), '400 InvalidDigest');
  t.equal(server.buckets.get('training')?.objects.size, 0);
});

test('clocks may be a quarter of an hour apart, and no more', async (t) => {
  const server = await serve(t);
  const signed = await signedPut(server);
  const sent = Date.parse(signed.headers['x-oss-date'].replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'));
  for (const [minutes, answer] of [
    [15, '200'],
    [-15, '200'],
    [15.02, '403 RequestTimeTooSkewed'],
    [-15.02, '403 RequestTimeTooSkewed'],
  ] as const) {
    server.now = () => sent + minutes * 60_000;
    t.equal(await answerTo(signed), answer, `${minutes} minutes`);
  }
});

test('a token must be that of its key, and holds until its end', async (t) => {
  const server = await serve(t);
  const key = { id: 'STS.1', secret: 'secret', token: 'the token' };
  const signed = await signedPut(server, key);
  t.equal(await answerTo(signed), '403 InvalidAccessKeyId');
  server.keys.set(key.id, key);
  t.equal(await answerTo(signed), '200');
  server.keys.set(key.id, { ...key, token: 'another' });
  t.equal(await answerTo(signed), '403 InvalidSecurityToken');
  server.keys.set(key.id, { ...key, expires: Date.now() });
  t.equal(await answerTo(signed), '403 SecurityTokenExpired');
});

test('a URL that ali-oss has signed holds for its time, and for what it names', async (t) => {
  const server = await serve(t);
  const key = { id: 'STS.1', secret: 'secret', token: 'a+b/c=' };
  server.keys.set(key.id, key);
  const client = clientOf(server, key);
  await client.put('目录/a b', Buffer.from('seven'));
  const url = await client.signatureUrlV4(
    'GET',
    60,
    { queries: { 'response-content-type': 'text/plain' } },
    '目录/a b',
  );
  const headers = { host: `training.oss-${server.region}.aliyuncs.com` };
  t.match(await send(url, { headers }), { status: 200, body: 'seven' });
  t.equal(await answerTo({ url, headers, method: 'DELETE' }), '403 SignatureDoesNotMatch');
  t.equal(await answerTo({ url: url.replace('a%20b', 'a%20c'), headers }), '403 SignatureDoesNotMatch');
  t.equal(
    await answerTo({ url: url.replace('x-oss-expires=60', 'x-oss-expires=600'), headers }),
    '403 SignatureDoesNotMatch',
  );
  const [host] = [await client.signatureUrlV4('GET', 60, { headers: { host: headers.host } }, '目录/a b', ['host'])];
  t.match(await send(host, { headers }), { status: 200 });
  server.now = () => Date.now() + 62_000;
  t.equal(await answerTo({ url, headers }), '403 AccessDenied');
});

/**
 * OBS's server of our own: that it takes what AWS's client signs (V4) and what OBS describes as its own signature, and nothing
 * else. Never run against the cloud. By hand, the vendor's client `esdk-obs-nodejs` was run against it, too.
 */
import { createHash, createHmac } from 'node:crypto';
import { Agent } from 'node:http';
import { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsCommand,
  ListObjectsV2Command,
  ListPartsCommand,
  PutObjectCommand,
  S3Client,
  type S3ClientConfig,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { type Test, test } from 'tap';
import type { AccessKey } from '../services/access-keys.js';
import type { ObjectServer } from '../services/object-server.js';
import { OBS_KEY, startObsServer } from '../services/obs-server.js';
import { send } from '../services/send.js';

const Bucket = 'training';
const SPECIAL = [
  '手写 数字/图 1.png',
  'a b',
  'a+b',
  'a#b',
  'a%b',
  'a%2Fb',
  "a'(b)*!",
  'a&b<c>"d',
  'a?b=c',
  '😀',
  `${'深'.repeat(333)}x`,
];

async function serve(t: Test): Promise<ObjectServer> {
  const server = await startObsServer();
  t.teardown(() => server.close());
  return server;
}

function clientOf(
  t: Test,
  server: ObjectServer,
  { id, secret, token }: AccessKey = OBS_KEY,
  more: S3ClientConfig = {},
): S3Client {
  const client = new S3Client({
    endpoint: server.endpoint,
    region: server.region,
    forcePathStyle: true,
    credentials: { accessKeyId: id, secretAccessKey: secret, ...(token !== undefined && { sessionToken: token }) },
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    maxAttempts: 1,
    ...more,
  });
  t.teardown(() => client.destroy());
  return client;
}

/** Names below obs.test are this machine's. */
const BEFORE_THE_HOST = {
  forcePathStyle: false,
  requestHandler: {
    httpAgent: new Agent({
      lookup: (_, { all }, done) =>
        all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4),
    }),
  },
};

for (const place of ['path', 'host']) {
  test(`AWS's client puts, gets, copies, lists and removes special names, with the bucket in the ${place}`, async (t) => {
    const server = await serve(t);
    const endpoint = server.endpoint.replace('127.0.0.1', 'obs.test');
    const client = clientOf(t, server, OBS_KEY, place === 'host' ? { ...BEFORE_THE_HOST, endpoint } : {});
    for (const name of SPECIAL) {
      const Key = `in/${name}`;
      await client.send(new PutObjectCommand({ Bucket, Key, Body: name, Metadata: { mtime: '1.5' } }));
      const { Body, Metadata, ETag } = await client.send(new GetObjectCommand({ Bucket, Key }));
      t.equal(await Body?.transformToString(), name);
      t.same(Metadata, { mtime: '1.5' });
      t.equal(ETag, `"${createHash('md5').update(name).digest('hex')}"`);
      const CopySource = encodeURIComponent(`${Bucket}/${Key}`);
      await client.send(new CopyObjectCommand({ Bucket, Key: `out/${name}`, CopySource }));
      t.equal((await client.send(new HeadObjectCommand({ Bucket, Key: `out/${name}` }))).Metadata?.mtime, '1.5');
    }
    const query = { Bucket, Prefix: 'in/', EncodingType: 'url' as const };
    const { Contents = [] } = await client.send(new ListObjectsCommand(query));
    const sorted = SPECIAL.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    t.same(
      Contents.map(({ Key = '' }) => decodeURIComponent(Key.replaceAll('+', '%20'))),
      sorted.map((name) => `in/${name}`),
    );
    for (const name of SPECIAL) await client.send(new DeleteObjectCommand({ Bucket, Key: `in/${name}` }));
    t.equal((await client.send(new ListObjectsCommand(query))).Contents, undefined);
    t.ok(
      server.asked.every((line) => place === 'path' || !line.includes('/training/')),
      'where it was asked',
    );
  });
}

test('a list goes on from a marker; one of version 2 gets the same page again and again, as OBS gives it', async (t) => {
  const server = await serve(t);
  const client = clientOf(t, server);
  for (const Key of ['a', 'b/1', 'b/2', 'c', 'd']) await client.send(new PutObjectCommand({ Bucket, Key, Body: Key }));
  const page = await client.send(new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 2 }));
  t.match(page, { IsTruncated: true, NextMarker: 'b/', CommonPrefixes: [{ Prefix: 'b/' }] });
  const next = await client.send(
    new ListObjectsCommand({ Bucket, Delimiter: '/', MaxKeys: 2, Marker: page.NextMarker }),
  );
  t.same([next.IsTruncated, next.Contents?.map(({ Key }) => Key)], [false, ['c', 'd']]);
  const v2 = await client.send(new ListObjectsV2Command({ Bucket, MaxKeys: 2 }));
  t.same([v2.IsTruncated, v2.NextContinuationToken], [true, undefined]);
});

test('an upload in parts is listed, put together, and refused where parts are wrong', async (t) => {
  const server = await serve(t);
  const client = clientOf(t, server);
  const Key = '大 文件';
  const { UploadId } = await client.send(new CreateMultipartUploadCommand({ Bucket, Key, Metadata: { mtime: '2' } }));
  const halves = [Buffer.alloc(120_000, 1), Buffer.alloc(5, 2)];
  const Parts: CompletedPart[] = [];
  for (const [index, Body] of halves.entries()) {
    const { ETag } = await client.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: index + 1, Body }));
    Parts.push({ PartNumber: index + 1, ETag });
  }
  t.equal((await client.send(new ListPartsCommand({ Bucket, Key, UploadId }))).Parts?.length, 2);
  t.match((await client.send(new ListMultipartUploadsCommand({ Bucket }))).Uploads, [{ Key, UploadId }]);
  const complete = (parts: CompletedPart[]) =>
    client.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts: parts } }));
  await t.rejects(complete([{ PartNumber: 1, ETag: '"no"' }]), { name: 'InvalidPart' });
  await t.rejects(complete(Parts.toReversed()), { name: 'InvalidPartOrder' });
  const whole = createHash('md5');
  for (const half of halves) whole.update(createHash('md5').update(half).digest());
  t.equal((await complete(Parts)).ETag, `"${whole.digest('hex')}-2"`);
  t.match(await client.send(new HeadObjectCommand({ Bucket, Key })), {
    ContentLength: 120_005,
    Metadata: { mtime: '2' },
  });
  await t.rejects(client.send(new AbortMultipartUploadCommand({ Bucket, Key, UploadId })), { name: 'NoSuchUpload' });
});

test('wrong secrets, unknown keys, other regions, tokens and clocks are refused', async (t) => {
  const server = await serve(t);
  const temporary = { id: 'HST', secret: 'secret', token: 'to+k/en=' };
  const put = (key: AccessKey, more: S3ClientConfig = {}) =>
    clientOf(t, server, key, more).send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' }));
  await t.rejects(put({ ...OBS_KEY, secret: 'no' }), { name: 'SignatureDoesNotMatch' });
  await t.rejects(put(OBS_KEY, { region: 'cn-east-3' }), { name: 'AuthorizationHeaderMalformed' });
  await t.rejects(put(temporary), { name: 'InvalidAccessKeyId' });
  server.keys.set(temporary.id, temporary);
  await put(temporary);
  await t.rejects(put({ ...temporary, token: 'another' }), { name: 'InvalidToken' });
  server.keys.set(temporary.id, { ...temporary, expires: Date.now() });
  await t.rejects(put(temporary), { name: 'ExpiredToken' });
  await t.rejects(clientOf(t, server).send(new HeadObjectCommand({ Bucket: 'nobody', Key: 'a' })), {
    name: 'NotFound',
  });
  await t.rejects(clientOf(t, server).send(new GetObjectCommand({ Bucket: 'nobody', Key: 'a' })), {
    name: 'NoSuchBucket',
  });
  server.now = () => Date.now() - 16 * 60_000;
  await t.rejects(put(OBS_KEY), { name: 'RequestTimeTooSkewed' });
});

test('a body must be what its MD5 and its SHA-256 say; one in chunks of its own framing is not served', async (t) => {
  const server = await serve(t);
  const client = clientOf(t, server);
  const wrong = createHash('md5').update('other').digest('base64');
  await t.rejects(client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ContentMD5: wrong })), {
    name: 'BadDigest',
  });
  await t.rejects(client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x', ContentMD5: 'eA==' })), {
    name: 'InvalidDigest',
  });
  // What AWS's client does with a stream unless it is told not to.
  const framing = clientOf(t, server, OBS_KEY, { requestChecksumCalculation: 'WHEN_SUPPORTED' });
  const stream = new PutObjectCommand({ Bucket, Key: 'a', Body: Readable.from([Buffer.from('x')]), ContentLength: 1 });
  await t.rejects(framing.send(stream), { name: 'NotImplemented' });
  client.middlewareStack.add(
    (next) => (args) => {
      if (typeof args.request === 'object' && args.request !== null && 'body' in args.request) args.request.body = 'y';
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  await t.rejects(client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' })), {
    name: 'XAmzContentSHA256Mismatch',
  });
  t.equal(server.buckets.get(Bucket)?.objects.size, 0);
});

test('a header of AWS that is not signed is refused', async (t) => {
  const server = await serve(t);
  const client = clientOf(t, server);
  client.middlewareStack.add(
    (next) => (args) => {
      const { request } = args;
      if (typeof request === 'object' && request !== null && 'headers' in request)
        Object.assign(Object(request.headers), { 'x-amz-acl': 'public-read' });
      return next(args);
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  await t.rejects(client.send(new PutObjectCommand({ Bucket, Key: 'a', Body: 'x' })), {
    name: 'AccessDenied',
    HeadersNotSigned: 'x-amz-acl',
  });
});

/** OBS's own signature, as a client would make it: the string to sign written out by hand. */
function obsHeaders(stringToSign: string, headers: Readonly<Record<string, string>>): Record<string, string> {
  const signature = createHmac('sha1', OBS_KEY.secret).update(stringToSign).digest('base64');
  return { ...headers, authorization: `OBS ${OBS_KEY.id}:${signature}` };
}

test("OBS's own signature is taken for what was signed and for nothing else", async (t) => {
  const server = await serve(t);
  const url = `${server.endpoint}/training/a%20b`;
  const date = new Date().toUTCString();
  const md5 = createHash('md5').update('seven').digest('base64');
  const body = 'seven';
  const own = { 'content-md5': md5, 'content-type': 'text/plain', 'x-obs-date': date, 'x-obs-meta-mtime': '1.5' };
  const headers = obsHeaders(
    `PUT\n${md5}\ntext/plain\n\nx-obs-date:${date}\nx-obs-meta-mtime:1.5\n/training/a%20b`,
    own,
  );
  const put = (changed: Readonly<Record<string, string>>, to = url) =>
    send(to, { method: 'PUT', headers: { ...headers, ...changed }, body });
  t.match(await put({}), { status: 200 });
  const wrong = { status: 403, body: /SignatureDoesNotMatch/ };
  t.match(await put({ 'x-obs-meta-mtime': '2.5' }), wrong);
  t.match(await put({ 'x-obs-acl': 'public-read' }), wrong);
  t.match(await put({ 'content-type': 'text/html' }), wrong);
  t.match(await put({}, `${url}?acl`), wrong);
  t.match(await put({}, `${url}c`), wrong);
  t.match(await put({ host: 'other.obs.test' }), wrong);
  t.match(await send(url, { method: 'PUT', headers, body: 'eight' }), { status: 400, body: /BadDigest/ });
  t.match(await send(url), { status: 403, body: /AccessDenied/ });

  const read = obsHeaders(`GET\n\n\n${date}\n/training/a%20b?response-content-type=text/plain`, { date });
  t.match(await send(`${url}?response-content-type=text%2Fplain&x-other=1`, { headers: read }), { status: 200, body });
  // With the bucket before the host, the resource names it all the same.
  const hosted = obsHeaders(`GET\n\n\n${date}\n/training/a%20b`, { date, host: 'training.obs.test' });
  t.match(await send(`${server.endpoint}/a%20b`, { headers: hosted }), { status: 200, body });
  server.now = () => Date.now() + 16 * 60_000;
  t.match(await send(url, { headers: read }), { status: 403, body: /RequestTimeTooSkewed/ });
});

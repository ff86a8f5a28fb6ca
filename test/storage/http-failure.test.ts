import { once } from 'node:events';
import { createServer } from 'node:http';
import { request } from 'node:https';
import { test } from 'tap';
import { httpFailure, networkFailure } from '../../sdk/storage/http-failure.js';
import { PassingFailure } from '../../sdk/storage/retry.js';

const place = { doing: 'read', url: 's3://bucket/key', endpoint: 'https://user:secret@host' } as const;

test('an answer is told with what was done, where, the words of the server and what to do', (t) => {
  const failure = httpFailure({ ...place, status: 404, code: 'NoSuchBucket', message: 'It is\nnot there' });
  t.equal(
    failure.message,
    'cannot read s3://bucket/key: NoSuchBucket: It is not there (https://host, HTTP 404); check the name of the bucket and the endpoint',
  );
  t.end();
});

test('what a server says decides before its status does', (t) => {
  const cases: [number, string, string, boolean][] = [
    [404, 'NoSuchBucket', 'E_BUCKET', false],
    [404, 'NoSuchUpload', 'E_NO_UPLOAD', false],
    [404, 'NoSuchKey', 'E_NOT_FOUND', false],
    [403, 'SignatureDoesNotMatch', 'E_CREDENTIALS', false],
    [403, 'InvalidAccessKeyId', 'E_CREDENTIALS', false],
    [403, 'AccessDenied', 'E_DENIED', false],
    [403, 'RequestTimeTooSkewed', 'E_CLOCK', false],
    [400, 'ExpiredToken', 'E_EXPIRED', false],
    [400, 'BadDigest', 'E_CHECKSUM', true],
    [400, 'RequestTimeout', 'E_SERVER', true],
    [301, 'PermanentRedirect', 'E_REGION', false],
    [400, 'AuthorizationHeaderMalformed', 'E_REGION', false],
    [403, 'QuotaExceeded', 'E_NO_SPACE', false],
    [503, 'SlowDown', 'E_BUSY_STORE', true],
    [400, 'KeyTooLongError', 'E_HTTP', false],
  ];
  for (const [status, code, known, passes] of cases) {
    const failure = httpFailure({ ...place, status, code });
    t.equal(failure.code, known, code);
    t.equal(failure instanceof PassingFailure, passes, code);
  }
  t.end();
});

test('a status without words is understood', (t) => {
  const cases: [number, string, boolean][] = [
    [401, 'E_CREDENTIALS', false],
    [403, 'E_DENIED', false],
    [404, 'E_NOT_FOUND', false],
    [408, 'E_BUSY_STORE', true],
    [412, 'E_CHANGED', false],
    [418, 'E_HTTP', false],
    [429, 'E_BUSY_STORE', true],
    [500, 'E_SERVER', true],
    [503, 'E_BUSY_STORE', true],
    [507, 'E_NO_SPACE', false],
  ];
  for (const [status, known, passes] of cases) {
    const failure = httpFailure({ ...place, status });
    t.equal(failure.code, known, String(status));
    t.equal(failure instanceof PassingFailure, passes, String(status));
    t.match(failure.message, `HTTP ${status}`);
  }
  t.end();
});

test('Retry-After is seconds or a date', (t) => {
  const wait = (retryAfter: string): number | undefined => {
    const failure = httpFailure({ ...place, status: 503, retryAfter });
    return failure instanceof PassingFailure ? failure.waitMs : undefined;
  };
  t.equal(wait('7'), 7000);
  t.equal(wait('0'), 0);
  t.equal(wait(new Date(0).toUTCString()), 0);
  t.ok((wait(new Date(Date.now() + 3_600_000).toUTCString()) ?? 0) > 3_000_000);
  t.equal(wait('soon'), undefined);
  t.end();
});

test('a long page of a server is cut, and its control characters are gone', (t) => {
  const failure = httpFailure({ ...place, status: 500, message: `\u001B[31m${'x'.repeat(10_000)}` });
  t.ok(failure.message.length < 500);
  t.notMatch(failure.message, '\u001B');
  t.end();
});

test('a network says what is wrong with it, and which server it led to', (t) => {
  const cause = (code: string): Error => Object.assign(new Error(code), { code });
  const cases: [Error, string, boolean, RegExp][] = [
    [cause('ECONNREFUSED'), 'E_NETWORK', true, /the connection was refused/],
    [cause('ECONNRESET'), 'E_NETWORK', true, /the connection broke/],
    [cause('ETIMEDOUT'), 'E_NETWORK', true, /no answer in time/],
    [new AggregateError([cause('EHOSTUNREACH')]), 'E_NETWORK', true, /no way to that host/],
    [new Error('fetch failed', { cause: cause('EAI_AGAIN') }), 'E_NETWORK', true, /the name server does not answer/],
    [cause('ENOTFOUND'), 'E_HOST', false, /nobody knows the host/],
    [cause('SELF_SIGNED_CERT_IN_CHAIN'), 'E_CERTIFICATE', false, /NODE_EXTRA_CA_CERTS/],
  ];
  for (const [error, code, passes, message] of cases) {
    const failure = networkFailure({ ...place, cause: error });
    t.match(failure, { code, message }, code);
    t.match(failure.message, 'https://host');
    t.notMatch(failure.message, 'secret');
    t.equal(failure instanceof PassingFailure, passes, failure.message);
  }
  t.end();
});

test('a server without TLS is told from one that cannot be reached', async (t) => {
  const server = createServer((_request, response) => response.end());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const endpoint = `https://127.0.0.1:${address.port}`;
  const [cause] = await once(request(endpoint).end(), 'error');
  const failure = networkFailure({ ...place, endpoint, cause });
  t.match(failure.message, /127\.0\.0\.1:\d+ does not speak HTTPS; write http:\/\/ in the endpoint/);
  t.notOk(failure instanceof PassingFailure);
});

/** Where OSS is and with which keys, with servers of keys on loopback. */
import { createServer, type IncomingMessage } from 'node:http';
import { type Test, test } from 'tap';
import { RENEWAL_MARGIN_MS } from '../../sdk/storage/oss-keys.js';
import { ossSettings } from '../../sdk/storage/oss-settings.js';

const KEYS = { OSS_ACCESS_KEY_ID: 'id', OSS_ACCESS_KEY_SECRET: 'secret' };
const REGION = { OSS_REGION: 'cn-hangzhou' };

/** Somebody who answers; `answer` is asked for every request. */
async function serve(t: Test, answer: (asked: IncomingMessage) => string | number): Promise<string> {
  const server = createServer((request, response) => {
    const given = answer(request);
    response.writeHead(typeof given === 'number' ? given : 200).end(typeof given === 'number' ? '' : given);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`;
}

function issued(name: string, expires: number): string {
  return JSON.stringify({
    Code: 'Success',
    AccessKeyId: name,
    AccessKeySecret: `secret of ${name}`,
    SecurityToken: `token of ${name}`,
    Expiration: new Date(expires).toISOString(),
  });
}

test('endpoint and region tell each other', async (t) => {
  const home = t.testdir();
  const place = async (env: Record<string, string>) => {
    const { endpoint, region } = await ossSettings({ env: { ...KEYS, ...env }, home });
    return { endpoint, region };
  };
  const hangzhou = { endpoint: 'https://oss-cn-hangzhou.aliyuncs.com', region: 'cn-hangzhou' };
  t.same(await place({ OSS_REGION: 'cn-hangzhou' }), hangzhou);
  t.same(await place({ OSS_REGION: 'oss-cn-hangzhou' }), hangzhou);
  t.same(await place({ OSS_ENDPOINT: 'oss-cn-hangzhou.aliyuncs.com' }), hangzhou);
  t.same(await place({ OSS_ENDPOINT: 'http://oss-us-east-1-internal.aliyuncs.com/' }), {
    endpoint: 'http://oss-us-east-1-internal.aliyuncs.com',
    region: 'us-east-1',
  });
});

test('an endpoint of the file does not go with a region of the environment', async (t) => {
  const home = t.testdir({
    '.ossutilconfig': '[Credentials]\nendpoint=oss-cn-beijing.aliyuncs.com\nregion=cn-beijing\n',
  });
  const place = async (env: Record<string, string>) => {
    const { endpoint, region } = await ossSettings({ env: { ...KEYS, ...env }, home });
    return `${endpoint} ${region}`;
  };
  t.equal(await place({}), 'https://oss-cn-beijing.aliyuncs.com cn-beijing');
  t.equal(await place({ OSS_REGION: 'cn-hangzhou' }), 'https://oss-cn-hangzhou.aliyuncs.com cn-hangzhou');
  t.equal(await place({ OSS_ENDPOINT: 'oss-us-east-1.aliyuncs.com' }), 'https://oss-us-east-1.aliyuncs.com us-east-1');
  t.equal(await place({ OSS_ENDPOINT: 'http://10.0.0.1' }), 'http://10.0.0.1 cn-beijing');
});

test('what is missing or wrong about the place is told with its variables', async (t) => {
  const home = t.testdir();
  const settings = (env: Record<string, string>) => ossSettings({ env: { ...KEYS, ...env }, home });
  await t.rejects(settings({}), { code: 'E_REGION', message: /OSS_REGION.*OSS_ENDPOINT/ });
  await t.rejects(settings({ OSS_ENDPOINT: 'https://store.example' }), {
    code: 'E_REGION',
    message: /https:\/\/store\.example.*OSS_REGION/,
  });
  await t.rejects(settings({ OSS_ENDPOINT: 'https://a b' }), { code: 'E_ENDPOINT', message: /OSS_ENDPOINT/ });
  await t.rejects(settings({ ...REGION, OSS_ADDRESSING_STYLE: 'sideways' }), {
    code: 'E_ENDPOINT',
    message: /virtual, path or cname/,
  });
});

test('keys come from the environment before the file, and OSS variables before those of all Alibaba Cloud', async (t) => {
  const home = t.testdir({
    '.ossutilconfig':
      '[Credentials]\nlanguage=EN\naccessKeyID = filed\naccessKeySecret=filed secret\nregion=cn-beijing\n',
  });
  const keys = async (env: Record<string, string>) => (await ossSettings({ env, home })).keys();
  const cloud = {
    ALIBABA_CLOUD_ACCESS_KEY_ID: 'cloud',
    ALIBABA_CLOUD_ACCESS_KEY_SECRET: 'cloud secret',
    ALIBABA_CLOUD_SECURITY_TOKEN: 'cloud token',
  };
  t.same(await keys({ ...KEYS, ...cloud, OSS_SESSION_TOKEN: 'token' }), {
    accessKeyId: 'id',
    accessKeySecret: 'secret',
    stsToken: 'token',
  });
  t.same(await keys(cloud), { accessKeyId: 'cloud', accessKeySecret: 'cloud secret', stsToken: 'cloud token' });
  t.same(await keys({}), { accessKeyId: 'filed', accessKeySecret: 'filed secret', stsToken: undefined });
  t.equal((await ossSettings({ env: {}, home })).endpoint, 'https://oss-cn-beijing.aliyuncs.com');
  t.equal((await ossSettings({ env: REGION, home })).endpoint, 'https://oss-cn-hangzhou.aliyuncs.com');
});

test('the file of ossutil 2 is read too, and only its default section', async (t) => {
  const home = t.testdir({
    '.ossutilconfig':
      '# mine\n[profile other]\naccess-key-id=no\n[default]\naccess-key-id=mine\naccess_key_secret=my secret\nsts-token=my token\n' +
      'endpoint=https://store.example\nregion=cn-x\naddressing-style=path\n[profile more]\naccess-key-id=no\n',
  });
  const settings = await ossSettings({ env: {}, home });
  t.match(settings, { endpoint: 'https://store.example', region: 'cn-x', addressing: 'path' });
  t.same(await settings.keys(), { accessKeyId: 'mine', accessKeySecret: 'my secret', stsToken: 'my token' });
});

test('a file that cannot be read is no file that is not there', async (t) => {
  const home = t.testdir({ '.ossutilconfig': {} });
  await t.rejects(ossSettings({ env: { ...KEYS, ...REGION }, home }), {
    code: 'E_NOT_FILE',
    message: /\.ossutilconfig/,
  });
});

test('missing keys are told with the variables that would give them', async (t) => {
  const home = t.testdir();
  const names =
    /OSS_ACCESS_KEY_ID.*OSS_ACCESS_KEY_SECRET.*ALIBABA_CLOUD_CREDENTIALS_URI.*ALIBABA_CLOUD_ECS_METADATA.*\.ossutilconfig/;
  await t.rejects(ossSettings({ env: REGION, home }), { code: 'E_CREDENTIALS', message: names });
  await t.rejects(ossSettings({ env: { ...REGION, OSS_ACCESS_KEY_ID: 'id' }, home }), {
    code: 'E_CREDENTIALS',
    message: /OSS_ACCESS_KEY_ID is set and OSS_ACCESS_KEY_SECRET is not/,
  });
});

test('temporary keys are fetched once for all who ask, and again before they expire', async (t) => {
  let [given, now] = [0, 1_700_000_000_000];
  const uri = await serve(t, () => issued(`STS.${++given}`, now + 3_600_000));
  const { keys } = await ossSettings({
    env: { ...REGION, ALIBABA_CLOUD_CREDENTIALS_URI: `${uri}/keys` },
    home: t.testdir(),
    now: () => now,
  });
  const [one, other] = await Promise.all([keys(), keys()]);
  t.equal(one, other);
  t.equal(given, 1);
  now += 3_600_000 - RENEWAL_MARGIN_MS - 1;
  t.equal(await keys(), one);
  now += 1;
  t.same(await keys(), { accessKeyId: 'STS.2', accessKeySecret: 'secret of STS.2', stsToken: 'token of STS.2' });
  const held = await keys();
  const [renewed, same] = await Promise.all([keys(held), keys(held)]);
  t.equal(renewed.accessKeyId, 'STS.3', 'those that were refused are not given again');
  t.equal(renewed, same);
  t.equal(await keys(held), renewed, 'nor renewed twice for one refusal');
});

test('keys that still hold are used when new ones cannot be had, and not after', async (t) => {
  let [answer, now]: [string | number, number] = ['', 1_700_000_000_000];
  const uri = await serve(t, () => answer);
  const { keys } = await ossSettings({
    env: { ...REGION, ALIBABA_CLOUD_CREDENTIALS_URI: uri },
    home: t.testdir(),
    now: () => now,
  });
  answer = issued('STS.1', now + 600_000);
  const first = await keys();
  answer = 503;
  now += 599_999;
  t.equal(await keys(), first);
  await t.rejects(keys(first), { code: 'E_CREDENTIALS' }, 'but not when the server refused them');
  now += 1;
  await t.rejects(keys(), { code: 'E_CREDENTIALS', message: /HTTP 503.*ALIBABA_CLOUD_CREDENTIALS_URI/ });
});

test('an answer without keys is told, and what it holds is not', async (t) => {
  let answer: string | number = JSON.stringify({ AccessKeyId: 'STS.secret', AccessKeySecret: 'very secret' });
  const uri = await serve(t, () => answer);
  const { keys } = await ossSettings({
    env: { ...REGION, ALIBABA_CLOUD_CREDENTIALS_URI: `${uri}/keys?pass=hidden` },
    home: t.testdir(),
  });
  const error: unknown = await keys().catch((caught: unknown) => caught);
  t.match(error, { code: 'E_CREDENTIALS', message: /ALIBABA_CLOUD_CREDENTIALS_URI.*wrong: SecurityToken/ });
  t.notMatch(String(error), /secret"|very|hidden/);
  answer = '<html>';
  await t.rejects(keys(), { code: 'E_CREDENTIALS', message: /no JSON object/ });
  answer = 404;
  await t.rejects(keys(), { code: 'E_CREDENTIALS', message: /HTTP 404/ });
});

test('the role of an ECS machine gives keys to who shows a session of the metadata service', async (t) => {
  const asked: string[] = [];
  const metadata = await serve(t, ({ method, url, headers }) => {
    asked.push(`${method} ${url}`);
    if (method === 'PUT') return headers['x-aliyun-ecs-metadata-token-ttl-seconds'] === undefined ? 400 : 'session';
    return headers['x-aliyun-ecs-metadata-token'] === 'session' ? issued('STS.role', Date.now() + 3_600_000) : 403;
  });
  const { keys } = await ossSettings({
    env: { ...REGION, ALIBABA_CLOUD_ECS_METADATA: 'trainer' },
    home: t.testdir(),
    metadata,
  });
  t.equal((await keys()).accessKeyId, 'STS.role');
  t.same(asked, ['PUT /latest/api/token', 'GET /latest/meta-data/ram/security-credentials/trainer']);
});

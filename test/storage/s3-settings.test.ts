import { join } from 'node:path';
import { test } from 'tap';
import { s3Settings, settingsMark } from '../../sdk/storage/s3-settings.js';

const PLATFORM = { ACCESS_KEY_ID: 'id', SECRET_ACCESS_KEY: 'secret' };
const OPENI = 'https://obs.cn-south-222.ai.pcl.cn';

test("the platform's variables say where and with which keys", async (t) => {
  const env = { ...PLATFORM, S3_ENDPOINT: 'http://10.1.2.3:9000/', SECURITY_TOKEN: 'token' };
  t.same(await s3Settings('s3', { env }), {
    endpoint: 'http://10.1.2.3:9000',
    region: 'us-east-1',
    keys: { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: 'token' },
    addressing: 'path',
    isObs: false,
  });
});

test('keys may end with a line break, as what was read out of a file does', async (t) => {
  const env = {
    S3_ENDPOINT: 'http://minio',
    ACCESS_KEY_ID: 'id\n',
    SECRET_ACCESS_KEY: ' secret\r\n',
    SECURITY_TOKEN: '\n',
  };
  const { keys } = await s3Settings('s3', { env });
  t.same(keys, { accessKeyId: 'id', secretAccessKey: 'secret', sessionToken: undefined });
});

test('an endpoint without a scheme is HTTPS, unless S3_USE_HTTPS is 0', async (t) => {
  const endpoint = async (S3_ENDPOINT: string, S3_USE_HTTPS?: string): Promise<string | undefined> =>
    (await s3Settings('s3', { env: { ...PLATFORM, S3_ENDPOINT, S3_USE_HTTPS } })).endpoint;
  t.equal(await endpoint('minio:9000'), 'https://minio:9000');
  t.equal(await endpoint('minio:9000', '1'), 'https://minio:9000');
  t.equal(await endpoint('minio:9000', '0'), 'http://minio:9000');
  t.equal(await endpoint('https://minio:9000', '0'), 'https://minio:9000');
  t.equal(await endpoint('[::1]:9000', '0'), 'http://[::1]:9000');
});

test("OpenI's endpoint is OBS: its region is in its name, and buckets stand before the host", async (t) => {
  const found = await s3Settings('s3', { env: { ...PLATFORM, S3_ENDPOINT: OPENI } });
  t.match(found, { endpoint: OPENI, region: 'cn-south-222', addressing: 'virtual', isObs: true });
});

test('what a name does not say, a variable does', async (t) => {
  const env = { ...PLATFORM, S3_ENDPOINT: OPENI, S3_REGION: 'here', S3_ADDRESSING_STYLE: 'path' };
  t.match(await s3Settings('s3', { env }), { region: 'here', addressing: 'path' });
  const { region } = await s3Settings('s3', { env: { ...PLATFORM, S3_ENDPOINT: 'minio', AWS_REGION: 'eu-west-1' } });
  t.equal(region, 'eu-west-1');
});

test("Amazon's variables serve where the platform gives no endpoint, or no keys", async (t) => {
  const aws = { AWS_ACCESS_KEY_ID: 'aws', AWS_SECRET_ACCESS_KEY: 'hidden', AWS_SESSION_TOKEN: 'session' };
  const minio = await s3Settings('s3', { env: { ...aws, S3_ENDPOINT: 'minio' } });
  t.same(minio.keys, { accessKeyId: 'aws', secretAccessKey: 'hidden', sessionToken: 'session' });
  // Without an endpoint the SDK looks for keys itself: in more places than variables.
  t.same(await s3Settings('s3', { env: aws }), {
    endpoint: undefined,
    region: undefined,
    addressing: 'virtual',
    isObs: false,
  });
  t.match(await s3Settings('s3', { env: { ...aws, AWS_ENDPOINT_URL: 'http://localhost:9000' } }), {
    endpoint: 'http://localhost:9000',
    addressing: 'path',
  });
  const env = { ...aws, AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_S3: 'http://s3' };
  t.equal((await s3Settings('s3', { env })).endpoint, 'http://s3');
});

test("Huawei's variables come before its file, and both before the platform's", async (t) => {
  const home = t.testdir({
    '.obsutilconfig': 'endpoint=obs.cn-east-3.myhuaweicloud.com\nak = file\nsk=in the file\ntoken=\nretries=3\n',
  });
  const OBS = {
    OBS_ENDPOINT: 'obs.cn-north-4.myhuaweicloud.com',
    OBS_ACCESS_KEY_ID: 'obs',
    OBS_SECRET_ACCESS_KEY: 'hidden',
    OBS_SECURITY_TOKEN: 'token',
  };
  const env = { ...PLATFORM, S3_ENDPOINT: OPENI };
  t.same(await s3Settings('obs', { env: { ...env, ...OBS }, home }), {
    endpoint: 'https://obs.cn-north-4.myhuaweicloud.com',
    region: 'cn-north-4',
    keys: { accessKeyId: 'obs', secretAccessKey: 'hidden', sessionToken: 'token' },
    addressing: 'virtual',
    isObs: true,
  });
  t.match(await s3Settings('obs', { env, home }), {
    endpoint: 'https://obs.cn-east-3.myhuaweicloud.com',
    region: 'cn-east-3',
    keys: { accessKeyId: 'file', secretAccessKey: 'in the file', sessionToken: undefined },
  });
  t.match(await s3Settings('obs', { env, home: join(home, 'none') }), {
    endpoint: OPENI,
    keys: { accessKeyId: 'id', secretAccessKey: 'secret' },
  });
  // A file's keys for the variable's endpoint.
  const { endpoint, keys } = await s3Settings('obs', { env: { OBS_ENDPOINT: 'http://10.0.0.1' }, home });
  t.equal(endpoint, 'http://10.0.0.1');
  t.equal(keys?.accessKeyId, 'file');
});

test('what is missing is named by its variables, and nothing secret is told', async (t) => {
  const home = t.testdir();
  const cases: ['s3' | 'obs', Record<string, string>, string, RegExp][] = [
    [
      's3',
      { S3_ENDPOINT: 'http://minio:9000' },
      'E_CREDENTIALS',
      /http:\/\/minio:9000.*ACCESS_KEY_ID.*SECRET_ACCESS_KEY/,
    ],
    ['s3', { S3_ENDPOINT: 'minio', SECRET_ACCESS_KEY: 'hidden' }, 'E_CREDENTIALS', /ACCESS_KEY_ID/],
    ['s3', { ...PLATFORM, S3_ENDPOINT: 'http://a b' }, 'E_ENDPOINT', /S3_ENDPOINT http:\/\/a b/],
    [
      's3',
      { ...PLATFORM, S3_ENDPOINT: 'minio', S3_ADDRESSING_STYLE: 'auto' },
      'E_ENDPOINT',
      /S3_ADDRESSING_STYLE.*auto/,
    ],
    ['s3', { AWS_ENDPOINT_URL: 'http://' }, 'E_ENDPOINT', /AWS_ENDPOINT_URL/],
    ['obs', {}, 'E_ENDPOINT', /OBS_ENDPOINT.*\.obsutilconfig/],
    [
      'obs',
      { OBS_ENDPOINT: 'obs.cn-north-4.myhuaweicloud.com' },
      'E_CREDENTIALS',
      /OBS_ACCESS_KEY_ID.*\.obsutilconfig/,
    ],
  ];
  for (const [scheme, env, code, message] of cases) {
    await t.rejects(s3Settings(scheme, { env, home }), { code, message }, JSON.stringify(env));
    await s3Settings(scheme, { env, home }).catch((error: Error) => t.notMatch(error.message, 'hidden'));
  }
});

test('a file that cannot be read is an error', async (t) => {
  const home = t.testdir({ '.obsutilconfig': {} });
  await t.rejects(s3Settings('obs', { env: {}, home }), { code: 'E_NOT_FILE', message: '.obsutilconfig' });
});

test('the mark changes with each variable that matters, and with no other', (t) => {
  const before = settingsMark({ S3_ENDPOINT: 'a' });
  t.equal(settingsMark({ S3_ENDPOINT: 'a', EDITOR: 'vi' }), before);
  for (const name of ['SECURITY_TOKEN', 'OBS_ACCESS_KEY_ID', 'AWS_PROFILE', 'S3_USE_HTTPS', 'AWS_SESSION_TOKEN']) {
    t.not(settingsMark({ S3_ENDPOINT: 'a', [name]: 'b' }), before, name);
  }
  t.end();
});

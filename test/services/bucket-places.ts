/** Buckets of object stores as places to copy from and to: OSS and OBS on servers of our own. */
import type { Test } from 'tap';
import type { AccessKey } from './access-keys.js';
import type { FaultProxy, Passing } from './fault-proxy.js';
import type { ObjectServer } from './object-server.js';
import { xml } from './object-xml.js';
import { OBS_KEY, startObsServer } from './obs-server.js';
import { OSS_KEY, startOssServer } from './oss-server.js';
import { ALL_BUT_DELETE, proxyTo, type TestPlace, TOKEN, WRITING, withAnswer } from './place.js';

export async function ossPlace(t: Test): Promise<TestPlace> {
  const server = await startOssServer({ keys: [{ ...OSS_KEY, token: TOKEN }] });
  t.teardown(() => server.close());
  const proxy = await proxyTo(t, server.endpoint);
  const refusals = { ...refusalsOf(server, proxy), E_CLOCK: () => withClock(server) };
  const env = {
    OSS_ENDPOINT: proxy.url,
    OSS_REGION: server.region,
    OSS_ADDRESSING_STYLE: 'path',
    OSS_ACCESS_KEY_ID: OSS_KEY.id,
    OSS_ACCESS_KEY_SECRET: OSS_KEY.secret,
    OSS_SESSION_TOKEN: TOKEN,
  };
  return bucketPlace(server, proxy, { name: 'oss', refusals, env });
}

/** OBS, on a server of our own. Its client sets its clock by the server's, so that a wrong one is no refusal. */
export async function obsPlace(t: Test): Promise<TestPlace> {
  const server = await startObsServer({ keys: [{ ...OBS_KEY, token: TOKEN }] });
  t.teardown(() => server.close());
  const proxy = await proxyTo(t, server.endpoint);
  const env = {
    OBS_ENDPOINT: proxy.url,
    OBS_REGION: server.region,
    OBS_ACCESS_KEY_ID: OBS_KEY.id,
    OBS_SECRET_ACCESS_KEY: OBS_KEY.secret,
    OBS_SECURITY_TOKEN: TOKEN,
  };
  return bucketPlace(server, proxy, { name: 'obs', refusals: refusalsOf(server, proxy), env });
}

function bucketPlace(
  server: ObjectServer,
  proxy: FaultProxy,
  own: Pick<TestPlace, 'name' | 'refusals' | 'env'>,
): TestPlace {
  const [[bucketName, bucket]] = server.buckets;
  return {
    ...own,
    proxy,
    leastPart: 100 * 1024,
    takes: () => true,
    isContent: isObject,
    isPart: isPartOfObject,
    url: (folder) => `${own.name}://${bucketName}/${folder}`,
    async look(folder) {
      const below = [...bucket.objects].filter(([key]) => key.startsWith(`${folder}/`) && !key.endsWith('/'));
      return new Map(below.map(([key, { data }]) => [key.slice(folder.length + 1), data]));
    },
    begun: async (folder) => [...bucket.uploads.values()].map(({ key }) => key).filter((key) => key.startsWith(folder)),
    async remove(folder) {
      for (const key of bucket.objects.keys()) if (key.startsWith(`${folder}/`)) bucket.delete(key);
    },
  };
}

function refusalsOf(server: ObjectServer, proxy: FaultProxy): TestPlace['refusals'] {
  return {
    E_EXPIRED: () => withKeys(server, (key) => ({ ...key, expires: 0 })),
    E_CREDENTIALS: () => withKeys(server, (key) => ({ ...key, secret: 'another' })),
    E_DENIED: () => withAnswer(proxy, ALL_BUT_DELETE, xml('Error', { Code: 'AccessDenied', Message: 'it is so' })),
    E_NO_SPACE: () => withAnswer(proxy, WRITING, xml('Error', { Code: 'QuotaExceeded', Message: 'it is so' })),
  };
}

function withClock(server: ObjectServer): () => void {
  server.now = () => Date.now() + 3_600_000;
  return () => {
    server.now = Date.now;
  };
}

function withKeys({ keys }: ObjectServer, change: (key: AccessKey) => AccessKey): () => void {
  const before = [...keys.values()];
  for (const key of before) keys.set(key.id, change(key));
  return () => {
    for (const key of before) keys.set(key.id, key);
  };
}

/** Whether a request reads an object. */
export const isObject = ({ method, url }: Passing): boolean =>
  method === 'GET' && /^\/[^/?]+\/[^?]/.test(url) && !url.includes('uploadId=');
/** Whether a request brings a part of one. */
export const isPartOfObject = ({ method, url }: Passing): boolean => method === 'PUT' && url.includes('partNumber=');

/** Places that tests copy from and to: what is tested reaches them through a fault proxy, the test sees them directly. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { isPartial } from '../../sdk/base/files.js';
import { copyParallel } from '../../sdk/storage/copy.js';
import { LEAST_PART } from '../../sdk/storage/store.js';
import type { AccessKey } from './access-keys.js';
import { type FaultProxy, faultProxy, type Passing } from './fault-proxy.js';
import type { ObjectServer } from './object-server.js';
import { xml } from './object-xml.js';
import { OBS_KEY, startObsServer } from './obs-server.js';
import { OSS_KEY, startOssServer } from './oss-server.js';
import type { Tree } from './random-tree.js';
import { startWebHdfs } from './webhdfs.js';

export interface TestPlace {
  readonly name: string;
  /** What is between; undefined for a disk. */
  readonly proxy: FaultProxy | undefined;
  /** Environment variables by which it is found. */
  readonly env: Readonly<Record<string, string>>;
  /** The fewest bytes that a part may have there. */
  readonly leastPart: number;
  /** Whether it takes a file of this name. */
  takes(name: string): boolean;
  /** Whether the answer to a request is what a file holds. */
  isContent(request: Passing): boolean;
  /** Whether a request brings a part of a file. */
  isPart(request: Passing): boolean;
  url(folder: string): string;
  /** The files that have their final names. */
  look(folder: string): Promise<Tree>;
  /** What is begun there and neither finished nor given up. */
  begun(folder: string): Promise<readonly string[]>;
  remove(folder: string): Promise<void>;
  /** What it may refuse for good, by the code that people see: from when this is called until what it returns is called. */
  readonly refusals: Readonly<Record<string, () => () => void>>;
  close(): Promise<void>;
}

/** A folder of this machine. */
export function diskPlace(root: string): TestPlace {
  const files = (folder: string): string[] => {
    mkdirSync(join(root, folder), { recursive: true });
    const items = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    return items.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name).slice(root.length + 1));
  };
  return {
    name: 'disk',
    proxy: undefined,
    env: {},
    leastPart: LEAST_PART,
    takes: () => true,
    isContent: () => false,
    isPart: () => false,
    url: (folder) => join(root, folder),
    async look(folder) {
      const whole = files(folder).filter((path) => !isPartial(path));
      return new Map(whole.map((path) => [path.slice(folder.length + 1), readFileSync(join(root, path))]));
    },
    begun: async (folder) => files(folder).filter(isPartial),
    remove: async (folder) => rmSync(join(root, folder), { recursive: true, force: true }),
    refusals: {},
    close: async () => {},
  };
}

/** HDFS, on a server of our own. */
export async function hdfsPlace(t: Test): Promise<TestPlace> {
  const tokens: Record<string, string> = { [TOKEN]: 'hdfs' };
  const { address, files } = await startWebHdfs(t, { tokens });
  const proxy = await faultProxy(`http://${address}`);
  const { look, begun, remove } = diskPlace(files.root);
  const refusal = (status: number, exception: string) => () =>
    withAnswer(proxy, status, JSON.stringify({ RemoteException: { exception, message: 'it is so' } }));
  return {
    name: 'hdfs',
    proxy,
    env: { WEBHDFS_ENDPOINT: proxy.url, HADOOP_TOKEN: TOKEN },
    leastPart: LEAST_PART,
    // Real HDFS takes none.
    takes: (name) => !name.includes(':'),
    isContent: ({ url }) => /[?&]op=OPEN\b/.test(url),
    isPart: ({ url, bytes }) => bytes > 0 && /[?&]op=(CREATE|APPEND)\b/.test(url),
    url: (folder) => `hdfs://cluster/${folder}`,
    look,
    begun,
    remove,
    refusals: {
      E_EXPIRED() {
        delete tokens[TOKEN];
        return () => {
          tokens[TOKEN] = 'hdfs';
        };
      },
      E_DENIED: refusal(403, 'AccessControlException'),
      E_NO_SPACE: refusal(403, 'DSQuotaExceededException'),
    },
    close: () => proxy.close(),
  };
}

/** OSS, on a server of our own. */
export async function ossPlace(): Promise<TestPlace> {
  const server = await startOssServer({ keys: [{ ...OSS_KEY, token: TOKEN }] });
  const proxy = await faultProxy(server.endpoint);
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
export async function obsPlace(): Promise<TestPlace> {
  const server = await startObsServer({ keys: [{ ...OBS_KEY, token: TOKEN }] });
  const proxy = await faultProxy(server.endpoint);
  const env = {
    OBS_ENDPOINT: proxy.url,
    OBS_REGION: server.region,
    OBS_ACCESS_KEY_ID: OBS_KEY.id,
    OBS_SECRET_ACCESS_KEY: OBS_KEY.secret,
    OBS_SECURITY_TOKEN: TOKEN,
  };
  return bucketPlace(server, proxy, { name: 'obs', refusals: refusalsOf(server, proxy), env });
}

const TOKEN = 'any-test-token';

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
    isContent: ({ method, url }) => method === 'GET' && /^\/[^/?]+\/[^?]/.test(url) && !url.includes('uploadId='),
    isPart: ({ method, url }) => method === 'PUT' && url.includes('partNumber='),
    url: (folder) => `${own.name}://${bucketName}/${folder}`,
    async look(folder) {
      const below = [...bucket.objects].filter(([key]) => key.startsWith(`${folder}/`) && !key.endsWith('/'));
      return new Map(below.map(([key, { data }]) => [key.slice(folder.length + 1), data]));
    },
    begun: async (folder) => [...bucket.uploads.values()].map(({ key }) => key).filter((key) => key.startsWith(folder)),
    async remove(folder) {
      for (const key of bucket.objects.keys()) if (key.startsWith(`${folder}/`)) bucket.delete(key);
    },
    async close() {
      await proxy.close();
      await server.close();
    },
  };
}

function refusalsOf(server: ObjectServer, proxy: FaultProxy): TestPlace['refusals'] {
  return {
    E_EXPIRED: () => withKeys(server, (key) => ({ ...key, expires: 0 })),
    E_CREDENTIALS: () => withKeys(server, (key) => ({ ...key, secret: 'another' })),
    E_DENIED: () => withAnswer(proxy, 403, xml('Error', { Code: 'AccessDenied', Message: 'it is so' })),
    E_NO_SPACE: () => withAnswer(proxy, 403, xml('Error', { Code: 'QuotaExceeded', Message: 'it is so' })),
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

/** What servers say that ours have no reason to. */
function withAnswer(proxy: FaultProxy, status: number, body: string): () => void {
  const before = proxy.plan;
  const type = body.startsWith('{') ? 'application/json' : 'application/xml';
  proxy.plan = () => ({ kind: 'answer', status, headers: { 'Content-Type': type }, body });
  return () => {
    proxy.plan = before;
  };
}

/** Puts files of this time into a place, whatever place that is, those larger than `partSize` in parts. */
export async function fill(
  place: TestPlace,
  folder: string,
  tree: Tree,
  { partSize, modified = Date.now() }: { readonly partSize?: number | undefined; readonly modified?: number } = {},
): Promise<void> {
  if (place.proxy === undefined) {
    writeTree(place.url(folder), tree, modified);
    return;
  }
  if (tree.size === 0) return;
  const root = mkdtempSync(join(tmpdir(), 'mindts-tree-'));
  writeTree(root, tree, modified);
  await copyParallel(root, place.url(folder), { partSize });
  rmSync(root, { recursive: true });
}

function writeTree(root: string, tree: Tree, modified: number): void {
  for (const [name, data] of tree) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
    utimesSync(path, modified / 1000, modified / 1000);
  }
}

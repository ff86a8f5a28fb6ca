/** What must be so in all stores alike: the same test on each. */
import tap, { type Test, test } from 'tap';
import type { ObjectServer } from '../services/object-server.js';
import { OSS_KEY, startOssServer } from '../services/oss-server.js';
import { noSwift, type Swift, startSwift } from '../services/swift.js';
import { startWebHdfs } from '../services/webhdfs.js';

export interface Ground {
  /** The URL of an empty folder, without a `/` at its end. */
  readonly root: string;
  readonly isLocal: boolean;
}

/** Runs a test on an empty local folder, and on empty folders of OSS, HDFS and, where there is one, a real S3 server. */
export function onEach(
  title: string,
  run: (t: Test, ground: Ground) => Promise<void>,
  { asksMuch = false }: { readonly asksMuch?: boolean } = {},
): void {
  test(`${title} (local)`, (t) => run(t, { root: t.testdir(), isLocal: true }));
  test(`${title} (oss)`, async (t) => {
    await objectStore();
    await run(t, { root: `oss://training/${++grounds}`, isLocal: false });
  });
  test(`${title} (hdfs)`, async (t) => {
    const { address } = await startWebHdfs(t);
    await run(t, { root: `webhdfs://hdfs@${address}/${++grounds}`, isLocal: false });
  });
  test(`${title} (s3)`, { skip: asksMuch ? 'it asks too much of a slow server' : noSwift }, async (t) => {
    await swift();
    await run(t, { root: `s3://training/${++grounds}`, isLocal: false });
  });
}

/** Makes oss://training a bucket on loopback, for this process and what it starts. */
export function objectStore(): Promise<ObjectServer> {
  server ??= start();
  return server;
}

/** All that an iterator yields. */
export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

let server: Promise<ObjectServer> | undefined;
let grounds = 0;

let s3: Promise<Swift> | undefined;

function swift(): Promise<Swift> {
  s3 ??= startS3();
  return s3;
}

async function startS3(): Promise<Swift> {
  const started = await startSwift();
  tap.teardown(() => started.stop());
  await started.makeBucket('training');
  process.env['S3_ENDPOINT'] = started.endpoint;
  process.env['ACCESS_KEY_ID'] = started.accessKey;
  process.env['SECRET_ACCESS_KEY'] = started.secretKey;
  return started;
}

async function start(): Promise<ObjectServer> {
  const started = await startOssServer();
  tap.teardown(() => started.close());
  process.env['OSS_ENDPOINT'] = started.endpoint;
  process.env['OSS_REGION'] = started.region;
  process.env['OSS_ACCESS_KEY_ID'] = OSS_KEY.id;
  process.env['OSS_ACCESS_KEY_SECRET'] = OSS_KEY.secret;
  return started;
}

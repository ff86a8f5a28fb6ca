/** What must be so on this machine's disk and in an object store alike: the same test on both. */
import tap, { type Test, test } from 'tap';
import type { ObjectServer } from '../services/object-server.js';
import { OSS_KEY, startOssServer } from '../services/oss-server.js';

export interface Ground {
  /** The URL of an empty folder, without a `/` at its end. */
  readonly root: string;
  readonly isLocal: boolean;
}

/** Runs a test on an empty local folder and on an empty folder of an object store. */
export function onBoth(title: string, run: (t: Test, ground: Ground) => Promise<void>): void {
  test(`${title} (local)`, (t) => run(t, { root: t.testdir(), isLocal: true }));
  test(`${title} (oss)`, async (t) => {
    await objectStore();
    await run(t, { root: `oss://training/${++grounds}`, isLocal: false });
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

async function start(): Promise<ObjectServer> {
  const started = await startOssServer();
  tap.teardown(() => started.close());
  process.env['OSS_ENDPOINT'] = started.endpoint;
  process.env['OSS_REGION'] = started.region;
  process.env['OSS_ACCESS_KEY_ID'] = OSS_KEY.id;
  process.env['OSS_ACCESS_KEY_SECRET'] = OSS_KEY.secret;
  return started;
}

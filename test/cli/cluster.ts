/** The stores of OpenI's clusters on loopback, filled as the platform fills them: Qizhi's with what was unzipped, C2Net's with archives. */
import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { unpack } from '../../sdk/archive/unpack.js';
import { packageRoot } from '../../sdk/base/package.js';
import { mnist } from '../../sdk/dataset/mnist.js';
import { OBS_KEY, startObsServer } from '../services/obs-server.js';
import { type Ended, run } from './command.js';

export interface Cluster {
  readonly root: string;
  /** Which data set it is, for the test's report. */
  readonly set: string;
  /** Images of its test set. */
  readonly tests: number;
  readonly env: Readonly<Record<string, string>>;
  /** What its servers were asked: `GET /bucket/key 200`. */
  readonly asked: readonly string[];
  /** What lies in a bucket under a prefix, by its key. */
  objects(bucket: string, prefix?: string): Map<string, Buffer>;
  put(bucket: string, key: string, file: string): Promise<void>;
  /** Runs a command with the platform's variables; `machine` stands for a container of its own. */
  mindts(args: readonly string[], options?: { machine?: string; env?: Record<string, string> }): Promise<Ended>;
}

/** Buckets `qizhi`, with `dataset/MNISTData/` unzipped, and `grampus`, with `dataset/MNISTData.zip`. */
export async function startCluster(t: Test, { real = false } = {}): Promise<Cluster> {
  const root = t.testdir();
  const server = await startObsServer({ buckets: ['qizhi', 'grampus'], region: 'us-east-1' });
  t.teardown(() => server.close());
  const env = {
    S3_ENDPOINT: server.endpoint,
    S3_USE_HTTPS: '0',
    ACCESS_KEY_ID: OBS_KEY.id,
    SECRET_ACCESS_KEY: OBS_KEY.secret,
  };
  const [set, zip] = [join(root, 'set'), join(root, 'MNISTData.zip')];
  const archive = join(packageRoot, '../shared/data/MNISTData.zip');
  const isReal = real && existsSync(archive);
  if (isReal) await unpack(archive, set);
  else await writeDigits(set, { train: 2000, test: 300 });
  await makeZip(set, zip);

  const cluster: Cluster = {
    root,
    set: isReal ? 'MNIST' : 'small digits',
    tests: (await mnist(existsSync(join(set, 'MNISTData')) ? join(set, 'MNISTData') : set, { split: 'test' })).size,
    env,
    asked: server.asked,
    objects(bucket, prefix = '') {
      const all = [...(server.buckets.get(bucket)?.objects ?? [])];
      return new Map(
        all
          .filter(([key]) => key.startsWith(prefix))
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([key, { data }]) => [key, Buffer.from(data)]),
      );
    },
    async put(bucket, key, file) {
      const copied = await cluster.mindts(['fs', 'cp', '-r', file, `s3://${bucket}/${key}`]);
      t.equal(copied.code, 0, copied.stderr);
    },
    mindts: (args, { machine = 'machine', env: more = {} } = {}) =>
      run(args, { cache: join(root, machine), env: { ...env, ...more } }),
  };
  await cluster.put('qizhi', 'dataset/MNISTData/', set);
  const copied = await cluster.mindts(['fs', 'cp', zip, 's3://grampus/dataset/MNISTData.zip']);
  t.equal(copied.code, 0, copied.stderr);
  return cluster;
}

/** A list as the platform writes it. */
export function listOf(kind: 'dataset' | 'model', entries: Readonly<Record<string, string>>): string {
  return JSON.stringify(
    Object.entries(entries).map(([name, url]) => ({ [`${kind}_url`]: url, [`${kind}_name`]: name })),
  );
}

/** Writes a file and says where. */
export async function fileAt(folder: string, name: string, content: string | Uint8Array): Promise<string> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, name), content);
  return join(folder, name);
}

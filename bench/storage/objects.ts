/** Races to and from an object store, a Swift server on loopback, beside rclone. */
import { join } from 'node:path';
import { storeFor } from '../../sdk/storage/stores.js';
import { joinUrl } from '../../sdk/storage/url.js';
import type { Swift } from '../../test/services/swift.js';
import { measured } from './child.js';
import { nameOf, sha256, shown, type Tree, writeTree } from './content.js';
import { amountOf, megabytes, onDisk, ours, peer } from './local.js';
import type { Race } from './race.js';
import type { Sizes } from './sizes.js';

/** By the names that `--only` and `--json` use; files lie below a folder, objects in a bucket that must exist. */
export function objectRaces(folder: string, swift: Swift, { large, small }: Sizes): Readonly<Record<string, Race>> {
  const env = oursAt(swift.endpoint, swift);
  const rclone = (from: string, to: string) =>
    peer('rclone', ['copy', '--transfers', '16', from, to], rcloneAt(swift.endpoint, swift));

  function up(name: string, tree: Tree): Race {
    const source = join(folder, name);
    return {
      title: `${amountOf(tree)} up to S3`,
      ...unitOf(tree),
      atLeast: 1,
      peer: 'rclone',
      prepare: () => writeTree(source, tree, name),
      destination: (run) => `${BUCKET_URL}/${name}-${run}`,
      ours: (to) => ours(source, to, env),
      theirs: (to) => rclone(source, forRclone(to)),
      found: objectCensus,
      clear: async (to) => (await storeFor(to)).remove(to),
    };
  }
  /** Each fetches what it put there itself: of a file in parts each knows the checksum of its own alone, and holds the copy against it. */
  function down(name: string, tree: Tree): Race {
    const source = join(folder, `${name}-source`);
    const [place, theirPlace] = ['source', 'rclone'].map((whose) => `${BUCKET_URL}/${name}-${whose}`);
    return {
      ...onDisk(join(folder, `${name}-down`)),
      title: `${amountOf(tree)} down from S3`,
      ...unitOf(tree),
      atLeast: 1,
      peer: 'rclone',
      async prepare() {
        const expected = await writeTree(source, tree, name);
        await measured(ours(source, place, env));
        const theirs = rclone(source, forRclone(theirPlace));
        if (theirs !== undefined) await measured(theirs);
        return expected;
      },
      ours: (to) => ours(place, to, env),
      theirs: (to) => rclone(forRclone(theirPlace), to),
    };
  }
  return {
    up_large: up('large', large),
    down_large: down('large', large),
    up_small: up('small', small),
    down_small: down('small', small),
  };
}

function unitOf(tree: Tree): Pick<Race, 'unit' | 'amount'> {
  return tree.files === 1 ? { unit: 'MB/s', amount: megabytes(tree) } : { unit: 'files/s', amount: tree.files };
}

export const BUCKET = 'bench';
export const BUCKET_URL = `s3://${BUCKET}`;

interface Keys {
  readonly accessKey: string;
  readonly secretKey: string;
}

/** What tells ours where to go. */
export function oursAt(endpoint: string, { accessKey, secretKey }: Keys): Readonly<Record<string, string>> {
  return {
    AWS_ENDPOINT_URL: endpoint,
    AWS_ACCESS_KEY_ID: accessKey,
    AWS_SECRET_ACCESS_KEY: secretKey,
    AWS_REGION: 'us-east-1',
  };
}

/** The same for rclone; besides that, and `--transfers`, all is as it is by default: parts of 5 MiB, four of a file at once, V4 signatures. */
export function rcloneAt(endpoint: string, { accessKey, secretKey }: Keys): Readonly<Record<string, string>> {
  return {
    // No file in anybody's home is read.
    RCLONE_CONFIG: '/notfound',
    RCLONE_S3_PROVIDER: 'Other',
    RCLONE_S3_ENDPOINT: endpoint,
    RCLONE_S3_FORCE_PATH_STYLE: 'true',
    RCLONE_S3_ACCESS_KEY_ID: accessKey,
    RCLONE_S3_SECRET_ACCESS_KEY: secretKey,
    RCLONE_S3_REGION: 'us-east-1',
    // rclone 1.60 stops where there is one; the server is on loopback, without TLS.
    AWS_CA_BUNDLE: '',
  };
}

/** `s3://bucket/key` as rclone says it. */
export function forRclone(url: string): string {
  return url.replace('s3://', ':s3:');
}

/** As `census` says it of a folder. */
export async function objectCensus(url: string): Promise<string> {
  const store = await storeFor(url);
  let [files, bytes] = [0, 0];
  for await (const { size } of store.list(url)) {
    files++;
    bytes += size;
  }
  return shown(files, bytes, await sha256(store.read(joinUrl(url, nameOf(0)))));
}

/** OpenStack Swift, by its S3 interface, as a place to copy from and to. */
import { buffer } from 'node:stream/consumers';
import type { Test } from 'tap';
import { s3StoreWith } from '../../sdk/storage/s3.js';
import { s3Client } from '../../sdk/storage/s3-client.js';
import { s3Connection } from '../../sdk/storage/s3-connection.js';
import { s3Settings } from '../../sdk/storage/s3-settings.js';
import { joinUrl } from '../../sdk/storage/url.js';
import { isObject, isPartOfObject } from './bucket-places.js';
import { proxyTo, type TestPlace } from './place.js';
import type { Tree } from './random-tree.js';
import { startSwift } from './swift.js';

export async function swiftPlace(t: Test): Promise<TestPlace> {
  const swift = await startSwift();
  t.teardown(() => swift.stop());
  await swift.makeBucket('training');
  const proxy = await proxyTo(t, swift.endpoint);
  const env = { S3_ENDPOINT: proxy.url, ACCESS_KEY_ID: swift.accessKey, SECRET_ACCESS_KEY: swift.secretKey };
  // Not through the proxy; what was seen once is not read again.
  const direct = s3StoreWith('s3', () => s3Settings('s3', { env: { ...env, S3_ENDPOINT: swift.endpoint } }));
  const seen = new Map<string, Buffer>();
  const urlOf = (folder: string): string => `s3://training/${folder}`;
  async function look(folder: string): Promise<Tree> {
    const files = new Map<string, Buffer>();
    if ((await direct.stat(`${urlOf(folder)}/`)) === undefined) return files;
    for await (const { name, version, modified } of direct.list(urlOf(folder))) {
      const key = `${folder}/${name} ${version} ${modified}`;
      const data = seen.get(key) ?? (await buffer(direct.read(joinUrl(urlOf(folder), name))));
      seen.set(key, data);
      files.set(name, data);
    }
    return files;
  }
  return {
    name: 's3',
    proxy,
    env,
    leastPart: 5 * 2 ** 20,
    takes: () => true,
    isContent: isObject,
    isPart: isPartOfObject,
    url: urlOf,
    look,
    async begun(folder) {
      const client = s3Client(await s3Connection('s3', 'training', await s3Settings('s3', { env })));
      const keys = [...(await look(folder)).keys()].map((name) => `${folder}/${name}`);
      const found = await Promise.all(
        keys.map(async (key) => ((await client.unfinished(key)) === undefined ? [] : [key])),
      );
      return found.flat();
    },
    async remove(folder) {
      await direct.remove(urlOf(folder));
      seen.clear();
    },
    refusals: {},
  };
}

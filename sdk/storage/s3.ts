/** `s3://bucket/key` and `obs://bucket/key`: everything that speaks S3. */
import type { ObjectClient } from './object-client.js';
import { objectStore } from './object-store.js';
import { s3Client } from './s3-client.js';
import { s3Connection } from './s3-connection.js';
import { type S3Settings, s3Settings, settingsMark } from './s3-settings.js';
import type { Store } from './store.js';

/** The store of S3 buckets, as environment and files say. */
export const s3Store: Store = s3StoreWith('s3', () => s3Settings('s3'));

/** The store of Huawei OBS buckets, as environment and files say. */
export const obsStore: Store = s3StoreWith('obs', () => s3Settings('obs'));

/** A store of buckets with settings of its own, looked up when a bucket is first used, and again when a variable has changed. */
export function s3StoreWith(scheme: 's3' | 'obs', settings: () => Promise<S3Settings>): Store {
  const clients = new Map<string, Promise<ObjectClient>>();
  async function connect(bucket: string): Promise<ObjectClient> {
    return s3Client(await s3Connection(scheme, bucket, await settings()));
  }
  function known(bucket: string): Promise<ObjectClient> {
    const mark = `${bucket} ${settingsMark()}`;
    const client = clients.get(mark) ?? connect(bucket);
    clients.set(mark, client);
    // What was missing may be there next time.
    client.catch(() => clients.delete(mark));
    return client;
  }
  // s3:// and obs:// may mean one server.
  const endpoint = async (): Promise<string | undefined> => (await settings()).endpoint;
  return objectStore(known, scheme === 'obs' ? { leastPart: 100 * 1024, endpoint } : { endpoint });
}

/** `oss://bucket/key`: Alibaba Cloud OSS. Settings and keys are found when the first bucket is used, by `oss-settings.ts`. */
import type { ObjectClient } from './object-client.js';
import { objectStore } from './object-store.js';
import { ossClient } from './oss-client.js';
import { type OssSettings, ossSettings } from './oss-settings.js';
import type { Store } from './store.js';

/** The store of OSS buckets, as environment and files say. */
export const ossStore: Store = ossStoreWith(ossSettings);

/** A store of OSS buckets with settings of its own, looked up when a bucket is first used, and again when a variable has changed. */
export function ossStoreWith(settings: () => Promise<OssSettings>): Store {
  let [mark, found]: [string, Promise<OssSettings> | undefined] = ['', undefined];
  const clients = new Map<string, ObjectClient>();
  async function connect(bucket: string): Promise<ObjectClient> {
    if (mark !== marked()) {
      clients.clear();
      [mark, found] = [marked(), undefined];
    }
    found ??= settings();
    try {
      const client = clients.get(bucket) ?? (await ossClient(bucket, await found));
      clients.set(bucket, client);
      return client;
    } catch (error) {
      // What was missing may be there next time.
      found = undefined;
      throw error;
    }
  }
  return objectStore(connect, { leastPart: 100 * 1024 });
}

/** Differs when a variable that `ossSettings` looks at does. It holds secrets: it stays in memory. */
function marked(): string {
  return JSON.stringify(Object.entries(process.env).filter(([name]) => /^(OSS|ALIBABA_CLOUD)_/.test(name)));
}

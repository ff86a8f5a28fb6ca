/** HDFS as a place to copy from and to, on a server of our own. */
import type { Test } from 'tap';
import { LEAST_PART } from '../../sdk/storage/store.js';
import { diskPlace } from './disk-place.js';
import { ALL_BUT_DELETE, proxyTo, type TestPlace, TOKEN, WRITING, withAnswer } from './place.js';
import { startWebHdfs } from './webhdfs.js';

export async function hdfsPlace(t: Test): Promise<TestPlace> {
  const tokens: Record<string, string> = { [TOKEN]: 'hdfs' };
  const { address, files } = await startWebHdfs(t, { tokens });
  const proxy = await proxyTo(t, `http://${address}`);
  const { look, begun, remove } = diskPlace(files.root);
  const refusal = (methods: RegExp, exception: string) => () =>
    withAnswer(proxy, methods, JSON.stringify({ RemoteException: { exception, message: 'it is so' } }));
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
      E_DENIED: refusal(ALL_BUT_DELETE, 'AccessControlException'),
      E_NO_SPACE: refusal(WRITING, 'DSQuotaExceededException'),
    },
  };
}

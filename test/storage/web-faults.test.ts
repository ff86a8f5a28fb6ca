/** What a web server serves comes whole, or not at all, through every fault that passes. Nobody tells the checksum of its files. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { copy } from '../../sdk/storage/copy.js';
import { onceEach } from '../services/faults.js';
import { proxyTo } from '../services/place.js';
import { content } from '../services/random-tree.js';
import { startWebServer } from '../services/web-server.js';
import { PASSING } from './passing-faults.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';

const PART = 64 * 1024;

test('a large file of a web server comes whole through', async (t) => {
  const data = content(seededRandom(1, 'web'), 5 * PART + 1);
  const root = t.testdir({ from: {}, to: {} });
  writeFileSync(join(root, 'from/数据 #1.bin'), data);
  const proxy = await proxyTo(t, await startWebServer(t, join(root, 'from')));
  for (const [what, fault] of Object.entries(PASSING)) {
    await t.test(`${what}, once for every request`, async (t) => {
      const to = join(root, 'to', what);
      const plan = onceEach(fault);
      let faults = 0;
      proxy.plan = (request) => {
        const found = plan(request);
        if (found !== undefined) faults++;
        return found;
      };
      proxy.watch = () => t.notOk(existsSync(to), 'nothing is half there');
      await copy(`${proxy.url}/${encodeURIComponent('数据 #1.bin')}`, to, { partSize: PART });
      t.ok(readFileSync(to).equals(data));
      t.ok(faults > 0);
    });
  }
});

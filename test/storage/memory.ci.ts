/** What a copy takes of memory, as the system counts it at the end of a process of its own. */
import { mkdirSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { STORES } from '../services/places.js';
import { startCopying } from './copying.js';

const notLinux = process.platform === 'linux' ? false : 'only Linux tells what a process had at most';
/** In KiB: 200 MB. */
const MOST = 200_000_000 / 1024;

for (const [name, start] of Object.entries(STORES)) {
  test(`${name}: 512 MiB and 3000 files go up and down in less than 200 MB`, { skip: notLinux }, async (t) => {
    const place = await start(t);
    const root = t.testdir({ large: { file: '' }, many: {} });
    truncateSync(join(root, 'large/file'), 2 ** 29);
    for (let i = 0; i < 3_000; i++) {
      if (i % 1000 === 0) mkdirSync(join(root, `many/${i / 1000}`));
      writeFileSync(join(root, `many/${Math.floor(i / 1000)}/${i}`), Buffer.alloc(4096, i));
    }
    for (const [what, files] of [
      ['large', 1],
      ['many', 3_000],
    ] as const) {
      const up = await startCopying({ source: join(root, what), destination: place.url(what) }, place.env).ended;
      const down = await startCopying({ source: place.url(what), destination: join(root, 'down', what) }, place.env)
        .ended;
      for (const [way, ended] of Object.entries({ up, down })) {
        t.match(ended, { files });
        const most = 'mostMemory' in ended ? (ended.mostMemory ?? Number.NaN) : Number.NaN;
        t.ok(most < MOST, `${what} ${way}: ${Math.round((most * 1024) / 1e6)} MB`);
      }
      await place.remove(what);
    }
    t.equal(statSync(join(root, 'down/large/file')).size, 2 ** 29);
    rmSync(root, { recursive: true });
  });
}

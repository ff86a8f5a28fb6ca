import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { unzip } from '../../sdk/archive/unzip.js';
import { seededRandom } from '../../sdk/base/random.js';
import { craftZip, unicodePath, zip64End } from './craft.js';
import { fate, mutated } from './mutate.js';

const ENTRIES = [
  { name: 'train/' },
  { name: 'train/images', data: Buffer.alloc(500, 'mindts'), method: 8 },
  { name: 'labels', data: Buffer.from('0123456789') },
  { name: 'ca_', data: Buffer.from('x'), extra: unicodePath(Buffer.from('ca_'), 'café'), mode: 0o100755 },
];

test('of thousands of damaged archives each is unpacked right or refused, and nothing gets outside', async (t) => {
  const small = craftZip(ENTRIES);
  const files = small.subarray(0, -22);
  const large = Buffer.concat([files, zip64End(4n, BigInt(files.indexOf('PK\x01\x02')), files.length)]);
  const random = seededRandom(1, 'mutations');
  const folder = t.testdir({});
  const images = join(folder, 'out/train/images');
  const seen = new Map<string, number>();
  for (let run = 0; run < 2000; run++) {
    const code = await fate(folder, mutated(run % 2 === 0 ? small : large, random), unzip);
    seen.set(code, (seen.get(code) ?? 0) + 1);
    if (existsSync(images) && !readFileSync(images).equals(Buffer.alloc(500, 'mindts'))) t.fail(`run ${run}: content`);
  }
  t.comment(Object.fromEntries(seen));
  for (const code of ['unpacked', 'E_ZIP_TRUNCATED', 'E_ZIP_DAMAGED', 'E_ZIP_CRC', 'E_ZIP_SIZE', 'E_ZIP_NOT_ZIP']) {
    t.ok(seen.has(code), code);
  }
});

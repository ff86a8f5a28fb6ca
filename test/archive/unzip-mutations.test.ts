import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { unzip } from '../../sdk/archive/unzip.js';
import { ArchiveError } from '../../sdk/base/errors.js';
import { seededRandom } from '../../sdk/base/random.js';
import { craftZip, unicodePath, zip64End } from './craft.js';

const ENTRIES = [
  { name: 'train/' },
  { name: 'train/images', data: Buffer.alloc(500, 'mindts'), method: 8 },
  { name: 'labels', data: Buffer.from('0123456789') },
  { name: 'ca_', data: Buffer.from('x'), extra: unicodePath(Buffer.from('ca_'), 'café'), mode: 0o100755 },
];

const random = seededRandom(1, 'mutations');

/** One to four places changed: a bit, a byte, a run of zeros or of ones, something cut out or doubled. */
function mutated(archive: Buffer): Buffer {
  let bytes = Buffer.from(archive);
  for (let i = 1 + random.below(4); i > 0; i--) {
    const at = random.below(bytes.length);
    const length = Math.min(1 + random.below(8), bytes.length - at);
    switch (random.below(6)) {
      case 0:
        bytes[at] ^= 1 << random.below(8);
        break;
      case 1:
        bytes[at] = random.below(256);
        break;
      case 2:
        bytes.fill(0, at, at + length);
        break;
      case 3:
        bytes.fill(0xff, at, at + length);
        break;
      case 4:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      default:
        bytes = Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    }
  }
  return bytes;
}

test('of thousands of damaged archives each is unpacked right or refused, and nothing gets outside', async (t) => {
  const small = craftZip(ENTRIES);
  const files = small.subarray(0, -22);
  const large = Buffer.concat([files, zip64End(4n, BigInt(files.indexOf('PK\x01\x02')), files.length)]);
  const folder = t.testdir({});
  const [zip, out] = [join(folder, 'in.zip'), join(folder, 'out')];
  const seen = new Map<string, number>();
  for (let run = 0; run < 2000; run++) {
    const archive = mutated(run % 2 === 0 ? small : large);
    writeFileSync(zip, archive);
    const code = await unzip(zip, out).then(
      () => 'unpacked',
      (error: unknown) => (error instanceof ArchiveError && !error.message.includes('\n') ? error.code : String(error)),
    );
    seen.set(code, (seen.get(code) ?? 0) + 1);
    const stray = readdirSync(folder).filter((name) => name !== 'in.zip' && name !== 'out');
    if (!/^unpacked$|^E_ZIP_/.test(code) || stray.length > 0) {
      t.fail(`run ${run}: ${code}, ${stray.join()}: ${archive.toString('base64')}`);
    }
    const images = join(out, 'train/images');
    if (existsSync(images) && !readFileSync(images).equals(Buffer.alloc(500, 'mindts'))) t.fail(`run ${run}: content`);
  }
  t.comment(Object.fromEntries(seen));
  for (const code of ['unpacked', 'E_ZIP_TRUNCATED', 'E_ZIP_DAMAGED', 'E_ZIP_CRC', 'E_ZIP_SIZE', 'E_ZIP_NOT_ZIP']) {
    t.ok(seen.has(code), code);
  }
});

/** Archives damaged at random, and what becomes of them. */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ArchiveError } from '../../sdk/base/errors.js';
import type { Random } from '../../sdk/base/random.js';

/** One to four places changed: a bit, a byte, a run of zeros or of ones, something cut out or doubled. */
export function mutated(archive: Buffer, random: Random): Buffer {
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

/**
 * Unpacks an archive into `out` in an otherwise empty folder, and returns `unpacked` or the code of the error.
 *
 * @throws Error when it ended in any other way, or anything lies outside `out`
 */
export async function fate(
  folder: string,
  archive: Buffer,
  unpack: (archive: string, folder: string) => Promise<unknown>,
): Promise<string> {
  const file = join(folder, 'in');
  writeFileSync(file, archive);
  const code = await unpack(file, join(folder, 'out')).then(
    () => 'unpacked',
    (error: unknown) => (error instanceof ArchiveError && !error.message.includes('\n') ? error.code : String(error)),
  );
  const stray = readdirSync(folder).filter((name) => name !== 'in' && name !== 'out');
  if (!/^(unpacked|E_(ZIP|TAR)_[A-Z_]+)$/.test(code) || stray.length > 0 || existsSync(join(folder, '../evil'))) {
    throw new Error(`${code}, ${stray.join()}: ${archive.toString('base64')}`);
  }
  return code;
}

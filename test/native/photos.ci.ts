/** Photos and damaged copies of them, while sanitizers watch. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { picture } from '../dataset/pictures.js';
import { compileDriver, missing, root } from './driver.js';

t.test(
  'damaged photos are read without an access out of bounds or anything undefined',
  { skip: missing('g++') },
  async (t) => {
    const folder = t.testdir({ photos: {} });
    const fixtures = join(root, 'test/dataset/fixtures');
    const photos: Record<string, Uint8Array> = {
      'colour.jpg': await picture(90, 70).jpeg().toBuffer(),
      'full.jpg': await picture(70, 50).jpeg({ chromaSubsampling: '4:4:4', quality: 98 }).toBuffer(),
      'grey.jpg': await picture(70, 50).greyscale().jpeg({ optimiseCoding: false }).toBuffer(),
      'exif.jpg': await picture(40, 30).withMetadata({ orientation: 1 }).jpeg().toBuffer(),
    };
    for (const name of readdirSync(fixtures)) photos[name] = readFileSync(join(fixtures, name));
    for (const [name, bytes] of Object.entries(photos)) writeFileSync(join(folder, 'photos', name), bytes);
    const files = Object.keys(photos).map((name) => join(folder, 'photos', name));
    const flags = ['-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all', '-fsanitize=address,undefined'];
    const driver = compileDriver({ folder, compiler: 'g++', flags, test: 'photo_test' });
    const made = Number(driver('2000', '1', ...files));
    t.ok(made > files.length, `${made} views were made`);
  },
);

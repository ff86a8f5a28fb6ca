/** Photos and damaged copies of them: while sanitizers watch, and on another processor. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { picture } from '../dataset/pictures.js';
import { compileDriver, missing, root } from './driver.js';

/** Photos of all kinds that the library reads, in files. */
async function writePhotos(t: Test): Promise<{ folder: string; files: readonly string[] }> {
  const folder = t.testdir({});
  const fixtures = join(root, 'test/dataset/fixtures');
  const photos: Record<string, Uint8Array> = {
    'colour.jpg': await picture(90, 70).jpeg().toBuffer(),
    'full.jpg': await picture(70, 50).jpeg({ chromaSubsampling: '4:4:4', quality: 98 }).toBuffer(),
    'grey.jpg': await picture(70, 50).greyscale().jpeg({ optimiseCoding: false }).toBuffer(),
    'exif.jpg': await picture(40, 30).withMetadata({ orientation: 1 }).jpeg().toBuffer(),
  };
  for (const name of readdirSync(fixtures)) photos[name] = readFileSync(join(fixtures, name));
  mkdirSync(join(folder, 'photos'));
  for (const [name, bytes] of Object.entries(photos)) writeFileSync(join(folder, 'photos', name), bytes);
  return { folder, files: Object.keys(photos).map((name) => join(folder, 'photos', name)) };
}

t.test('sanitizers see no access out of bounds and nothing undefined', { skip: missing('g++') }, async (t) => {
  const { folder, files } = await writePhotos(t);
  const flags = ['-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all', '-fsanitize=address,undefined'];
  const driver = compileDriver({ folder, compiler: 'g++', flags, test: 'photo_test' });
  const made = Number(driver('2000', '1', ...files).split(' ')[0]);
  t.ok(made > files.length, `${made} views were made`);
});

const cross = 'aarch64-linux-gnu-g++';
t.test('NEON makes the same pixels as this machine', { skip: missing('g++', cross, 'qemu-aarch64') }, async (t) => {
  const { folder, files } = await writePhotos(t);
  const here = compileDriver({ folder: join(folder, 'here'), compiler: 'g++', test: 'photo_test' });
  const neon = compileDriver({
    folder: join(folder, 'neon'),
    compiler: cross,
    options: ['--arch', 'arm64', '--portable'],
    runner: ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'],
    test: 'photo_test',
  });
  const seen = here('200', '2', ...files);
  t.match(seen, /^\d{3,} [0-9a-f]{8}$/);
  t.equal(neon('200', '2', ...files), seen);
});

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import sharp from 'sharp';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { loadPhotoReader } from '../../sdk/dataset/native-photo.js';
import type { SeenSize, View } from '../../sdk/dataset/views.js';
import { instructionSets } from '../../sdk/engine/native/native.js';
import { picture } from './pictures.js';

const read = loadPhotoReader();
if (read === undefined) throw new Error('the native library is not built: node native/build.mjs');

const fixture = (name: string): Buffer => readFileSync(new URL(`./fixtures/${name}`, import.meta.url));

function whole({ width, height }: SeenSize): View {
  const all = { left: 0, top: 0, width, height };
  return { from: all, resize: { width, height }, keep: all, flip: false };
}

/** What libjpeg makes of it. */
async function expected(bytes: Uint8Array): Promise<Buffer> {
  return sharp(bytes).toColourspace('srgb').raw().toBuffer();
}

test('every usual kind of JPEG is decoded as libjpeg does, to the last bit', async (t) => {
  const photos: Record<string, Uint8Array> = {
    'half the columns': fixture('half-columns.jpg'),
    restarts: fixture('restarts.jpg'),
  };
  for (const [width, height] of [
    [16, 1],
    [17, 16],
    [33, 47],
    [64, 64],
    [250, 9],
    [101, 99],
  ]) {
    for (const chromaSubsampling of ['4:2:0', '4:4:4']) {
      for (const quality of [10, 75, 100]) {
        const options = { quality, chromaSubsampling, optimiseCoding: quality > 50 };
        const name = `${width}×${height} ${chromaSubsampling} ${quality}`;
        photos[name] = await picture(width, height).jpeg(options).toBuffer();
        photos[`${name} grey`] = await picture(width, height).greyscale().jpeg(options).toBuffer();
      }
    }
  }
  for (const [name, bytes] of Object.entries(photos)) {
    const wanted = await expected(bytes);
    const made = new Uint8Array(wanted.length);
    t.ok(read(bytes, whole, made), name);
    t.ok(wanted.equals(made), name);
  }
});

test('a part of a photo is what the whole has there', async (t) => {
  const photos = [
    await picture(130, 90).jpeg().toBuffer(),
    await picture(130, 90).jpeg({ chromaSubsampling: '4:4:4' }).toBuffer(),
    fixture('half-columns.jpg'),
    fixture('restarts.jpg'),
  ];
  for (const bytes of photos) {
    const all = await expected(bytes);
    const { width = 0, height = 0 } = await sharp(bytes).metadata();
    const share = fc.double({ min: 0, max: 0.999, noNaN: true });
    fc.assert(
      fc.property(share, share, share, share, (a, b, c, d) => {
        const [left, top] = [Math.floor(a * width), Math.floor(b * height)];
        const from = {
          left,
          top,
          width: 1 + Math.floor(c * (width - left)),
          height: 1 + Math.floor(d * (height - top)),
        };
        const made = new Uint8Array(from.width * from.height * 3);
        const keep = { ...from, left: 0, top: 0 };
        if (!read(bytes, () => ({ from, resize: keep, keep, flip: false }), made)) return false;
        return made.every((value, i) => {
          const [row, column] = [Math.floor(i / 3 / from.width), Math.floor(i / 3) % from.width];
          return value === all[3 * ((top + row) * width + left + column) + (i % 3)];
        });
      }),
    );
  }
  t.pass('for random parts');
});

/** Pillow's bilinear resize of one row of one channel, with exact weights. */
function resized(row: readonly number[], outputs: number): number[] {
  const scale = row.length / outputs;
  const wide = Math.max(scale, 1);
  return Array.from({ length: outputs }, (_, i) => {
    const centre = (i + 0.5) * scale;
    const weights = row.map((__, at) => Math.max(0, 1 - Math.abs((at + 0.5 - centre) / wide)));
    const sum = weights.reduce((a, b) => a + b);
    return row.reduce((total, value, at) => total + (value * weights[at]) / sum, 0);
  });
}

test('resizing is a triangle as wide as two inputs or two outputs', async (t) => {
  // A flat column each, so that rows can be looked at alone.
  const bytes = await picture(90, 1)
    .resize(90, 40, { kernel: 'nearest', fit: 'fill' })
    .jpeg({ quality: 100 })
    .toBuffer();
  const all = await expected(bytes);
  for (const outputs of [1, 7, 30, 89, 90, 91, 200]) {
    const size = { width: outputs, height: 40 };
    const made = new Uint8Array(outputs * 40 * 3);
    const view = { from: { left: 0, top: 0, width: 90, height: 40 }, resize: size, keep: { left: 0, top: 0, ...size } };
    t.ok(read(bytes, () => ({ ...view, flip: false }), made));
    const row = (pixels: Uint8Array, width: number): number[] =>
      Array.from({ length: width }, (_, x) => pixels[3 * (20 * width + x)]);
    const exact = resized(row(all, 90), outputs);
    t.ok(
      row(made, outputs).every((value, i) => Math.abs(value - exact[i]) <= 0.5001),
      `${outputs}`,
    );
    const mirrored = new Uint8Array(made.length);
    t.ok(read(bytes, () => ({ ...view, flip: true }), mirrored));
    t.same(row(mirrored, outputs), row(made, outputs).toReversed());
  }
});

test('what is unusual or damaged is left to sharp', async (t) => {
  const drawn = picture(64, 48);
  const jpeg = await drawn.clone().jpeg().toBuffer();
  const changed = Buffer.from(jpeg);
  changed[changed.indexOf(Buffer.of(0xff, 0xda)) + 30] = 0xff;
  const others: Readonly<Record<string, Uint8Array>> = {
    nothing: new Uint8Array(),
    'a PNG': await drawn.clone().png().toBuffer(),
    'a progressive JPEG': await drawn.clone().jpeg({ progressive: true }).toBuffer(),
    CMYK: await drawn.clone().toColourspace('cmyk').jpeg().toBuffer(),
    'a turned one': await drawn.clone().withMetadata({ orientation: 6 }).jpeg().toBuffer(),
    'one that is cut short': jpeg.subarray(0, -20),
    'one without its end': jpeg.subarray(0, -2),
    'one with a marker among its blocks': changed,
    'a narrow one': await picture(15, 40).jpeg().toBuffer(),
  };
  for (const [name, bytes] of Object.entries(others)) t.notOk(read(bytes, whole, new Uint8Array(64 * 48 * 3)), name);
  t.ok(read(await drawn.clone().withMetadata({ orientation: 1 }).jpeg().toBuffer(), whole, new Uint8Array(9216)));
});

test('what does not lie in the image is refused', async (t) => {
  const bytes = await picture(64, 48).jpeg().toBuffer();
  const refused = (change: (view: View) => View): unknown =>
    t.notOk(read(bytes, (size) => change(whole(size)), new Uint8Array(64 * 48 * 3)));
  refused((view) => ({ ...view, from: { ...view.from, left: 1 } }));
  refused((view) => ({ ...view, from: { ...view.from, top: -1 } }));
  refused((view) => ({ ...view, keep: { ...view.keep, height: 49 } }));
  refused((view) => ({ ...view, resize: { width: 0, height: 48 } }));
  refused((view) => ({ ...view, from: { ...view.from, width: 2 ** 31 - 1 } }));
});

test('all instruction sets make the same of a photo, to the last bit', async (t) => {
  const folder = t.testdir({});
  const photo = join(folder, 'photo.jpg');
  writeFileSync(photo, await picture(230, 170).jpeg().toBuffer());
  const reader = join(packageRoot, 'dist', 'sdk', 'dataset', 'native-photo.js');
  const code = `
    const { loadPhotoReader } = await import(${JSON.stringify(reader)});
    const bytes = fs.readFileSync(${JSON.stringify(photo)});
    const hash = crypto.createHash('sha256');
    for (const [width, height] of [[64, 64], [100, 37], [300, 200]]) {
      const made = new Uint8Array(3 * width * height);
      const keep = { left: 0, top: 0, width, height };
      const from = { left: 13, top: 7, width: 201, height: 150 };
      if (!loadPhotoReader()(bytes, () => ({ from, resize: keep, keep, flip: true }), made)) throw new Error('refused');
      hash.update(made);
    }
    console.log(hash.digest('hex'));`;
  const hashes = instructionSets().map((set) => {
    const env = { ...process.env, MINDTS_INSTRUCTION_SET: set, NODE_OPTIONS: '' };
    return spawnSync(
      process.execPath,
      ['--input-type=module', '-e', `import fs from 'node:fs'; import crypto from 'node:crypto'; ${code}`],
      { env, encoding: 'utf8' },
    );
  });
  t.ok(hashes.length > 0);
  for (const { stdout, stderr } of hashes) {
    t.match(stdout, /^[0-9a-f]{64}\n$/, stderr);
    t.equal(stdout, hashes[0].stdout);
  }
});

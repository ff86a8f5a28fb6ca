import sharp from 'sharp';
import { test } from 'tap';
import { imageDecoder } from '../../sdk/dataset/decode-image.js';
import type { SeenSize, View } from '../../sdk/dataset/views.js';
import { picture, quarters } from './pictures.js';

const decode = imageDecoder();

/** Pixels of an 8×8 image in the middle of its quarters. */
const CORNERS = [2 * 8 + 2, 2 * 8 + 6, 6 * 8 + 2, 6 * 8 + 6];

/** An image as a whole, resized to 8×8. */
async function small(bytes: Uint8Array): Promise<Uint8Array> {
  const pixels = new Uint8Array(8 * 8 * 3);
  await decode(bytes, whole, pixels);
  return pixels;
}

function whole({ width, height }: SeenSize): View {
  const square = { width: 8, height: 8 };
  return {
    from: { left: 0, top: 0, width, height },
    resize: square,
    keep: { left: 0, top: 0, ...square },
    flip: false,
  };
}

/** The colours in the middle of the quarters: above left and right, below left and right. */
function corners(pixels: Uint8Array): string {
  const names: Readonly<Record<string, string>> = { '100': 'red', '010': 'green', '001': 'blue', '111': 'white' };
  return CORNERS.map((i) => names[[...pixels.subarray(3 * i, 3 * i + 3)].map((v) => Number(v > 128)).join('')]).join(
    ' ',
  );
}

test('formats are told by their content: all give the same picture', async (t) => {
  const drawn = quarters(64, 48);
  const files = {
    jpeg: await drawn.clone().jpeg({ quality: 95 }).toBuffer(),
    progressive: await drawn.clone().jpeg({ progressive: true }).toBuffer(),
    png: await drawn.clone().png().toBuffer(),
    'png with a palette': await drawn.clone().png({ palette: true }).toBuffer(),
    'png of 16 bits': await drawn.clone().toColourspace('rgb16').png().toBuffer(),
    webp: await drawn.clone().webp().toBuffer(),
    gif: await drawn.clone().gif().toBuffer(),
    tiff: await drawn.clone().tiff().toBuffer(),
  };
  t.equal((await sharp(files['png of 16 bits']).metadata()).depth, 'ushort');
  for (const [name, bytes] of Object.entries(files)) t.equal(corners(await small(bytes)), 'red green blue white', name);
});

test('CMYK becomes sRGB', async (t) => {
  const bytes = await quarters(64, 48).toColourspace('cmyk').jpeg({ quality: 100 }).toBuffer();
  t.equal((await sharp(bytes).metadata()).channels, 4);
  const pixels = await small(bytes);
  const [red, green, blue, white] = CORNERS.map((i) => [...pixels.subarray(3 * i, 3 * i + 3)]);
  // By way of a profile of inks, which have no pure green and blue.
  t.ok(red[0] > 200 && red[1] < 60 && red[2] < 60, `${red}`);
  t.ok(green[1] > green[0] && green[1] > green[2] + 50, `${green}`);
  t.ok(blue[2] > blue[0] + 50 && blue[2] > blue[1] + 50, `${blue}`);
  t.ok(Math.min(...white) > 250, `${white}`);
});

test('grey becomes three equal channels, transparency is left out of account', async (t) => {
  const grey = picture(64, 48).greyscale();
  for (const bytes of [await grey.clone().jpeg().toBuffer(), await grey.clone().png().toBuffer()]) {
    const pixels = await small(bytes);
    for (let i = 0; i < pixels.length; i += 3) t.ok(pixels[i] === pixels[i + 1] && pixels[i] === pixels[i + 2]);
  }
  const clear = await quarters(64, 48).ensureAlpha(0).png().toBuffer();
  t.equal(corners(await small(clear)), 'red green blue white');
});

test('an image is turned as its EXIF orientation says, before anything is cut out of it', async (t) => {
  const seen = {
    1: 'red green blue white',
    2: 'green red white blue',
    3: 'white blue green red',
    4: 'blue white red green',
    5: 'red blue green white',
    6: 'blue red white green',
    7: 'white green blue red',
    8: 'green white red blue',
  };
  for (const [orientation, expected] of Object.entries(seen)) {
    const bytes = await quarters(64, 48)
      .withMetadata({ orientation: Number(orientation) })
      .jpeg()
      .toBuffer();
    t.equal(corners(await small(bytes)), expected, orientation);
    const sizes: SeenSize[] = [];
    await decode(bytes, (size) => whole((sizes.push(size), size)), new Uint8Array(192));
    t.same(sizes.at(-1), Number(orientation) > 4 ? { width: 48, height: 64 } : { width: 64, height: 48 });
  }
});

test('of an animation the first picture is taken', async (t) => {
  const frames = [await quarters(32, 32).png().toBuffer(), await picture(32, 32).png().toBuffer()];
  for (const format of ['gif', 'webp'] as const) {
    const bytes = await sharp(frames, { join: { animated: true } })
      .toFormat(format)
      .toBuffer();
    t.equal((await sharp(bytes, { animated: true }).metadata()).pages, 2);
    t.equal(corners(await small(bytes)), 'red green blue white', format);
  }
});

test('a part is cut out, resized and flipped alike by the native library and by sharp', async (t) => {
  const view = (flip: boolean): View => ({
    from: { left: 7, top: 5, width: 90, height: 70 },
    resize: { width: 45, height: 64 },
    keep: { left: 3, top: 10, width: 40, height: 50 },
    flip,
  });
  const photo = await picture(120, 100).jpeg({ quality: 100, chromaSubsampling: '4:4:4' }).toBuffer();
  const other = await sharp(photo).png().toBuffer();
  for (const flip of [false, true]) {
    const [a, b] = [new Uint8Array(6000), new Uint8Array(6000)];
    await decode(photo, () => view(flip), a);
    await decode(other, () => view(flip), b);
    let sum = 0;
    for (const [i, value] of a.entries()) sum += Math.abs(value - b[i]);
    t.ok(sum / a.length < 1, `${sum / a.length}`);
  }
});

test('what is no image, or damaged, is refused with a reason, whatever part is looked at', async (t) => {
  const jpeg = await picture(200, 160).jpeg().toBuffer();
  const progressive = await picture(200, 160).jpeg({ progressive: true }).toBuffer();
  const png = await picture(200, 160).png().toBuffer();
  const tiny = await sharp({ create: { width: 100, height: 100, channels: 3, background: 'red' } })
    .png()
    .toBuffer();
  const bomb = Buffer.from(tiny);
  bomb.writeUInt32BE(60_000, 16);
  bomb.writeUInt32BE(60_000, 20);
  const bad: Readonly<Record<string, readonly [Uint8Array, RegExp]>> = {
    'no bytes': [new Uint8Array(), /^the file is empty$/],
    text: [Buffer.from('hello there, this is text'), /^not a JPEG, PNG, WebP, GIF or TIFF image$/],
    svg: [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /^not a JPEG/],
    'a JPEG cut in half': [jpeg.subarray(0, jpeg.length / 2), /premature end|truncated/i],
    'a JPEG without its end': [jpeg.subarray(0, -2), /premature end|truncated/i],
    'a progressive JPEG cut in half': [progressive.subarray(0, progressive.length / 2), /premature end|truncated/i],
    'a PNG cut in half': [png.subarray(0, png.length / 2), /./],
    'the beginning of a JPEG': [jpeg.subarray(0, 20), /./],
    'a decompression bomb': [bomb, /pixel limit|CRC|corrupt|libspng|png/i],
  };
  const top = (size: SeenSize): View => ({ ...whole(size), from: { left: 0, top: 0, width: 8, height: 8 } });
  for (const [name, [bytes, message]] of Object.entries(bad)) {
    for (const look of [whole, top]) await t.rejects(decode(bytes, look, new Uint8Array(192)), { message }, name);
  }
});

/** An image file's bytes as the pixels of a view: photos by the native library, everything else by sharp (libvips). */
import { DatasetError } from '../base/errors.js';
import { loadPhotoReader } from './native-photo.js';
import type { SeenSize, View } from './views.js';

/**
 * Writes the pixels of a view, three bytes each, in sRGB: grey and CMYK are converted, transparency and colour profiles are
 * left out of account, of an animation the first picture is taken. The content decides the format, not the file's name.
 * Whether an image is bad does not depend on the view.
 */
export type ImageDecoder = (bytes: Uint8Array, look: (size: SeenSize) => View, into: Uint8Array) => Promise<void>;

/** As many pixels as no photo has: a decompression bomb. */
const MOST_PIXELS = 1e8;

/**
 * Makes a decoder. It rejects with errors whose message says what is wrong with an image; sharp is loaded when it is needed.
 *
 * @throws DatasetError `E_SHARP`, when an image is decoded that needs sharp, and it cannot be loaded here
 */
export function imageDecoder(): ImageDecoder {
  const photos = loadPhotoReader();
  let others: Promise<ImageDecoder> | undefined;
  return async (bytes, look, into) => {
    requireImage(bytes);
    if (photos?.(bytes, look, into)) return;
    others ??= loadSharp();
    await (await others)(bytes, look, into);
  };
}

/** Resizing is bilinear with antialiasing, as torchvision's and as the native library's, which differs by a unit or two. */
async function loadSharp(): Promise<ImageDecoder> {
  const { default: sharp } = await import('sharp').catch((error: unknown) => {
    const [reason] = String(error instanceof Error ? error.message : error).split('\n');
    throw new DatasetError(
      'E_SHARP',
      `sharp, which decodes images, cannot be loaded on ${process.platform}-${process.arch} (${reason}): run \`npm install --include=optional sharp\``,
      { cause: error },
    );
  });
  // One image per thread, and none twice: neither more threads nor a cache would help.
  sharp.concurrency(1);
  sharp.cache(false);
  return async (bytes, look, into) => {
    // As a whole first: sharp reads only as far as a view goes, and says nothing of damage below it.
    const { data, info } = await sharp(bytes, {
      autoOrient: true,
      failOn: 'error',
      ignoreIcc: true,
      limitInputPixels: MOST_PIXELS,
    })
      .removeAlpha()
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 3) throw new Error('its colours cannot be read');
    const { from, resize, keep, flip } = look({ width, height });
    const view = sharp(data, { raw: { width, height, channels } });
    if (from.width !== width || from.height !== height) view.extract(from);
    view.resize(resize.width, resize.height, { fit: 'fill', kernel: 'linear' });
    // sharp flips before it keeps.
    const left = flip ? resize.width - keep.left - keep.width : keep.left;
    if (keep.width !== resize.width || keep.height !== resize.height) view.extract({ ...keep, left });
    into.set(await view.flop(flip).raw().toBuffer());
  };
}

/** Only what photos come in: sharp would also draw an SVG, which may name other files. */
function requireImage(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new Error('the file is empty');
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(12, bytes.length)).toString('latin1');
  const known = /^(\xFF\xD8\xFF|\x89PNG\r\n|GIF8|RIFF[^]{4}WEBP|II\*\0|MM\0\*)/.test(head);
  if (!known) throw new Error('not a JPEG, PNG, WebP, GIF or TIFF image');
}

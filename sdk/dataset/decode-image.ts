/** An image file's bytes as the pixels of a view, by sharp (libvips). */
import { DatasetError } from '../base/errors.js';
import type { View } from './views.js';

/** The size of an image as it is seen, its EXIF orientation applied. */
export interface SeenSize {
  readonly width: number;
  readonly height: number;
}

/** Decodes images one at a time or several at once. */
export type ImageDecoder = (bytes: Uint8Array, look: (size: SeenSize) => View) => Promise<Uint8Array>;

/** As many pixels as no photo has: a decompression bomb. */
const MOST_PIXELS = 2 ** 27;

/**
 * Loads sharp. What it decodes comes as sRGB, three bytes a pixel: grey and CMYK are converted, transparency and colour
 * profiles are left out of account, of an animation the first picture is taken. The content decides the format, not the
 * file's name. Resizing is bilinear with antialiasing, as torchvision's.
 *
 * @throws DatasetError `E_SHARP` when sharp cannot be loaded here. The decoder rejects with errors whose message says
 *   what is wrong with an image.
 */
export async function loadDecoder(): Promise<ImageDecoder> {
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
  return async (bytes, look) => {
    requireImage(bytes);
    const image = sharp(bytes, {
      autoOrient: true,
      failOn: 'error',
      ignoreIcc: true,
      limitInputPixels: MOST_PIXELS,
    });
    const { autoOrient: seen } = await image.metadata();
    const { from, resize, keep, flip } = look(seen);
    if (from.width !== seen.width || from.height !== seen.height) image.extract(from);
    image.resize(resize.width, resize.height, { fit: 'fill', kernel: 'linear', fastShrinkOnLoad: false });
    // sharp flips before it keeps.
    const left = flip ? resize.width - keep.left - keep.width : keep.left;
    if (keep.width !== resize.width || keep.height !== resize.height) image.extract({ ...keep, left });
    const pixels = await image.flop(flip).removeAlpha().toColourspace('srgb').raw({ depth: 'uchar' }).toBuffer();
    if (pixels.length !== keep.width * keep.height * 3) throw new Error('its colours cannot be read');
    return pixels;
  };
}

/** Only what photos come in: sharp would also draw an SVG, which may name other files. */
function requireImage(bytes: Uint8Array): void {
  if (bytes.length === 0) throw new Error('the file is empty');
  const head = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(12, bytes.length)).toString('latin1');
  const known = /^(\xFF\xD8\xFF|\x89PNG\r\n|GIF8|RIFF[^]{4}WEBP|II\*\0|MM\0\*)/.test(head);
  if (!known) throw new Error('not a JPEG, PNG, WebP, GIF or TIFF image');
}

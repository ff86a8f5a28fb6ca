/** Pictures to read, drawn with sharp. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import sharp, { type Sharp } from 'sharp';

/** Smooth colours and two discs, different for each seed: what a photo looks like to a decoder. */
export function picture(width: number, height: number, seed = 1): Sharp {
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const at = 3 * (y * width + x);
      const disc = (x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2;
      pixels[at] = disc ? 230 : (255 * x) / width;
      pixels[at + 1] = (255 * y) / height;
      pixels[at + 2] = (seed * 37 + (disc ? 90 : 0) + x) % 256;
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** A picture whose quarters are red, green (above), blue and white (below). */
export function quarters(width: number, height: number): Sharp {
  const pixels = new Uint8Array(3 * width * height);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [left, above] = [x < width / 2, y < height / 2];
      const colour = above ? (left ? [255, 0, 0] : [0, 255, 0]) : left ? [0, 0, 255] : [255, 255, 255];
      pixels.set(colour, 3 * (y * width + x));
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

/** Writes files below a folder, theirs made where they are missing. */
export function writeFiles(folder: string, files: Readonly<Record<string, Uint8Array | string>>): string {
  for (const [name, bytes] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
  return folder;
}

/** A folder of classes `a`, `b`, … of so many JPEGs each. */
export async function writeClasses(
  folder: string,
  { classes, each, width = 48, height = 40 }: { classes: number; each: number; width?: number; height?: number },
): Promise<string> {
  const files: Record<string, Uint8Array> = {};
  for (let label = 0; label < classes; label++) {
    for (let i = 0; i < each; i++) {
      const seed = label * each + i;
      const name = `${String.fromCodePoint(97 + label)}/${String(i).padStart(3, '0')}.jpg`;
      files[name] = await picture(width + (seed % 3), height + (seed % 5), seed)
        .jpeg()
        .toBuffer();
    }
  }
  return writeFiles(folder, files);
}

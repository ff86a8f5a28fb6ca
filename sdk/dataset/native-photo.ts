/** The part of the native library (native/photo.h) that makes views of photos: JPEGs as cameras and the web have them. */
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { libraryCandidates } from '../base/native-library.js';
import type { SeenSize, View } from './views.js';

/** Writes a view of a photo, three bytes a pixel; false for an image that is left to sharp. */
export type PhotoReader = (bytes: Uint8Array, look: (size: SeenSize) => View, into: Uint8Array) => boolean;

/**
 * The reader of the native library. It decodes as libjpeg does and resizes as Pillow does, about four times as fast as
 * sharp, since of what lies outside of a view no pixels are made. Anything unusual is left to sharp, damage above all:
 * what is bad is for sharp alone to say. undefined where there is no library.
 */
export function loadPhotoReader(): PhotoReader | undefined {
  for (const path of libraryCandidates().filter((candidate) => existsSync(candidate))) {
    try {
      return bind(path);
    } catch {
      // The native engine, which needs the library, says why it cannot be loaded; this is only slower without it.
    }
  }
  return undefined;
}

function bind(path: string): PhotoReader {
  const koffi: typeof import('koffi') = createRequire(import.meta.url)('koffi');
  const lib = koffi.load(path);
  const sizeOf: (bytes: Uint8Array, size: number, found: Int32Array) => number = lib.func(
    'int mindts_photo_size(const uint8_t* bytes, int32_t size, int32_t* width_height)',
  );
  const viewOf: (bytes: Uint8Array, size: number, view: Int32Array, out: Uint8Array) => number = lib.func(
    'int mindts_photo_view(const uint8_t* bytes, int32_t size, const int32_t* view, uint8_t* out)',
  );
  const found = new Int32Array(2);
  return (bytes, look, into) => {
    if (sizeOf(bytes, bytes.length, found) === 0) return false;
    const { from, resize, keep, flip } = look({ width: found[0], height: found[1] });
    const cut = [from.left, from.top, from.width, from.height];
    const kept = [keep.left, keep.top, keep.width, keep.height];
    const view = Int32Array.of(...cut, resize.width, resize.height, ...kept, Number(flip));
    return viewOf(bytes, bytes.length, view, into) !== 0;
  };
}

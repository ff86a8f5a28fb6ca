/** Texts as numpy's type `U` lays them out: UTF-32LE, zeros at the end cut off, the empty text one zero. */
import { CheckpointError } from '../base/errors.js';
import type { Place } from './elements.js';
import { LIMITS, quoted } from './tensor-file.js';

/** @throws CheckpointError `E_CKPT_VALUE` for a text that ends in U+0000, which would be lost */
export function encodeUtf32(name: string, text: string): Uint8Array {
  if (text.endsWith('\0')) {
    throw new CheckpointError('E_CKPT_VALUE', `the text ${quoted(name)} ends in U+0000, which a .ckpt cannot hold`);
  }
  const points = text === '' ? [0] : Array.from(text, (character) => character.codePointAt(0) ?? 0);
  return new Uint8Array(Uint32Array.from(points).buffer);
}

/** @throws CheckpointError `E_CKPT_FORMAT` for bytes that are no text, `E_CKPT_LIMIT` for too many */
export function decodeUtf32(bytes: Uint8Array, { source, name }: Place): string {
  if (bytes.length % 4 !== 0) throw notUtf32(source, name);
  if (bytes.length / 4 > LIMITS.textLength) {
    throw new CheckpointError('E_CKPT_LIMIT', `${source}: the text ${quoted(name)} is too long`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let end = bytes.length;
  while (end > 0 && view.getUint32(end - 4, true) === 0) end -= 4;
  // Through UTF-16, in place of one small string per character: a text may be as long as the file.
  const units = new Uint16Array(end / 2);
  let length = 0;
  for (let at = 0; at < end; at += 4) {
    const point = view.getUint32(at, true);
    if (point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff)) throw notUtf32(source, name);
    if (point > 0xffff) units[length++] = 0xd7c0 + (point >> 10);
    units[length++] = point > 0xffff ? 0xdc00 | (point & 0x3ff) : point;
  }
  return Buffer.from(units.buffer, 0, length * 2).toString('utf16le');
}

function notUtf32(source: string, name: string): CheckpointError {
  return new CheckpointError('E_CKPT_FORMAT', `${source}: the text ${quoted(name)} is not UTF-32`);
}

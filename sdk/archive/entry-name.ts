/** The names in archives: what their bytes say, and which of them are safe to write. */
import { TextDecoder } from 'node:util';
import { crc32 } from 'node:zlib';

/** The parts of a zip's directory entry that say its name. */
export interface RawName {
  readonly fileNameRaw: Uint8Array;
  readonly extraFields: readonly { readonly id: number; readonly data: Buffer }[];
}

/**
 * A zip entry's name: from its Unicode extra field (0x7075) if that belongs to it, else as {@link decodeBytes} reads it.
 * The UTF-8 flag needs no look: a name that is UTF-8 is read so with it or without.
 *
 * @example
 * decodeName({ fileNameRaw: Uint8Array.of(0xca, 0xfd, 0xd7, 0xd6), extraFields: [] }); // '数字'
 */
export function decodeName({ fileNameRaw, extraFields }: RawName): string {
  return unicodePath(fileNameRaw, extraFields) ?? decodeBytes(fileNameRaw);
}

/**
 * A name as UTF-8 if it is that, else as GB 18030, which Chinese Windows writes, else as code page 437, which the zip format
 * prescribes.
 *
 * @example
 * decodeBytes(Uint8Array.of(0xca, 0xfd, 0xd7, 0xd6)); // '数字'
 */
export function decodeBytes(raw: Uint8Array): string {
  return decoded(UTF8, raw) ?? decoded(GB18030, raw) ?? decodeCp437(raw);
}

/**
 * Why a name must not be written, or undefined when it stays below the folder that it is written to.
 *
 * @example
 * nameFault('../../etc/passwd'); // 'leads out of its folder'
 * nameFault('train/a.png'); // undefined
 */
export function nameFault(name: string): string | undefined {
  if (name.includes('\0')) return 'holds a NUL';
  if (name.includes('\\')) return 'holds a backslash';
  if (name.startsWith('/')) return 'is an absolute path';
  if (/^[a-z]:/i.test(name)) return 'starts with a drive letter';
  if (name.split('/').includes('..')) return 'leads out of its folder';
  if (tidyName(name) === '' && !name.endsWith('/')) return 'is empty';
  return undefined;
}

/** A safe name without its `.` and empty parts: `./a//b/` is `a/b`, and `./` is empty: the folder itself. */
export function tidyName(name: string): string {
  return name
    .split('/')
    .filter((part) => part !== '' && part !== '.')
    .join('/');
}

/** Info-ZIP's Unicode path: a version 1, the CRC of the name that it stands for, then UTF-8. */
function unicodePath(raw: Uint8Array, fields: RawName['extraFields']): string | undefined {
  for (const { id, data } of fields) {
    if (id === 0x7075 && data.length > 5 && data[0] === 1 && data.readUInt32LE(1) === crc32(raw)) {
      return decoded(UTF8, data.subarray(5));
    }
  }
  return undefined;
}

// Made once: that takes longer than to decode a name.
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const GB18030 = new TextDecoder('gb18030', { fatal: true, ignoreBOM: true });

function decoded(decoder: TextDecoder, bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/** The upper half of code page 437; the lower is ASCII. */
const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀' +
  'αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';

function decodeCp437(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => (byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80])).join('');
}

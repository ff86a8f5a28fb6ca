/** How S3 writes times, checksums and names. */
import type { Digest } from './digest.js';

/** Metadata that keeps a file's time as rclone does: seconds, in `x-amz-meta-mtime`. */
export function timed(modified: number): Record<string, string> {
  return { mtime: (modified / 1000).toFixed(3) };
}

/** The time that {@link timed} has kept, in whole milliseconds. */
export function timeIn({ mtime = '' }: Readonly<Record<string, string>> = {}): number | undefined {
  return /^-?\d+(\.\d+)?$/.test(mtime) ? Math.round(Number(mtime) * 1000) : undefined;
}

/** An MD5, given in hexadecimal digits, as `Content-MD5` has it. */
export function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** Metadata that keeps how long the parts are: without it the ETag of what came in parts cannot be computed, and few servers tell. */
export function inParts(partSize: number): Record<string, string> {
  return { [PART_SIZE]: String(partSize) };
}

const PART_SIZE = 'mindts-part-size';

/** The checksum that an ETag is: of the whole, or of parts whose length {@link inParts} has kept. */
export function digestIn(
  {
    ETag = '',
    Metadata = {},
  }: { readonly ETag?: string | undefined; readonly Metadata?: Readonly<Record<string, string>> | undefined },
  size: number,
): Digest | undefined {
  const [, value, , parts] = /^"?([0-9a-f]{32}(-(\d+))?)"?$/i.exec(ETag) ?? [];
  if (value === undefined) return undefined;
  if (parts === undefined) return { algorithm: 'md5', value: value.toLowerCase() };
  const partSize = Number(Metadata[PART_SIZE]);
  const isOfThese = Number.isInteger(partSize) && partSize > 0 && Math.ceil(size / partSize) === Number(parts);
  return isOfThese ? { algorithm: 'md5-parts', value: value.toLowerCase(), partSize } : undefined;
}

/** Reads the names in a listing, which are written as in a form, a space as `+`, when it says so. */
export function namesIn({ EncodingType }: { readonly EncodingType?: string | undefined }): (text: string) => string {
  return EncodingType === 'url' ? (text) => decodeURIComponent(text.replaceAll('+', ' ')) : (text) => text;
}

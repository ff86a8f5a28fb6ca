/** How S3 writes times, lengths, checksums and names. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Digest } from './digest.js';

/** Where rclone keeps a file's time, too. */
export const TIME = 'x-amz-meta-mtime';
const PART_SIZE = 'x-amz-meta-mindts-part-size';
const META = 'x-amz-meta-';

/** The value of {@link TIME}. */
export function secondsOf(modified: number): string {
  return (modified / 1000).toFixed(3);
}

/**
 * What is kept with an object: its time, and how long its parts are. Without that the ETag of what came in parts cannot be computed, and
 * few servers tell.
 */
export function metadataOf({
  modified,
  partSize,
}: {
  readonly modified: number;
  readonly partSize?: number;
}): Record<string, string> {
  return {
    [TIME.slice(META.length)]: secondsOf(modified),
    ...(partSize !== undefined && { [PART_SIZE.slice(META.length)]: String(partSize) }),
  };
}

/** The time that was kept, else that of the upload, in whole milliseconds. */
export function timeIn(headers: IncomingHttpHeaders): number | undefined {
  const kept = String(headers[TIME] ?? '');
  if (/^-?\d+(\.\d+)?$/.test(kept)) return Math.round(Number(kept) * 1000);
  const uploaded = Date.parse(headers['last-modified'] ?? '');
  return Number.isNaN(uploaded) ? undefined : uploaded;
}

/** The length of parts that was kept. */
export function partSizeIn(headers: IncomingHttpHeaders): number {
  return Number(headers[PART_SIZE]);
}

/** How long the content is. */
export function lengthIn({ 'content-length': length = '' }: IncomingHttpHeaders): number | undefined {
  return /^\d+$/.test(length) ? Number(length) : undefined;
}

/** The checksum that an ETag is: of the whole, or of parts of this length. */
export function digestIn(etag = '', size = 0, partSize = Number.NaN): Digest | undefined {
  const [, value, , parts] = /^"?([0-9a-f]{32}(-(\d+))?)"?$/i.exec(etag) ?? [];
  if (value === undefined) return undefined;
  if (parts === undefined) return { algorithm: 'md5', value: value.toLowerCase() };
  const isOfThese = Number.isInteger(partSize) && partSize > 0 && Math.ceil(size / partSize) === Number(parts);
  return isOfThese ? { algorithm: 'md5-parts', value: value.toLowerCase(), partSize } : undefined;
}

/** An MD5, given in hexadecimal digits, as `Content-MD5` has it. */
export function base64(hex: string): string {
  return Buffer.from(hex, 'hex').toString('base64');
}

/** Reads the names in a listing, which are written as in a form, a space as `+`, when it says so. */
export function namesIn({ EncodingType }: { readonly EncodingType?: string | undefined }): (text: string) => string {
  return EncodingType === 'url' ? (text) => decodeURIComponent(text.replaceAll('+', ' ')) : (text) => text;
}

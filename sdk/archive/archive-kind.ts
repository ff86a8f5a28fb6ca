/** Which kind of archive something is, by its first bytes: names lie. */
import { Header } from 'tar/header';

/** `gzip` may hold a tar; what else it may hold is seen when it is unpacked. */
export type ArchiveKind = 'zip' | 'gzip' | 'tar';

/** How many of the first bytes {@link archiveKind} looks at: a tar's first header. */
export const HEAD_BYTES = 512;

/**
 * The kind of the archive that begins with these bytes; undefined when it is none of them. Whether it is whole does not matter.
 *
 * @param head the first {@link HEAD_BYTES} bytes, or all when there are fewer
 * @example
 * archiveKind(Uint8Array.of(0x50, 0x4b, 3, 4)); // 'zip'
 * archiveKind(new Uint8Array(512)); // undefined
 */
export function archiveKind(head: Uint8Array): ArchiveKind | undefined {
  const [a, b, c, d] = head;
  // A file, or the end of an empty archive.
  if (a === 0x50 && b === 0x4b && ((c === 3 && d === 4) || (c === 5 && d === 6))) return 'zip';
  if (a === 0x1f && b === 0x8b && c === 8) return 'gzip';
  const block = Buffer.from(head.buffer, head.byteOffset, head.byteLength);
  // The oldest form, V7, has no mark but its checksum.
  return hasTarMark(block) || tarHeader(block) !== undefined ? 'tar' : undefined;
}

/** Whether a block, damaged or not, is marked as a tar header of any form but the oldest. */
export function hasTarMark(block: Buffer): boolean {
  return block.toString('latin1', 257, 262) === 'ustar';
}

/** What a block says if it is a whole tar header, by its checksum. */
export function tarHeader(block: Buffer): Header | undefined {
  if (block.length < HEAD_BYTES) return undefined;
  try {
    const header = new Header(block, 0);
    return header.cksumValid ? header : undefined;
  } catch {
    // A number that is none: then it is no header, which is the answer.
    return undefined;
  }
}

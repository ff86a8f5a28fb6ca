import { crc32 } from 'node:zlib';

/**
 * The CRC-32 of chunks of bytes, one after another.
 *
 * @example
 * checksum([Buffer.from('1234'), Buffer.from('56789')]).toString(16); // 'cbf43926'
 */
export function checksum(chunks: readonly Uint8Array[]): number {
  // For an empty array without memory Node's crc32 gives 0, whatever it is to go on from (seen in 20.20).
  return chunks.reduce((crc, chunk) => (chunk.length === 0 ? crc : crc32(chunk, crc)), 0);
}

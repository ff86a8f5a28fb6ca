/**
 * The checksum that HDFS gives for a file: the MD5 of its blocks' MD5s, each of the CRC-32Cs (big-endian) of the block's every 512
 * bytes. Hadoop hashes the whole buffer that the blocks' MD5s are in, which begins with 32 bytes and doubles, so zeros count too. CRC-32C is the Castagnoli polynomial, reflected 0x82f63b78; eight bytes go at once through eight tables (“slicing by 8”,
 * Kounavis and Berry, 2005).
 */
import { createHash } from 'node:crypto';
import type { Hasher } from './digest.js';

/** Bytes that one CRC is of: HDFS's default, `dfs.bytes-per-checksum`. */
export const BYTES_PER_CRC = 512;

/** @param blockSize of the file, in bytes: a multiple of 512 */
export function blocksHasher(blockSize: number): Hasher {
  const whole = createHash('md5');
  let blocks = 0;
  let block = createHash('md5');
  let [crc, inChunk, inBlock] = [-1, 0, 0];
  function endChunk(): void {
    const sum = Buffer.alloc(4);
    sum.writeInt32BE(~crc);
    block.update(sum);
    [crc, inChunk] = [-1, 0];
  }
  function endBlock(): void {
    if (inChunk > 0) endChunk();
    whole.update(block.digest());
    blocks++;
    block = createHash('md5');
    inBlock = 0;
  }
  return {
    update(data) {
      for (let at = 0; at < data.length; ) {
        const end = at + Math.min(BYTES_PER_CRC - inChunk, data.length - at);
        crc = crc32c(crc, data, at, end);
        inChunk += end - at;
        inBlock += end - at;
        at = end;
        if (inChunk === BYTES_PER_CRC) endChunk();
        if (inBlock === blockSize) endBlock();
      }
    },
    value() {
      if (inBlock > 0) endBlock();
      let room = 32;
      while (room < 16 * blocks) room *= 2;
      whole.update(new Uint8Array(room - 16 * blocks));
      return whole.digest('hex');
    },
  };
}

/** Eight tables of 256 in a row: the first is of one byte, each next of a byte that one more zero follows. */
const TABLES = new Int32Array(8 * 256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte;
  for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f63b78 : 0);
  TABLES[byte] = crc;
}
for (let i = 256; i < TABLES.length; i++) TABLES[i] = (TABLES[i - 256] >>> 8) ^ TABLES[TABLES[i - 256] & 255];

/** `crc` and the result are the register itself, not its complement. */
function crc32c(crc: number, data: Uint8Array, start: number, end: number): number {
  let at = start;
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ (data[at] | (data[at + 1] << 8) | (data[at + 2] << 16) | (data[at + 3] << 24));
    crc =
      TABLES[1792 + (low & 255)] ^
      TABLES[1536 + ((low >>> 8) & 255)] ^
      TABLES[1280 + ((low >>> 16) & 255)] ^
      TABLES[1024 + (low >>> 24)] ^
      TABLES[768 + data[at + 4]] ^
      TABLES[512 + data[at + 5]] ^
      TABLES[256 + data[at + 6]] ^
      TABLES[data[at + 7]];
  }
  for (; at < end; at++) crc = (crc >>> 8) ^ TABLES[(crc ^ data[at]) & 255];
  return crc;
}

/** Checksums that stores give for their files, computed here from the bytes in their order. */
import { createHash } from 'node:crypto';
import { blocksHasher } from './crc-digest.js';
import { Crc64 } from './crc64.js';

/**
 * What a store says of a file's content.
 * `md5`: of the whole. `md5-parts`: the MD5 of the MD5s of its parts, of `partSize` bytes each but the last, and `-` and their number, as
 * S3 gives it (its ETag) for what was uploaded in parts. `crc64`: CRC-64/XZ of the whole as a decimal number, as OSS gives it.
 * `md5-crc32c`: HDFS's, of blocks of `blockSize` bytes.
 */
export type Digest =
  | { readonly algorithm: 'md5' | 'crc64'; readonly value: string }
  | { readonly algorithm: 'md5-parts'; readonly value: string; readonly partSize: number }
  | { readonly algorithm: 'md5-crc32c'; readonly value: string; readonly blockSize: number };

/** Takes a file's bytes in their order; `value` then says what the store must have said. */
export interface Hasher {
  update(data: Uint8Array): void;
  value(): string;
}

/**
 * A hasher that computes what a store gave as a digest.
 *
 * @example
 * const hasher = hasherFor({ algorithm: 'md5', value: '' });
 * hasher.update(Buffer.from('seven'));
 * hasher.value(); // 'bb3aec0fdcdbc2974890f805c585d432'
 */
export function hasherFor(digest: Digest): Hasher {
  switch (digest.algorithm) {
    case 'md5': {
      const hash = createHash('md5');
      return { update: (data) => void hash.update(data), value: () => hash.digest('hex') };
    }
    case 'md5-parts':
      return partsHasher(digest.partSize);
    case 'crc64': {
      const sum = new Crc64();
      return { update: (data) => sum.update(data), value: () => sum.value().toString() };
    }
    case 'md5-crc32c':
      return blocksHasher(digest.blockSize);
    default:
      return digest satisfies never;
  }
}

/** MD5 in hexadecimal digits. */
export function md5(data: Uint8Array): string {
  return createHash('md5').update(data).digest('hex');
}

function partsHasher(partSize: number): Hasher {
  const whole = createHash('md5');
  let part = createHash('md5');
  let [room, parts] = [partSize, 0];
  function endPart(): void {
    whole.update(part.digest());
    part = createHash('md5');
    room = partSize;
    parts++;
  }
  return {
    update(data) {
      for (let at = 0; at < data.length; ) {
        const taken = Math.min(room, data.length - at);
        part.update(data.subarray(at, at + taken));
        at += taken;
        room -= taken;
        if (room === 0) endPart();
      }
    },
    value() {
      if (room < partSize || parts === 0) endPart();
      return `${whole.digest('hex')}-${parts}`;
    },
  };
}

/** The bytes of a sparse file from front to back; what it lacks is an error. */
import { CheckpointError } from '../base/errors.js';
import { LIMITS } from './tensor-file.js';

/** Reads one thing after another. */
export class SparseReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(
    bytes: Uint8Array,
    readonly source: string,
  ) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** How many bytes are left. */
  get left(): number {
    return this.#bytes.length - this.#at;
  }

  uint8(): number {
    return this.take(1)[0];
  }

  uint32(): number {
    return this.take(4).readUInt32LE();
  }

  /** @throws CheckpointError `E_CKPT_LIMIT` for a text longer than any file has, `E_CKPT_FORMAT` for what is not UTF-8 */
  string(): string {
    const length = this.uint32();
    if (length > LIMITS.textLength) {
      throw new CheckpointError('E_CKPT_LIMIT', `${this.source}: a name or text of ${length} bytes is too long`);
    }
    const bytes = this.take(length);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.malformed('a name or text is not UTF-8');
    }
  }

  /** @throws CheckpointError `E_CKPT_TRUNCATED` when so many are not left */
  take(length: number): Buffer {
    if (length > this.left) {
      throw new CheckpointError(
        'E_CKPT_TRUNCATED',
        `${this.source}: ends ${length - this.left} bytes too early; copy it again, or use an older file`,
      );
    }
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  malformed(what: string): CheckpointError {
    return new CheckpointError('E_CKPT_FORMAT', `${this.source}: not a sparse parameter file, or damaged: ${what}`);
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

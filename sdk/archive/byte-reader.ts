/** Reads bytes in their order, in pieces of the size that is asked for, out of one long stream of chunks. */
import { addAbortSignal, type Readable } from 'node:stream';

interface Options {
  /** What an error of the stream, or its early end (`unexpected EOF`), becomes. */
  readonly failed: (error: unknown) => Error;
  readonly signal?: AbortSignal | undefined;
}

/** How far ahead a place may lie for the stream to be read up to it, rather than begun again there. */
const NEAR = 1 << 20;

/** A reader. When it is done with, whether well or not, it must be closed. */
export class ByteReader {
  /** The place of the next byte. */
  position = 0;
  private rest: Buffer = Buffer.alloc(0);
  private source: Readable | undefined;
  private chunks: AsyncIterator<Uint8Array> | undefined;

  /** @param open gives the bytes from a place on; it is called with 0 alone, unless {@link seek} is */
  constructor(
    private readonly open: (start: number) => Readable,
    private readonly options: Options,
  ) {}

  /** The next `length` bytes: a view where they came in one piece. */
  async take(length: number): Promise<Buffer> {
    if (this.rest.length < length) await this.gather(length);
    return this.cut(length);
  }

  /** What is there next: at least one byte, at most `most`; undefined at the end of the stream. */
  async some(most: number): Promise<Buffer | undefined> {
    if (this.rest.length === 0 && !(await this.next())) return undefined;
    return this.cut(Math.min(most, this.rest.length));
  }

  async skip(length: number): Promise<void> {
    for (let left = length; left > 0; ) {
      const passed = await this.some(left);
      if (passed === undefined) throw this.ended();
      left -= passed.length;
    }
  }

  /** Goes to a place: on the same stream where it lies near ahead, else on a new one. */
  async seek(position: number): Promise<void> {
    const ahead = position - this.position;
    if (ahead >= 0 && (ahead <= this.rest.length || (this.chunks !== undefined && ahead <= NEAR))) {
      await this.skip(ahead);
      return;
    }
    this.close();
    this.position = position;
  }

  /** The next bytes up to a length, chunk by chunk as they come. */
  async *stream(length: number): AsyncGenerator<Buffer> {
    for (let left = length; left > 0; ) {
      const chunk = await this.some(left);
      if (chunk === undefined) throw this.ended();
      left -= chunk.length;
      yield chunk;
    }
  }

  close(): void {
    // Not the iterator's own end, which would wait for bytes that are on their way, or are not.
    this.source?.destroy();
    this.source = undefined;
    this.chunks = undefined;
    this.rest = Buffer.alloc(0);
  }

  private cut(length: number): Buffer {
    const piece = this.rest.subarray(0, length);
    this.rest = this.rest.subarray(length);
    this.position += length;
    return piece;
  }

  private async gather(length: number): Promise<void> {
    const pieces = [this.rest];
    for (let have = this.rest.length; have < length; have += this.rest.length) {
      if (!(await this.next())) throw this.ended();
      pieces.push(this.rest);
    }
    this.rest = Buffer.concat(pieces);
  }

  /** Brings the next chunk that is not empty; false at the end. */
  private async next(): Promise<boolean> {
    try {
      this.chunks ??= this.begin();
      for (;;) {
        const { done, value } = await this.chunks.next();
        if (done === true) return false;
        if (value.length === 0) continue;
        this.rest = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
        return true;
      }
    } catch (error) {
      throw this.options.failed(error);
    }
  }

  private begin(): AsyncIterator<Uint8Array> {
    const { signal } = this.options;
    this.source = this.open(this.position);
    if (signal !== undefined) addAbortSignal(signal, this.source);
    return this.source[Symbol.asyncIterator]();
  }

  private ended(): Error {
    return this.options.failed(new Error('unexpected EOF'));
  }
}

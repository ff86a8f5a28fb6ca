/** As much of the protobuf wire format (https://protobuf.dev/programming-guides/encoding/) as parameter files need. */
import { CheckpointError } from '../base/errors.js';

/** How a field's value lies on the wire; 3 and 4 are groups, which nobody writes any more. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

/** The bytes of a whole number in [0, 2⁵³): seven bits each, the lowest first. */
export function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest % 0x80) | 0x80);
    rest = Math.floor(rest / 0x80);
  }
  bytes.push(rest);
  return bytes;
}

/** The bytes before a length-delimited field's content. */
export function bytesHead(field: number, length: number): number[] {
  return [...varint(field * 8 + WIRE.bytes), ...varint(length)];
}

/** A message that is being written, in pieces, so that large contents are not copied until the end. */
export type Message = readonly Uint8Array[];

/** A field that is a whole number in [0, 2⁵³). */
export function numberField(field: number, value: number): Message {
  return [Uint8Array.from([...varint(field * 8 + WIRE.varint), ...varint(value)])];
}

/** A field that is a float32. */
export function floatField(field: number, value: number): Message {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return [Uint8Array.from(varint(field * 8 + WIRE.fixed32)), bytes];
}

/** A field that is a text. */
export function textField(field: number, text: string): Message {
  return messageField(field, [Buffer.from(text)]);
}

/** A field that is bytes, or another message. */
export function messageField(field: number, content: Message): Message {
  return [Uint8Array.from(bytesHead(field, byteLength(content))), ...content];
}

/** How many bytes a message has. */
export function byteLength(message: Message): number {
  return message.reduce((sum, { length }) => sum + length, 0);
}

/**
 * Reads a message front to back. Every length is checked against the bytes that are there.
 *
 * @throws CheckpointError from every method: `E_CKPT_TRUNCATED` where the file ends too early, `E_CKPT_FORMAT` for
 *   what is no protobuf message
 */
export class MessageReader {
  private position: number;
  private readonly end: number;

  /**
   * @param file all bytes of the file
   * @param origin for errors: the file's name, and what it should be: `a Caffe model`
   * @param range where the message begins and ends; default: the whole file
   */
  constructor(
    private readonly file: Uint8Array,
    readonly origin: { readonly source: string; readonly format: string },
    range: readonly [from: number, end: number] = [0, file.length],
  ) {
    [this.position, this.end] = range;
  }

  get done(): boolean {
    return this.position === this.end;
  }

  /** The next field's number and wire type. */
  field(): { readonly number: number; readonly wire: number } {
    const tag = this.varint();
    const number = Math.floor(tag / 8);
    if (number === 0 || tag >= 2 ** 32) throw this.malformed('a field has an impossible number');
    return { number, wire: tag % 8 };
  }

  /** A whole number; one that is negative or at least 2⁵³ is refused, since nothing here counts so far. */
  varint(): number {
    const value = this.anyVarint();
    if (!Number.isSafeInteger(value)) throw this.malformed('a size is negative or too large');
    return value;
  }

  /** The content of a length-delimited field, not copied. */
  bytes(wire: number): Uint8Array {
    const [from, to] = this.range(wire);
    return this.file.subarray(from, to);
  }

  /** The 4 or 8 bytes of a fixed-width number, not copied. */
  fixed(wire: typeof WIRE.fixed32 | typeof WIRE.fixed64): Uint8Array {
    const size = wire === WIRE.fixed32 ? 4 : 8;
    this.require(size);
    this.position += size;
    return this.file.subarray(this.position - size, this.position);
  }

  /** A text of at most `limit` bytes. */
  text(wire: number, limit: number): string {
    const bytes = this.bytes(wire);
    if (bytes.length > limit) throw this.malformed(`a name of ${bytes.length} bytes`);
    try {
      return utf8.decode(bytes);
    } catch {
      throw this.malformed('a name is not UTF-8');
    }
  }

  /** A reader of the message inside a length-delimited field. */
  message(wire: number): MessageReader {
    return new MessageReader(this.file, this.origin, this.range(wire));
  }

  /** A reader of what this one has not read yet. */
  fork(): MessageReader {
    return new MessageReader(this.file, this.origin, [this.position, this.end]);
  }

  /** Passes over a field that means nothing here. */
  skip(wire: number): void {
    switch (wire) {
      case WIRE.varint:
        // Not by `varint`: what means nothing here may well be negative.
        this.anyVarint();
        break;
      case WIRE.bytes:
        this.range(wire);
        break;
      case WIRE.fixed32:
      case WIRE.fixed64:
        this.fixed(wire);
        break;
      default:
        throw this.malformed(`a field of unknown kind ${wire}`);
    }
  }

  /** The error for a message that is not what it should be. */
  malformed(what: string): CheckpointError {
    return new CheckpointError(
      'E_CKPT_FORMAT',
      `${this.origin.source}: not ${this.origin.format}, or damaged: ${what} (before byte ${this.position})`,
    );
  }

  /** Inexact from 2⁵³ on. */
  private anyVarint(): number {
    let value = 0;
    for (let i = 0; i < 10; i++) {
      this.require(1);
      const byte = this.file[this.position++];
      value += (byte & 0x7f) * 2 ** (7 * i);
      if (byte < 0x80) return value;
    }
    throw this.malformed('a number runs over more than 10 bytes');
  }

  private range(wire: number): [from: number, to: number] {
    if (wire !== WIRE.bytes) throw this.malformed(`a field of kind ${wire} where bytes belong`);
    const length = this.varint();
    this.require(length);
    const from = this.position;
    this.position += length;
    return [from, this.position];
  }

  private require(length: number): void {
    const missing = this.position + length - this.end;
    if (missing <= 0) return;
    if (this.end < this.file.length) throw this.malformed('a field is longer than what it is in');
    throw new CheckpointError(
      'E_CKPT_TRUNCATED',
      `${this.origin.source}: ends at byte ${this.end}, ${missing} bytes too early; copy it again, or use an older checkpoint`,
    );
  }
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Caffe models put together by hand, field by field. */
import {
  floatField,
  type Message,
  messageField,
  numberField,
  textField,
  varint,
  WIRE,
} from '../../sdk/checkpoint/protobuf.js';

/** What a test's layer holds. */
export interface Layer {
  readonly name: string;
  readonly type: string;
  readonly bottoms?: readonly string[];
  readonly tops?: readonly string[];
  readonly blobs?: readonly Message[];
  /** Further fields of the LayerParameter. */
  readonly more?: Message;
}

/** A NetParameter of layers in the form of today. */
export function net(...layers: readonly Layer[]): Buffer {
  return Buffer.concat([...textField(1, 'net'), ...layers.flatMap(layerField)]);
}

export function layerField({ name, type, bottoms = [], tops = [], blobs = [], more = [] }: Layer): Message {
  return messageField(100, [
    ...textField(1, name),
    ...textField(2, type),
    ...bottoms.flatMap((bottom) => textField(3, bottom)),
    ...tops.flatMap((top) => textField(4, top)),
    ...blobs.flatMap((content) => messageField(7, content)),
    ...more,
  ]);
}

/** A layer in V1's form; `type` is its number there. */
export function v1Field(name: string, type: number, blobs: readonly Message[]): Message {
  return messageField(2, [
    ...textField(2, 'data'),
    ...textField(3, name),
    ...textField(4, name),
    ...numberField(5, type),
    ...blobs.flatMap((content) => messageField(6, content)),
  ]);
}

export function blob(shape: readonly number[], ...values: readonly number[]): Message {
  const data = new Uint8Array(Float32Array.from(values).buffer);
  return [...messageField(5, [data]), ...shapeField(shape)];
}

export function shapeField(shape: readonly number[]): Message {
  return messageField(7, messageField(1, [Uint8Array.from(shape.flatMap(varint))]));
}

/** Before 2014: four sizes; and numbers one by one, as proto2 writes them where it is not told to pack. */
export function oldBlob(sizes: readonly [number, number, number, number], ...values: readonly number[]): Message {
  return [...sizes.flatMap((size, i) => numberField(i + 1, size)), ...values.flatMap((value) => floatField(5, value))];
}

export function doubleBlob(shape: readonly number[], ...values: readonly number[]): Message {
  const [first, ...rest] = values;
  const single = Buffer.concat([Uint8Array.of(8 * 8 + WIRE.fixed64), new Uint8Array(Float64Array.of(first).buffer)]);
  return [single, ...messageField(8, [new Uint8Array(Float64Array.from(rest).buffer)]), ...shapeField(shape)];
}

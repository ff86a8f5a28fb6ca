/** Numbers as they lie in a file, little-endian, as is every machine that Node and the engines run on. */
import { CheckpointError } from '../base/errors.js';
import { elementCount, type Float32Tensor, INT64_NAMES, LIMITS, quoted, type Tensor } from './tensor-file.js';

/** An element type, by MindSpore's name for it. */
export type ElementType = FloatType | `Int${8 | 16 | 32 | 64}` | `UInt${8 | 16 | 32 | 64}` | 'Bool';

/** Those that become Float32. */
export type FloatType = `Float${16 | 32 | 64}` | 'BFloat16';

interface Element {
  /** In bytes. */
  readonly size: number;
  readonly read: (view: DataView, at: number) => number;
}

const ELEMENTS: Readonly<Record<ElementType, Element>> = {
  Float32: { size: 4, read: (view, at) => view.getFloat32(at, true) },
  Float64: { size: 8, read: (view, at) => view.getFloat64(at, true) },
  Float16: { size: 2, read: (view, at) => float16(view.getUint16(at, true)) },
  BFloat16: { size: 2, read: (view, at) => bfloat16(view.getUint16(at, true)) },
  Int8: { size: 1, read: (view, at) => view.getInt8(at) },
  UInt8: { size: 1, read: (view, at) => view.getUint8(at) },
  Int16: { size: 2, read: (view, at) => view.getInt16(at, true) },
  UInt16: { size: 2, read: (view, at) => view.getUint16(at, true) },
  Int32: { size: 4, read: (view, at) => view.getInt32(at, true) },
  UInt32: { size: 4, read: (view, at) => view.getUint32(at, true) },
  Int64: { size: 8, read: (view, at) => Number(view.getBigInt64(at, true)) },
  UInt64: { size: 8, read: (view, at) => Number(view.getBigUint64(at, true)) },
  Bool: { size: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
};

/** Whether a name from a file is one of the types that can be read. */
export function isElementType(type: string): type is ElementType {
  return Object.hasOwn(ELEMENTS, type);
}

/** Where bytes come from. */
export interface Place {
  /** The file's name, for errors. */
  readonly source: string;
  /** The tensor's name. */
  readonly name: string;
}

/**
 * Bytes to numbers; see {@link Tensor} for what becomes of each type.
 *
 * @throws CheckpointError `E_CKPT_FORMAT` when the bytes do not fill the shape, `E_CKPT_RANGE` for an integer beyond
 *   Int32 or a finite Float64 beyond Float32
 */
export function decodeTensor(type: FloatType, shape: readonly number[], bytes: Uint8Array, place: Place): Float32Tensor;
export function decodeTensor(type: ElementType, shape: readonly number[], bytes: Uint8Array, place: Place): Tensor;
export function decodeTensor(type: ElementType, shape: readonly number[], bytes: Uint8Array, place: Place): Tensor {
  const { size, read } = ELEMENTS[type];
  const count = elementCount(shape);
  if (shape.length > LIMITS.dimensions || count * size !== bytes.length) {
    throw new CheckpointError(
      'E_CKPT_FORMAT',
      `${place.source}: ${quoted(place.name)} has ${bytes.length} bytes, and its shape [${shape.slice(0, LIMITS.dimensions)}] of ${type} needs ${count * size}`,
    );
  }
  // Copied as bytes, so that the payload of a NaN survives (and not by slice, which in a Buffer does not copy).
  if (type === 'Float32') return { shape, data: new Float32Array(new Uint8Array(bytes).buffer) };
  if (type === 'Int32') return { shape, data: new Int32Array(new Uint8Array(bytes).buffer) };

  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const data = type.includes('Float') ? new Float32Array(count) : new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const value = read(view, i * size);
    data[i] = value;
    const kept = data[i];
    const fits = data instanceof Float32Array ? Number.isFinite(kept) === Number.isFinite(value) : kept === value;
    if (!fits) {
      throw new CheckpointError(
        'E_CKPT_RANGE',
        `${place.source}: ${quoted(place.name)} holds ${value} (${type}), which does not fit ${data instanceof Float32Array ? 'Float32' : 'Int32'}`,
      );
    }
  }
  return { shape, data };
}

/** A tensor's type in the file, and its bytes there (shared with the tensor where they are the same). */
export function encodeTensor(
  name: string,
  { data }: Tensor,
): { readonly type: ElementType; readonly bytes: Uint8Array } {
  if (data instanceof Float32Array) return { type: 'Float32', bytes: bytesOf(data) };
  if (INT64_NAMES.has(name)) return { type: 'Int64', bytes: bytesOf(BigInt64Array.from(data, BigInt)) };
  return { type: 'Int32', bytes: bytesOf(data) };
}

function bytesOf(data: Float32Array | Int32Array | BigInt64Array): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent (bias 15), 10 of fraction. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction === 0 ? sign * Infinity : Number.NaN;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The upper half of a binary32. */
function bfloat16(bits: number): number {
  scratch.setUint32(0, bits << 16);
  return scratch.getFloat32(0);
}

const scratch = new DataView(new ArrayBuffer(4));

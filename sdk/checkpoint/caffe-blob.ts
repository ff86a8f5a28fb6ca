/**
 * Arrays in a Caffe model, of caffe.proto (proto2):
 *
 *     BlobProto { optional int32 num = 1, channels = 2, height = 3, width = 4; repeated float data = 5 [packed];
 *                 optional BlobShape shape = 7; repeated double double_data = 8 [packed] }
 *     BlobShape { repeated int64 dim = 1 [packed] }
 *
 * Before 2014 every array had the four sizes num, channels, height and width, with ones in front.
 */
import { CheckpointError } from '../base/errors.js';
import { decodeTensor, type Place } from './elements.js';
import { type Message, type MessageReader, messageField, varint, WIRE } from './protobuf.js';
import { type Float32Tensor, LIMITS, quoted } from './tensor-file.js';

/** The fields of a repeated number, and how one alone lies there. */
const NUMBERS = {
  Float32: { field: 5, single: WIRE.fixed32 },
  Float64: { field: 8, single: WIRE.fixed64 },
} as const;

/**
 * Reads a BlobProto. Sizes of 1 that an old file puts in front are taken off until `rank` are left; of a vector (rank 1)
 * wherever they are.
 *
 * @throws CheckpointError `E_CKPT_FORMAT`, `E_CKPT_TRUNCATED`, `E_CKPT_RANGE`
 */
export function readBlob(blob: MessageReader, rank: number, place: Place): Float32Tensor {
  const shape = ofRank(readShape(blob.fork()), rank, place);
  // As Caffe reads it: single precision counts where there is no double.
  const doubles = readNumbers(blob, 'Float64');
  return doubles.length > 0
    ? decodeTensor('Float64', shape, doubles, place)
    : decodeTensor('Float32', shape, readNumbers(blob, 'Float32'), place);
}

/** A BlobProto. */
export function encodeBlob({ shape, data }: Float32Tensor): Message {
  const numbers = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const dims = Uint8Array.from(shape.flatMap(varint));
  return [...messageField(NUMBERS.Float32.field, [numbers]), ...messageField(7, messageField(1, [dims]))];
}

function readShape(blob: MessageReader): readonly number[] {
  const old = [0, 0, 0, 0];
  let isOld = false;
  let shape: readonly number[] = [];
  while (!blob.done) {
    const { number, wire } = blob.field();
    if (number <= 4 && wire === WIRE.varint) {
      old[number - 1] = blob.varint();
      isOld = true;
    } else if (number === 7) shape = readDims(blob.message(wire));
    else blob.skip(wire);
  }
  return isOld ? old : shape;
}

function readDims(shape: MessageReader): readonly number[] {
  const dims: number[] = [];
  const take = (from: MessageReader): void => {
    if (dims.length === LIMITS.dimensions) throw from.malformed(`more than ${LIMITS.dimensions} dimensions`);
    dims.push(from.varint());
  };
  while (!shape.done) {
    const { number, wire } = shape.field();
    if (number !== 1) shape.skip(wire);
    else if (wire === WIRE.varint) take(shape);
    else for (const packed = shape.message(wire); !packed.done; ) take(packed);
  }
  return dims;
}

function ofRank(shape: readonly number[], rank: number, { source, name }: Place): readonly number[] {
  const sizes = shape.filter((size) => size !== 1);
  if (rank === 1 && sizes.length <= 1) return sizes.length === 1 ? sizes : [1];
  const ones = shape.length - rank;
  if (ones >= 0 && shape.slice(0, ones).every((size) => size === 1)) return shape.slice(ones);
  throw new CheckpointError(
    'E_CKPT_FORMAT',
    `${source}: ${quoted(name)} has the shape [${shape.join(', ')}] where ${rank} dimensions belong`,
  );
}

/** The numbers of one type, which may be packed, or stand one by one, or both, put together. */
function readNumbers(blob: MessageReader, type: keyof typeof NUMBERS): Uint8Array {
  // Twice over: first to count. One by one, numbers would take many times their bytes while they are collected.
  let length = 0;
  eachChunk(blob.fork(), type, (chunk) => (length += chunk.length));
  const bytes = new Uint8Array(length);
  let at = 0;
  eachChunk(blob.fork(), type, (chunk) => {
    bytes.set(chunk, at);
    at += chunk.length;
  });
  return bytes;
}

function eachChunk(blob: MessageReader, type: keyof typeof NUMBERS, visit: (chunk: Uint8Array) => unknown): void {
  const { field, single } = NUMBERS[type];
  while (!blob.done) {
    const { number, wire } = blob.field();
    if (number !== field) blob.skip(wire);
    else visit(wire === single ? blob.fixed(single) : blob.bytes(wire));
  }
}

/**
 * MindSpore's own parameter files, `.ckpt`. The format is that of MindSpore's `checkpoint.proto` (proto2):
 *
 *     Checkpoint  { repeated Value value = 1 }
 *     Value       { required string tag = 1; oneof { TensorProto tensor = 2; MapTensorProto maptensor = 3 } }
 *     TensorProto { repeated int64 dims = 1; required string tensor_type = 2; required bytes tensor_content = 3 }
 *
 * A tensor of more than 512 MiB is split into adjacent Values of one tag, each with all the dims. A text has the type
 * `str`, the dims [0] and the content UTF-32LE.
 */
import { CheckpointError } from '../base/errors.js';
import { decodeTensor, encodeTensor, isElementType } from './elements.js';
import { sealed, unsealed } from './mindspore-seal.js';
import { bytesHead, MessageReader, varint, WIRE } from './protobuf.js';
import { LIMITS, type OpenTensorFile, quoted, requireNew, requireWritable, type TensorFile } from './tensor-file.js';
import { decodeUtf32, encodeUtf32 } from './utf32.js';

const SLICE_BYTES = 512 * 1024 * 1024;

/**
 * The bytes of a `.ckpt`: tensors, then texts, in their order. The same file always gives the same bytes.
 *
 * @param options sliceBytes: where a large tensor is split (default 512 MiB, as MindSpore does)
 * @throws CheckpointError `E_CKPT_NAME`, `E_CKPT_VALUE` for what the format cannot hold
 * @example
 * const file = { tensors: new Map([['fc.bias', { shape: [2], data: new Float32Array(2) }]]), texts: new Map() };
 * decodeMindSpore(encodeMindSpore(file), 'a.ckpt').tensors.get('fc.bias')?.shape; // [2]
 */
export function encodeMindSpore(
  file: TensorFile,
  { sliceBytes = SLICE_BYTES }: { readonly sliceBytes?: number } = {},
): Uint8Array {
  requireWritable(file);
  const chunks: Uint8Array[] = [];
  for (const [name, tensor] of file.tensors) {
    const { type, bytes } = encodeTensor(name, tensor);
    for (let at = 0; at === 0 || at < bytes.length; at += sliceBytes) {
      const slice = bytes.subarray(at, at + sliceBytes);
      chunks.push(valueHead({ name, type, shape: tensor.shape, length: slice.length }), slice);
    }
  }
  for (const [name, text] of file.texts) {
    const bytes = encodeUtf32(name, text);
    chunks.push(valueHead({ name, type: 'str', shape: [0], length: bytes.length }), bytes);
  }
  return sealed(chunks);
}

/**
 * Reads a `.ckpt` of MindSpore or of ours. Entries of the kind `random_op` (states of MindSpore's own random
 * operators) are passed over.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_TRUNCATED`, `E_CKPT_FORMAT`, `E_CKPT_CRC`, `E_CKPT_DUPLICATE`, `E_CKPT_LIMIT` for a
 *   damaged file; `E_CKPT_TYPE`, `E_CKPT_RANGE` for numbers that cannot be read; `E_CKPT_UNSUPPORTED` for an encrypted
 *   file or a map parameter
 */
export function decodeMindSpore(bytes: Uint8Array, source: string): TensorFile {
  const file: OpenTensorFile = { tensors: new Map(), texts: new Map() };
  let pending: Entry | undefined;
  let count = 0;
  const reader = new MessageReader(unsealed(bytes, source), { source, format: 'a MindSpore checkpoint' });
  while (!reader.done) {
    const { number, wire } = reader.field();
    if (number !== 1) {
      reader.skip(wire);
      continue;
    }
    // Slices count too: a view of a few bytes costs more than they do.
    if (++count > LIMITS.entries) {
      throw new CheckpointError('E_CKPT_LIMIT', `${source}: has more than ${LIMITS.entries} entries`);
    }
    const entry = readValue(reader.message(wire), source);
    if (pending !== undefined && isSliceOf(pending, entry)) pending.slices.push(...entry.slices);
    else {
      if (pending !== undefined) add(file, pending, source);
      pending = entry;
    }
  }
  if (pending !== undefined) add(file, pending, source);
  return file;
}

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly number[];
  readonly slices: Uint8Array[];
}

/** The bytes of a Value before its content of `length` bytes. */
function valueHead({ name, type, shape, length }: Omit<Entry, 'slices'> & { readonly length: number }): Buffer {
  const typeName = Buffer.from(type);
  const tensor = [
    ...shape.flatMap((dimension) => [8 + WIRE.varint, ...varint(dimension)]),
    ...bytesHead(2, typeName.length),
    ...typeName,
    ...bytesHead(3, length),
  ];
  const tag = Buffer.from(name);
  const value = [...bytesHead(1, tag.length), ...tag, ...bytesHead(2, tensor.length + length), ...tensor];
  return Buffer.from([...bytesHead(1, value.length + length), ...value]);
}

function readValue(reader: MessageReader, source: string): Entry {
  let name: string | undefined;
  let tensor: Omit<Entry, 'name'> | undefined;
  let isMap = false;
  while (!reader.done) {
    const { number, wire } = reader.field();
    if (number === 1) name = reader.text(wire, LIMITS.nameLength * 4);
    else if (number === 2) tensor = readTensor(reader.message(wire));
    else {
      isMap ||= number === 3;
      reader.skip(wire);
    }
  }
  if (name === undefined) throw reader.malformed('an entry without a name');
  if (isMap) {
    throw new CheckpointError(
      'E_CKPT_UNSUPPORTED',
      `${source}: ${quoted(name)} is a map parameter, which cannot be read`,
    );
  }
  if (tensor === undefined) throw reader.malformed(`${quoted(name)} has no tensor`);
  return { name, ...tensor };
}

function readTensor(reader: MessageReader): Omit<Entry, 'name'> {
  const shape: number[] = [];
  let type: string | undefined;
  let content: Uint8Array | undefined;
  while (!reader.done) {
    const { number, wire } = reader.field();
    if (number === 1 && wire === WIRE.varint) shape.push(reader.varint());
    else if (number === 1) readPacked(reader.message(wire), shape);
    else if (number === 2) type = reader.text(wire, 64);
    else if (number === 3) content = reader.bytes(wire);
    else reader.skip(wire);
    if (shape.length > LIMITS.dimensions) throw reader.malformed(`more than ${LIMITS.dimensions} dimensions`);
  }
  if (type === undefined || content === undefined) throw reader.malformed('a tensor without type or content');
  return { type, shape, slices: [content] };
}

function readPacked(reader: MessageReader, into: number[]): void {
  while (!reader.done && into.length <= LIMITS.dimensions) into.push(reader.varint());
}

function isSliceOf(first: Entry, next: Entry): boolean {
  const isAlike = first.name === next.name && first.type === next.type && String(first.shape) === String(next.shape);
  // A text, or nothing, is never split: then the name is there twice.
  return isAlike && first.type !== 'str' && first.slices[0].length > 0 && next.slices[0].length > 0;
}

function add(file: OpenTensorFile, { name, type, shape, slices }: Entry, source: string): void {
  if (type === 'random_op') return;
  requireNew([file.tensors, file.texts], name, source);
  const place = { source, name };
  const bytes = slices.length === 1 ? slices[0] : Buffer.concat(slices);
  if (type === 'str') {
    file.texts.set(name, decodeUtf32(bytes, place));
    return;
  }
  if (!isElementType(type)) {
    throw new CheckpointError(
      'E_CKPT_TYPE',
      `${source}: ${quoted(name)} has the type ${quoted(type)}, which cannot be read`,
    );
  }
  // MindSpore 1 wrote scalars with the dims [0].
  const isScalar = shape.length === 1 && shape[0] === 0 && bytes.length > 0;
  file.tensors.set(name, decodeTensor(type, isScalar ? [] : shape, bytes, place));
}

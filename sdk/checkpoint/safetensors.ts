/**
 * safetensors (https://github.com/huggingface/safetensors#format): u64le length of the header, the header in JSON,
 * padded with spaces to 8 bytes, then the data, without holes. Texts are in the header's `__metadata__`, and with them,
 * in our files, a CRC-32 of all the rest. MindSpore's own `crc_num` is passed over: it takes a scalar n for n zeros.
 */
import { CheckpointError } from '../base/errors.js';
import { checksum } from './checksum.js';
import { decodeTensor, type ElementType, encodeTensor } from './elements.js';
import { METADATA, readHeader, type TensorInfo, writeHeader } from './safetensors-header.js';
import { isWellFormed, quoted, requireNew, requireWritable, type Tensor, type TensorFile } from './tensor-file.js';

/** What the specification allows, in bytes. */
const MAX_HEADER = 100_000_000;
const CHECKSUM = 'mindts.crc32';
const MINDSPORE_CHECKSUM = 'crc_num';

const TYPES: ReadonlyMap<string, ElementType> = new Map([
  ['F32', 'Float32'],
  ['F64', 'Float64'],
  ['F16', 'Float16'],
  ['BF16', 'BFloat16'],
  ['I8', 'Int8'],
  ['U8', 'UInt8'],
  ['I16', 'Int16'],
  ['U16', 'UInt16'],
  ['I32', 'Int32'],
  ['U32', 'UInt32'],
  ['I64', 'Int64'],
  ['U64', 'UInt64'],
  ['BOOL', 'Bool'],
]);
const DTYPES: ReadonlyMap<ElementType, string> = new Map([...TYPES].map(([dtype, type]) => [type, dtype]));

/**
 * The bytes of a safetensors file. The same file always gives the same bytes.
 *
 * @throws CheckpointError `E_CKPT_NAME`, `E_CKPT_VALUE` for what the format cannot hold
 * @example
 * const file = { tensors: new Map([['fc.bias', { shape: [2], data: new Float32Array(2) }]]), texts: new Map() };
 * decodeSafetensors(encodeSafetensors(file), 'a.safetensors').tensors.get('fc.bias')?.shape; // [2]
 */
export function encodeSafetensors(file: TensorFile): Uint8Array {
  requireWritable(file);
  for (const name of [METADATA, CHECKSUM, MINDSPORE_CHECKSUM]) {
    if (file.tensors.has(name) || file.texts.has(name)) {
      throw new CheckpointError('E_CKPT_NAME', `safetensors keeps the name ${name} for itself; rename the entry`);
    }
  }
  // In one order here and there: MindSpore refuses a header whose offsets do not rise.
  const infos: [string, TensorInfo][] = [];
  const data: Uint8Array[] = [];
  let begin = 0;
  for (const [name, tensor] of file.tensors) {
    const { type, bytes } = encodeTensor(name, tensor);
    const end = begin + bytes.length;
    infos.push([name, { dtype: DTYPES.get(type) ?? type, shape: tensor.shape, begin, end }]);
    data.push(bytes);
    begin = end;
  }
  const texts = [...file.texts, [CHECKSUM, checksumOf(infos, file.texts, data)] as const];
  const json = Buffer.from(writeHeader(infos, texts));
  const headerLength = Math.ceil(json.length / 8) * 8;
  if (headerLength > MAX_HEADER) {
    throw new CheckpointError('E_CKPT_VALUE', `safetensors allows ${MAX_HEADER} bytes of names and texts; use .ckpt`);
  }
  const head = Buffer.alloc(8 + headerLength, ' ');
  head.writeBigUInt64LE(BigInt(headerLength));
  json.copy(head, 8);
  return Buffer.concat([head, ...data]);
}

/**
 * Reads a safetensors file of anyone.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_TRUNCATED`, `E_CKPT_FORMAT`, `E_CKPT_CRC`, `E_CKPT_DUPLICATE`, `E_CKPT_LIMIT` for a
 *   damaged file; `E_CKPT_TYPE`, `E_CKPT_RANGE` for numbers that cannot be read
 */
export function decodeSafetensors(bytes: Uint8Array, source: string): TensorFile {
  const { json, data } = split(bytes, source);
  const infos = new Map<string, TensorInfo>();
  const texts = new Map<string, string>();
  const visitor = {
    tensor(name: string, info: TensorInfo): void {
      requireNew([infos, texts], name, source);
      infos.set(name, info);
    },
    text(name: string, text: string): void {
      requireNew([infos, texts], name, source);
      if (!isWellFormed(text)) throw malformed(source, `the text ${quoted(name)} holds half a surrogate pair`);
      texts.set(name, text);
    },
  };
  readHeader(json, visitor, source);
  // Before anything is copied: overlapping tensors would multiply the file's size.
  requireContiguous(infos, data.length, source);

  const expected = texts.get(CHECKSUM);
  texts.delete(CHECKSUM);
  if (expected !== undefined && expected !== checksumOf(infos, texts, [data])) {
    throw new CheckpointError(
      'E_CKPT_CRC',
      `${source}: is damaged (its checksum does not fit); copy it again, or use an older checkpoint`,
    );
  }
  texts.delete(MINDSPORE_CHECKSUM);
  const tensors = new Map<string, Tensor>();
  for (const [name, info] of infos) {
    const content = data.subarray(info.begin, info.end);
    tensors.set(name, decodeTensor(typeOf(name, info, source), info.shape, content, { source, name }));
  }
  return { tensors, texts };
}

/** Whether bytes begin as a safetensors file does. */
export function looksLikeSafetensors(bytes: Uint8Array): boolean {
  if (bytes.length < 9 || bytes[8] !== 0x7b) return false;
  return headerLengthOf(bytes) <= MAX_HEADER;
}

function split(bytes: Uint8Array, source: string): { json: string; data: Uint8Array } {
  if (bytes.length < 8) throw truncated(source, 8 - bytes.length);
  const length = headerLengthOf(bytes);
  if (length > MAX_HEADER) throw malformed(source, `a header of ${length} bytes`);
  if (8 + length > bytes.length) throw truncated(source, 8 + length - bytes.length);
  try {
    return { json: utf8.decode(bytes.subarray(8, 8 + length)), data: bytes.subarray(8 + length) };
  } catch {
    throw malformed(source, 'its header is not UTF-8');
  }
}

function headerLengthOf(bytes: Uint8Array): number {
  return Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}

function typeOf(name: string, { dtype }: TensorInfo, source: string): ElementType {
  const type = TYPES.get(dtype);
  if (type !== undefined) return type;
  throw new CheckpointError(
    'E_CKPT_TYPE',
    `${source}: ${quoted(name)} has the type ${quoted(dtype)}, which cannot be read`,
  );
}

/** Every byte of the data belongs to one tensor: no overlap, no hole, nothing missing. */
function requireContiguous(infos: ReadonlyMap<string, TensorInfo>, length: number, source: string): void {
  let at = 0;
  for (const [name, { begin, end }] of [...infos].sort(([, a], [, b]) => a.begin - b.begin || a.end - b.end)) {
    if (begin !== at || end < begin) {
      throw malformed(source, `${quoted(name)} has the bytes ${begin} to ${end} of the data, and ${at} is next`);
    }
    at = end;
  }
  if (at > length) throw truncated(source, at - length);
  if (at < length) throw malformed(source, `${length - at} bytes at its end belong to no tensor`);
}

/** Over the header as it is without the checksum, and the data. */
function checksumOf(
  infos: Iterable<readonly [string, TensorInfo]>,
  texts: ReadonlyMap<string, string>,
  data: readonly Uint8Array[],
): string {
  return String(checksum([Buffer.from(writeHeader(infos, texts)), ...data]));
}

function malformed(source: string, what: string): CheckpointError {
  return new CheckpointError('E_CKPT_FORMAT', `${source}: not a safetensors file, or damaged: ${what}`);
}

function truncated(source: string, missing: number): CheckpointError {
  return new CheckpointError(
    'E_CKPT_TRUNCATED',
    `${source}: ends ${missing} bytes too early; copy it again, or use an older checkpoint`,
  );
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Sparse parameter files, `.mtsp`: of each tensor the numbers that are not 0, and where they are, by compressed rows (CSR) with small relative
 * indices, after Han, Mao, Dally 2016 (https://arxiv.org/abs/1510.00149), section 2. All integers are little-endian.
 *
 *     file    "MTSP", u32 version = 1, u32 CRC-32 of all that follows, u32 texts, u32 tensors, then the texts, then the tensors
 *     text    string key, string value                         string = u32 bytes, UTF-8
 *     tensor  string name, u8 dimensions, u32 each dimension, u8 c, u8 g, u32 n, u32 k,
 *             counts, gaps, then n float32 values
 *     counts  for each row, in c bits, how many values it has; c is 1 to 32
 *     gaps    k codes of g bits, g from 1 to 32, row by row: code z < 2^g − 1 says that the row's next value stands z columns beyond the one
 *             before (the first: in column z); code 2^g − 1 says that 2^g − 1 columns are to be passed over, and another code follows
 *
 * Counts and gaps are streams of bits, each filling bytes from the lowest bit up, the last byte with zeros. Rows are those of the first dimension; a
 * tensor with fewer than two dimensions is one row. g is chosen for each tensor so that it takes the fewest bytes. The same numbers always make the same
 * bytes. −0 becomes 0; all other bits stay.
 */
import { CheckpointError } from '../base/errors.js';
import { BitReader, BitWriter, bitsFor } from './bits.js';
import { checksum } from './checksum.js';
import { SparseReader } from './sparse-reader.js';
import {
  elementCount,
  type Float32Tensor,
  quoted,
  requireNew,
  requireWritable,
  type TensorFile,
} from './tensor-file.js';

/** A tensor by compressed rows: row r has the values from `rowStart[r]` to before `rowStart[r + 1]`, in the order of their columns. */
export interface SparseTensor {
  readonly shape: readonly number[];
  readonly rowStart: Uint32Array;
  /** The column of each value. */
  readonly columns: Uint32Array;
  readonly values: Float32Array;
}

/** What a sparse file holds. */
export interface SparseFile {
  readonly tensors: ReadonlyMap<string, SparseTensor>;
  readonly texts: ReadonlyMap<string, string>;
}

/** Numbers that {@link toDense} makes without being asked twice: 1 GiB of them. */
const MOST_NUMBERS = 2 ** 28;
const MAGIC = Buffer.from('MTSP');
const VERSION = 1;
/** Up to and with the checksum. */
const HEAD_BYTES = 12;

/**
 * The numbers of a tensor that are not 0.
 *
 * @example
 * toSparse({ shape: [2, 3], data: Float32Array.of(0, 5, 0, 0, 0, 7) }).columns; // Uint32Array.of(1, 2)
 */
export function toSparse({ shape, data }: Float32Tensor): SparseTensor {
  const { rows, width } = rowsOf(shape);
  const rowStart = new Uint32Array(rows + 1);
  const columns: number[] = [];
  const values: number[] = [];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < width; column++) {
      const value = data[row * width + column];
      if (value === 0) continue;
      columns.push(column);
      values.push(value);
    }
    rowStart[row + 1] = values.length;
  }
  return { shape, rowStart, columns: Uint32Array.from(columns), values: Float32Array.from(values) };
}

/**
 * A tensor with its zeros.
 *
 * @param most how many numbers it may hold; a small file can stand for a tensor that fills the memory. Default 2²⁸, 1 GiB
 * @throws CheckpointError `E_CKPT_LIMIT` for more
 * @example
 * toDense(toSparse({ shape: [3], data: Float32Array.of(0, 5, 0) })).data; // Float32Array.of(0, 5, 0)
 */
export function toDense(
  { shape, rowStart, columns, values }: SparseTensor,
  most: number = MOST_NUMBERS,
): Float32Tensor {
  const { rows, width } = rowsOf(shape);
  if (rows * width > most) {
    throw new CheckpointError('E_CKPT_LIMIT', `a tensor of the shape [${shape}] has more than ${most} numbers`);
  }
  const data = new Float32Array(rows * width);
  for (let row = 0; row < rows; row++) {
    for (let i = rowStart[row]; i < rowStart[row + 1]; i++) data[row * width + columns[i]] = values[i];
  }
  return { shape, data };
}

/**
 * The bytes of a sparse file.
 *
 * @throws CheckpointError `E_CKPT_NAME`, `E_CKPT_VALUE` for what no parameter file can hold, and for integers
 * @example
 * const file = { tensors: new Map([['fc.weight', { shape: [1, 9], data: new Float32Array(9) }]]), texts: new Map() };
 * decodeSparse(encodeSparse(file), 'a.mtsp').tensors.get('fc.weight')?.shape; // [1, 9]
 */
export function encodeSparse(file: TensorFile): Uint8Array {
  requireWritable(file);
  const body: Uint8Array[] = [uint32(file.texts.size), uint32(file.tensors.size)];
  for (const [key, text] of file.texts) body.push(string(key), string(text));
  for (const [name, { shape, data }] of file.tensors) {
    if (!(data instanceof Float32Array)) {
      throw new CheckpointError(
        'E_CKPT_VALUE',
        `${quoted(name)} holds integers, and a sparse file holds parameters alone`,
      );
    }
    if (shape.some((size) => size >= 2 ** 32)) {
      throw new CheckpointError(
        'E_CKPT_VALUE',
        `${quoted(name)} has the shape [${shape}], too large for a sparse file`,
      );
    }
    body.push(string(name), ...encodeTensor(toSparse({ shape, data })));
  }
  return Buffer.concat([MAGIC, uint32(VERSION), uint32(checksum(body)), ...body]);
}

/**
 * Reads a sparse file of anyone. What is made is bounded by the file's size, not by what it claims; see {@link toDense} for the zeros.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_FORMAT`, `E_CKPT_TRUNCATED`, `E_CKPT_CRC`, `E_CKPT_DUPLICATE`, `E_CKPT_LIMIT` for a file that is none, damaged or hostile;
 *   `E_CKPT_UNSUPPORTED` for another version
 */
export function decodeSparse(bytes: Uint8Array, source: string): SparseFile {
  if (!looksLikeSparse(bytes)) {
    throw new CheckpointError('E_CKPT_FORMAT', `${source}: not a sparse parameter file, or damaged`);
  }
  const head = new SparseReader(bytes.subarray(MAGIC.length), source);
  const version = head.uint32();
  if (version !== VERSION) {
    throw new CheckpointError(
      'E_CKPT_UNSUPPORTED',
      `${source}: is a sparse file of version ${version}, and this mindts reads version ${VERSION}; use a newer mindts`,
    );
  }
  const expected = head.uint32();
  const body = bytes.subarray(HEAD_BYTES);
  if (checksum([body]) !== expected) {
    throw new CheckpointError(
      'E_CKPT_CRC',
      `${source}: is damaged or cut short (its checksum does not fit); copy it again, or use an older file`,
    );
  }
  return decodeBody(body, source);
}

/**
 * Reads what stands behind the checksum.
 *
 * @throws CheckpointError as {@link decodeSparse}
 */
export function decodeBody(body: Uint8Array, source: string): SparseFile {
  const reader = new SparseReader(body, source);
  const texts = new Map<string, string>();
  const tensors = new Map<string, SparseTensor>();
  const [textCount, tensorCount] = [reader.uint32(), reader.uint32()];
  for (let i = 0; i < textCount; i++) {
    const key = reader.string();
    requireNew([texts, tensors], key, source);
    texts.set(key, reader.string());
  }
  for (let i = 0; i < tensorCount; i++) {
    const name = reader.string();
    requireNew([texts, tensors], name, source);
    tensors.set(name, decodeTensor(reader, name));
  }
  if (reader.left > 0) throw reader.malformed(`${reader.left} bytes at its end belong to nothing`);
  return { tensors, texts };
}

/** Whether bytes begin as a sparse file does. */
export function looksLikeSparse(bytes: Uint8Array): boolean {
  return MAGIC.every((byte, i) => bytes[i] === byte);
}

function encodeTensor({ shape, rowStart, columns, values }: SparseTensor): readonly Uint8Array[] {
  const lengths = Array.from(rowStart.subarray(1), (end, row) => end - rowStart[row]);
  const countBits = bitsFor(largest(lengths));
  const gaps = gapsOf(rowStart, columns);
  const gapBits = cheapest(gaps);
  const counts = new BitWriter();
  for (const length of lengths) counts.write(length, countBits);
  const codes = new BitWriter();
  const skip = 2 ** gapBits - 1;
  let written = 0;
  for (const gap of gaps) {
    let left = gap;
    for (; left >= skip; left -= skip) {
      codes.write(skip, gapBits);
      written++;
    }
    codes.write(left, gapBits);
    written++;
  }
  return [
    Uint8Array.of(shape.length),
    ...shape.map(uint32),
    Uint8Array.of(countBits, gapBits),
    uint32(values.length),
    uint32(written),
    counts.bytes(),
    codes.bytes(),
    new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  ];
}

/** How many columns lie between each value and the one before it in its row. */
function gapsOf(rowStart: Uint32Array, columns: Uint32Array): Uint32Array {
  const gaps = new Uint32Array(columns.length);
  for (let row = 0; row + 1 < rowStart.length; row++) {
    let next = 0;
    for (let i = rowStart[row]; i < rowStart[row + 1]; i++) {
      gaps[i] = columns[i] - next;
      next = columns[i] + 1;
    }
  }
  return gaps;
}

/** How many bits a gap should have, so that all of them together take the fewest. */
function cheapest(gaps: Uint32Array): number {
  let [best, least] = [1, Infinity];
  for (let bits = 1; bits <= bitsFor(largest(gaps)) + 1; bits++) {
    const skip = 2 ** bits - 1;
    const total = bits * gaps.reduce((sum, gap) => sum + 1 + Math.floor(gap / skip), 0);
    if (total < least) [best, least] = [bits, total];
  }
  return best;
}

function decodeTensor(reader: SparseReader, name: string): SparseTensor {
  const wrong = (what: string): CheckpointError => reader.malformed(`${quoted(name)} ${what}`);
  const dimensions = reader.uint8();
  const shape = Array.from({ length: dimensions }, () => reader.uint32());
  const [countBits, gapBits] = [reader.uint8(), reader.uint8()];
  const [size, codeCount] = [reader.uint32(), reader.uint32()];
  if (dimensions > 32) throw wrong(`has ${dimensions} dimensions`);
  for (const bits of [countBits, gapBits]) {
    if (bits < 1 || bits > 32) throw wrong(`has indices of ${bits} bits`);
  }
  const { rows, width } = rowsOf(shape);
  if (width > 2 ** 32 || !Number.isSafeInteger(rows * width))
    throw wrong(`has the shape [${shape}], which no memory holds`);
  // Taken before anything is made: a row takes a bit at least, so that a file makes no more rows than it has bits.
  const counts = new BitReader(reader.take(Math.ceil((rows * countBits) / 8)));
  const codes = new BitReader(reader.take(Math.ceil((codeCount * gapBits) / 8)));
  const data = reader.take(size * 4);

  const rowStart = new Uint32Array(rows + 1);
  const columns = new Uint32Array(size);
  const skip = 2 ** gapBits - 1;
  let [at, read] = [0, 0];
  for (let row = 0; row < rows; row++) {
    const end = at + counts.read(countBits);
    if (end > size) throw wrong(`says that its rows have more than its ${size} values`);
    let column = 0;
    for (; at < end; at++) {
      let code = skip;
      while (code === skip) {
        if (++read > codeCount) throw wrong('has fewer places than values');
        code = codes.read(gapBits);
        column += code;
      }
      if (column >= width) throw wrong(`has a value in column ${column} of ${width}`);
      columns[at] = column++;
    }
    rowStart[row + 1] = end;
  }
  if (at !== size || read !== codeCount) throw wrong('has values or places that belong to no row');
  if (!counts.isPadded || !codes.isPadded) throw wrong('has bits set that belong to nothing');
  // Copied as bytes, so that the payload of a NaN survives.
  const values = new Float32Array(new Uint8Array(data).buffer);
  if (values.includes(0)) throw wrong('holds a 0, which a sparse file leaves out');
  return { shape, rowStart, columns, values };
}

/** The largest, and at least 1. Not by Math.max, which takes no more than some ten thousands. */
function largest(numbers: Iterable<number>): number {
  let most = 1;
  for (const value of numbers) most = Math.max(most, value);
  return most;
}

function rowsOf(shape: readonly number[]): { readonly rows: number; readonly width: number } {
  const rows = shape.length < 2 ? 1 : shape[0];
  return { rows, width: elementCount(shape.length < 2 ? shape : shape.slice(1)) };
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function string(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  return Buffer.concat([uint32(bytes.length), bytes]);
}

/**
 * numpy's `.npy` files, as the seed's roles write them: a vector or a number, or an answer, which is an array of two objects, a
 * vector and its fitness. (https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html)
 *
 *     "\x93NUMPY", two bytes of version, the length of the header (two bytes, from version 2 on four),
 *     "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }", spaces, a line end; then the elements, or for objects a pickle
 */
import { PruningError } from '../../base/errors.js';
import { floatsOf } from './floats.js';
import { NumpyArray, type Pickled, readPickle } from './pickle.js';

/** A candidate, and what an evaluator makes of it. */
export interface Answer {
  readonly vector: readonly number[];
  readonly fitness: number;
}

/**
 * An array as `numpy.save` writes it. No sizes make a single number.
 *
 * @example
 * decodeNpy(encodeNpy(Float64Array.of(0.001, 2.5), [2]), 'solution_1.npy'); // [0.001, 2.5]
 */
export function encodeNpy(data: Float32Array | Float64Array, shape: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return Buffer.concat([header(data instanceof Float32Array ? '<f4' : '<f8', shape), bytes]);
}

/**
 * Reads the numbers of such a file.
 *
 * @param source the file's name, for errors
 * @throws PruningError `E_NPY_TRUNCATED` for a file that may not have been written to its end; `E_NPY_FORMAT` for another one
 */
export function decodeNpy(bytes: Uint8Array, source: string): readonly number[] {
  const { type, shape, data } = readHeader(bytes, source);
  const [, order, digit] = /^([<>=|]?)f([48])$/.exec(type) ?? [];
  if (digit === undefined) throw malformed(source, `elements of the type ${type}; expected float32 or float64`);
  const size = digit === '4' ? 4 : 8;
  const wanted = shape.reduce((product, length) => product * length, size);
  if (data.length < wanted) throw truncated(source, `${data.length} bytes of elements where ${wanted} belong`);
  if (data.length > wanted) throw malformed(source, `${data.length} bytes of elements where ${wanted} belong`);
  return [...floatsOf(data, { size, isBigEndian: order === '>' })];
}

/**
 * An answer, for whatever numpy: of Python 2 or 3, before 2.0 or after.
 *
 * @example
 * decodeAnswer(encodeAnswer({ vector: [0.001, 2.5], fitness: 0.25 }), 'fit_solution_1.npy'); // { vector: [0.001, 2.5], fitness: 0.25 }
 */
export function encodeAnswer({ vector, fitness }: Answer): Uint8Array {
  const data = Buffer.from(Float64Array.from(vector).buffer).toString('latin1');
  const bytes = Buffer.from(data);
  const inner = pickledArray(
    vector.length,
    ['f8', '<', 0],
    [
      // Bytes that are bytes in Python 2 and in Python 3.
      `${called('_codecs', 'encode')}X`,
      uint32(bytes.length),
      bytes,
      `${short('latin1')}\x86R`,
    ],
  );
  const double = Buffer.alloc(8);
  double.writeDoubleBE(fitness);
  const outer = pickledArray(2, ['O8', '|', 63], [']', '(', inner, 'G', double, 'e']);
  return Buffer.concat([header('|O', [2]), latin1('\x80\x02'), outer, latin1('.')]);
}

/**
 * Reads an answer.
 *
 * @throws PruningError `E_NPY_TRUNCATED`, `E_NPY_FORMAT`; `E_PICKLE_REFUSED` for one that would do something
 */
export function decodeAnswer(bytes: Uint8Array, source: string): Answer {
  if (bytes.length > LONGEST_ANSWER) throw malformed(source, `an answer of ${bytes.length} bytes`);
  const { type, shape, data } = readHeader(bytes, source);
  if (type !== '|O' || shape.length !== 1 || shape[0] !== 2) {
    throw malformed(
      source,
      `${type} of the shape (${shape.join(', ')}) where two objects belong, a vector and its fitness`,
    );
  }
  const pickled = readPickle(data, source);
  const [vector, fitness] = pickled instanceof NumpyArray ? pickled.items.map(numbersIn) : [];
  if (vector === undefined || fitness?.length !== 1) throw malformed(source, 'no vector with its fitness');
  return { vector, fitness: fitness[0] };
}

/** The numbers of an array, a list, or one alone. */
function numbersIn(item: Pickled): readonly number[] | undefined {
  if (typeof item === 'number') return [item];
  const items: readonly Pickled[] = item instanceof NumpyArray ? item.items : Array.isArray(item) ? item : [null];
  const numbers = items.flatMap((one) => (typeof one === 'number' ? [one] : []));
  return numbers.length === items.length ? numbers : undefined;
}

/** Of a vector of thousands of rates. What a pickle does with its bytes, again and again, stays little too. */
const LONGEST_ANSWER = 65_536;
/** No file of the seed's has a longer one. */
const LONGEST_HEADER = 4096;
const HEADER =
  /^\{'descr': '([^'\\]{1,8})', 'fortran_order': (True|False), 'shape': \(((?:\d{1,9}L?, ?)*(?:\d{1,9}L?)?)\), ?\} *\n?$/;

function readHeader(
  bytes: Uint8Array,
  source: string,
): { readonly type: string; readonly shape: readonly number[]; readonly data: Uint8Array } {
  const isNumpy = MAGIC.every((byte, i) => i >= bytes.length || bytes[i] === byte);
  if (!isNumpy) throw malformed(source, 'something else than an array of numpy');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 12) throw truncated(source, 'no whole header');
  const isFirst = bytes[6] === 1;
  const [from, length] = isFirst ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  if (length > LONGEST_HEADER) throw malformed(source, `a header of ${length} bytes`);
  if (bytes.length < from + length) throw truncated(source, 'no whole header');
  const text = Buffer.from(bytes.subarray(from, from + length)).toString('latin1');
  const [, type, order, sizes] = HEADER.exec(text) ?? [];
  if (type === undefined) throw malformed(source, `the header ${JSON.stringify(text.trim().slice(0, 100))}`);
  const shape = (sizes.match(/\d+/g) ?? []).map(Number);
  if (order === 'True' && shape.length > 1) throw malformed(source, 'its elements in the order of Fortran');
  return { type, shape, data: bytes.subarray(from + length) };
}

const MAGIC = [0x93, ...Buffer.from('NUMPY')];

function header(type: string, shape: readonly number[]): Uint8Array {
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(', ');
  const text = `{'descr': '${type}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // All before the elements is a multiple of 64 bytes.
  const length = Math.ceil((10 + text.length + 1) / 64) * 64 - 10;
  const head = Buffer.from([...MAGIC, 1, 0, length & 0xff, length >> 8]);
  return Buffer.concat([head, latin1(`${text.padEnd(length - 1)}\n`)]);
}

type Piece = string | Uint8Array;

/** An array of one dimension: a blank one is made, then told what it is. */
function pickledArray(
  length: number,
  [type, order, flags]: readonly [string, string, number],
  data: readonly Piece[],
): Uint8Array {
  const blank = `${called('numpy.core.multiarray', '_reconstruct')}${called('numpy', 'ndarray')}K\x00\x85${short('b')}\x87R`;
  const descr = `${called('numpy', 'dtype')}${short(type)}K\x00K\x01\x87R`;
  const rest = `(K\x03${short(order)}NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK${String.fromCharCode(flags)}tb`;
  return joined([`${blank}(K\x01J`, uint32(length), `\x85${descr}${rest}\x89`, ...data, 'tb']);
}

const called = (module: string, name: string): string => `c${module}\n${name}\n`;
/** Text in ASCII. */
const short = (text: string): string => `U${String.fromCharCode(text.length)}${text}`;
const latin1 = (text: string): Uint8Array => Buffer.from(text, 'latin1');

function joined(pieces: readonly Piece[]): Uint8Array {
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? latin1(piece) : piece)));
}

function uint32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function truncated(source: string, holds: string): PruningError {
  return new PruningError(
    'E_NPY_TRUNCATED',
    `${source}: holds ${holds}; it was not written to its end: write it again`,
  );
}

function malformed(source: string, holds: string): PruningError {
  return new PruningError('E_NPY_FORMAT', `${source}: holds ${holds}; who writes into this folder? Remove the file`);
}

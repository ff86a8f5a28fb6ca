/**
 * IDX, the format of MNIST, as its authors define it ("The IDX file format" at the end of
 * http://yann.lecun.com/exdb/mnist/): two zero bytes, a byte for the type, a byte for the number of
 * dimensions, each dimension as a big-endian uint32, then the elements, the last dimension fastest.
 */
import { createGunzip } from 'node:zlib';
import { DatasetError, MindtsError, StorageError, systemReason } from '../base/errors.js';
import { openRegular } from '../base/files.js';

/** An array of unsigned bytes: `data` has as many elements as the product of `shape`. */
export interface Idx {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Reads the bytes of an IDX file. `data` is a view into `bytes`, not a copy.
 *
 * @param source what messages call these bytes, such as their file's path
 * @throws DatasetError `E_IDX_MAGIC` not an IDX file; `E_IDX_TYPE` elements other than unsigned bytes;
 * `E_IDX_DIMENSIONS` none, or more elements than can be counted; `E_IDX_TRUNCATED`, `E_IDX_TRAILING`
 * fewer or more bytes than the header announces
 * @example
 * const { shape, data } = decodeIdx(Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9), 'labels');
 * shape; // [2]
 * data; // Uint8Array.of(7, 9)
 */
export function decodeIdx(bytes: Uint8Array, source: string): Idx {
  const { shape, start, size } = decodeHeader(bytes, source);
  if (bytes.length < size) throw truncated(source, size, bytes.length);
  if (bytes.length > size) throw trailing(source, size, `${bytes.length}`);
  return { shape, data: new Uint8Array(bytes.buffer, bytes.byteOffset + start, size - start) };
}

/**
 * The bytes of an IDX file.
 *
 * @throws DatasetError `E_IDX_DIMENSIONS` when `shape` cannot be written or does not fit `data`
 * @example
 * encodeIdx([2], Uint8Array.of(7, 9)); // Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 7, 9)
 */
export function encodeIdx(shape: readonly number[], data: Uint8Array): Uint8Array {
  const fits =
    shape.length >= 1 && shape.length <= 255 && shape.every((n) => Number.isInteger(n) && n >= 0 && n < 2 ** 32);
  if (!fits || product(shape) !== data.length) {
    throw new DatasetError(
      'E_IDX_DIMENSIONS',
      `an IDX file of shape [${shape.join(', ')}] cannot hold ${data.length} bytes: give 1 to 255 dimensions whose product is the number of bytes`,
    );
  }
  const start = headerSize(shape.length);
  const bytes = new Uint8Array(start + data.length);
  const view = new DataView(bytes.buffer);
  bytes.set([0, 0, UNSIGNED_BYTE, shape.length]);
  shape.forEach((n, axis) => {
    view.setUint32(4 + 4 * axis, n);
  });
  bytes.set(data, start);
  return bytes;
}

/**
 * Reads an IDX file, plain or gzipped; which of the two its content tells, not its name.
 *
 * @param options.maxBytes the largest file accepted, before and after inflation; default 2³¹ − 1, the
 * most that Node reads at once. A gzip is inflated no further than the size its IDX header announces.
 * @throws DatasetError as {@link decodeIdx}, `E_IDX_TOO_LARGE` for more than `maxBytes`, `E_IDX_GZIP` for
 * a gzip that is cut or damaged
 * @throws StorageError `E_READ` when the file cannot be read
 * @example
 * await writeFileAtomic('labels', encodeIdx([2], Uint8Array.of(7, 9)));
 * (await readIdx('labels')).data; // Uint8Array.of(7, 9)
 */
export async function readIdx(path: string, { maxBytes = 2 ** 31 - 1 }: { maxBytes?: number } = {}): Promise<Idx> {
  const stored = await readBounded(path, maxBytes);
  const gzipped = stored[0] === 0x1f && stored[1] === 0x8b; // RFC 1952, section 2.3.1
  return decodeIdx(gzipped ? await inflate(stored, path, maxBytes) : stored, path);
}

const UNSIGNED_BYTE = 0x08;
const OTHER_TYPES: ReadonlyMap<number, string> = new Map([
  [0x09, 'signed bytes'],
  [0x0b, '16-bit integers'],
  [0x0c, '32-bit integers'],
  [0x0d, '32-bit floats'],
  [0x0e, '64-bit floats'],
]);

function headerSize(dimensions: number): number {
  return 4 + 4 * dimensions;
}

function product(shape: readonly number[]): number {
  return shape.reduce((elements, n) => elements * n, 1);
}

/** The shape, the offset of the first element, and the bytes that header and elements take together. */
function decodeHeader(bytes: Uint8Array, source: string): { shape: readonly number[]; start: number; size: number } {
  const [zero = 0, zero2 = 0, type = UNSIGNED_BYTE, dimensions = 1] = bytes;
  const other = OTHER_TYPES.get(type);
  if (zero !== 0 || zero2 !== 0 || (type !== UNSIGNED_BYTE && other === undefined)) {
    const found = [...bytes.subarray(0, 4)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
    throw new DatasetError(
      'E_IDX_MAGIC',
      `${source}: not an IDX file: it starts with the bytes ${found} and should start with 00 00 08; was it downloaded whole, and is it the right file?`,
    );
  }
  if (other !== undefined) {
    throw new DatasetError(
      'E_IDX_TYPE',
      `${source}: its elements are ${other} (type ${type}) and only unsigned bytes (type 8) are supported; convert it`,
    );
  }
  const start = headerSize(dimensions);
  if (bytes.length < start) throw truncated(source, start, bytes.length, 'for its header');
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: dimensions }, (_, axis) => view.getUint32(4 + 4 * axis));
  const size = start + product(shape);
  if (dimensions === 0 || !Number.isSafeInteger(size)) {
    throw new DatasetError(
      'E_IDX_DIMENSIONS',
      `${source}: its header announces the shape [${shape.join(', ')}], which no file has: the file is damaged; fetch it again`,
    );
  }
  return { shape, start, size };
}

async function readBounded(path: string, maxBytes: number): Promise<Uint8Array> {
  try {
    const file = await openRegular(path);
    try {
      const { size } = await file.stat();
      if (size > maxBytes) throw tooLarge(path, `it has ${size} bytes`, maxBytes);
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof MindtsError) throw error;
    throw new StorageError('E_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
}

/** Inflates chunk by chunk, so that a gzip bomb is left after the first chunk that is too much. */
async function inflate(stored: Uint8Array, source: string, maxBytes: number): Promise<Uint8Array> {
  const gunzip = createGunzip({ chunkSize: 1 << 16 });
  gunzip.end(stored);
  const inflated: AsyncIterable<Uint8Array> = gunzip;
  const chunks: Uint8Array[] = [];
  let found = 0;
  let size: number | undefined;
  try {
    for await (const chunk of inflated) {
      // All the input is there, so the first chunk is full or is everything: the header is inside.
      size ??= decodeHeader(chunk, source).size;
      found += chunk.length;
      if (size > maxBytes) throw tooLarge(source, `inflated it would have ${size} bytes`, maxBytes);
      if (found > size) throw trailing(source, size, `at least ${found}`);
      chunks.push(chunk);
    }
  } catch (error) {
    if (error instanceof MindtsError) throw error;
    throw new DatasetError(
      'E_IDX_GZIP',
      `${source}: the gzip is cut or damaged (${systemReason(error)}) after ${found} good bytes; fetch it again`,
      { cause: error },
    );
  }
  return Buffer.concat(chunks, found);
}

function truncated(
  source: string,
  expected: number,
  found: number,
  what = 'for what its header announces',
): DatasetError {
  return new DatasetError(
    'E_IDX_TRUNCATED',
    `${source}: cut short: ${expected} bytes are needed ${what}, ${found} are there, ${expected - found} are missing; fetch it again`,
  );
}

function trailing(source: string, expected: number, found: string): DatasetError {
  return new DatasetError(
    'E_IDX_TRAILING',
    `${source}: too long: its header announces ${expected} bytes and ${found} are there; fetch it again`,
  );
}

function tooLarge(source: string, what: string, maxBytes: number): DatasetError {
  return new DatasetError('E_IDX_TOO_LARGE', `${source}: ${what}, more than the limit of ${maxBytes}; split it`);
}

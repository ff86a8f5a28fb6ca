/** What a parameter file holds, whatever its format: named tensors and named texts, in the file's order. */
import { CheckpointError } from '../base/errors.js';

export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly texts: ReadonlyMap<string, string>;
}

/**
 * Numbers and their shape; a scalar has the shape `[]`. Reading turns Float16, BFloat16 and Float64 into Float32,
 * and integers and Bool into Int32.
 */
export interface Tensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array;
}

export interface Float32Tensor extends Tensor {
  readonly data: Float32Array;
}

/** Entries that MindSpore keeps as Int64 scalars; whatever else is an integer is written as Int32. */
export const INT64_NAMES: ReadonlySet<string> = new Set(['epoch_num', 'step_num']);

/**
 * What no real file comes near, so that a hostile one cannot exhaust memory: entries in a file, characters in a name
 * and in a text, dimensions of a tensor.
 */
export const LIMITS: {
  readonly entries: number;
  readonly nameLength: number;
  readonly textLength: number;
  readonly dimensions: number;
} = { entries: 1_000_000, nameLength: 4096, textLength: 2 ** 26, dimensions: 32 };

/** How many numbers a shape holds: 1 for `[]`, Infinity or an inexact number where it is absurd. */
export function elementCount(shape: readonly number[]): number {
  return shape.includes(0) ? 0 : shape.reduce((product, dimension) => product * dimension, 1);
}

/** A name from a file, fit for a terminal: quoted, escaped, at most 80 characters. */
export function quoted(name: string): string {
  return JSON.stringify(name.length > 80 ? `${name.slice(0, 79)}…` : name);
}

/** Whether a text can be written as UTF-8 and read back: no half of a surrogate pair stands alone. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

/**
 * Checks what no format can hold, before anything is written.
 *
 * @throws CheckpointError `E_CKPT_NAME` for a name that is too long, ill-formed or used twice, `E_CKPT_VALUE` for a
 *   tensor whose numbers do not fill its shape, an `epoch_num` or `step_num` of another type, an ill-formed text
 */
export function requireWritable({ tensors, texts }: TensorFile): void {
  if (tensors.size + texts.size > LIMITS.entries) {
    throw new CheckpointError('E_CKPT_VALUE', `a parameter file holds at most ${LIMITS.entries} entries`);
  }
  for (const name of [...tensors.keys(), ...texts.keys()]) {
    if (name.length > LIMITS.nameLength || !isWellFormed(name)) {
      throw new CheckpointError('E_CKPT_NAME', `${quoted(name)} cannot be the name of an entry; choose a shorter name`);
    }
  }
  for (const [name, { shape, data }] of tensors) {
    if (texts.has(name)) {
      throw new CheckpointError('E_CKPT_NAME', `${quoted(name)} is the name of a tensor and of a text; rename one`);
    }
    const whole = shape.length <= LIMITS.dimensions && shape.every((d) => Number.isSafeInteger(d) && d >= 0);
    if (!whole || elementCount(shape) !== data.length) {
      throw new CheckpointError('E_CKPT_VALUE', `${quoted(name)} has ${data.length} numbers for the shape [${shape}]`);
    }
    if (INT64_NAMES.has(name) && data instanceof Float32Array) {
      throw new CheckpointError('E_CKPT_VALUE', `${quoted(name)} counts, so it must be an Int32Array`);
    }
  }
  for (const [name, text] of texts) {
    if (text.length > LIMITS.textLength || !isWellFormed(text)) {
      throw new CheckpointError('E_CKPT_VALUE', `the text ${quoted(name)} is too long or holds half a surrogate pair`);
    }
  }
}

/** A {@link TensorFile} that a reader is filling. */
export interface OpenTensorFile {
  readonly tensors: Map<string, Tensor>;
  readonly texts: Map<string, string>;
}

/**
 * Checks, before a reader adds an entry, what a hostile file may try.
 *
 * @param taken the entries there are, by name
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_DUPLICATE` for a name that is there already, `E_CKPT_LIMIT` past {@link LIMITS},
 *   `E_CKPT_FORMAT` for a name that could not be written
 */
export function requireNew(taken: readonly ReadonlyMap<string, unknown>[], name: string, source: string): void {
  if (taken.some((entries) => entries.has(name))) {
    throw new CheckpointError('E_CKPT_DUPLICATE', `${source}: two entries are called ${quoted(name)}`);
  }
  if (name.length > LIMITS.nameLength) {
    throw new CheckpointError('E_CKPT_LIMIT', `${source}: the name ${quoted(name)} is too long`);
  }
  if (!isWellFormed(name)) {
    throw new CheckpointError('E_CKPT_FORMAT', `${source}: the name ${quoted(name)} holds half a surrogate pair`);
  }
  if (taken.reduce((sum, { size }) => sum + size, 0) >= LIMITS.entries) {
    throw new CheckpointError('E_CKPT_LIMIT', `${source}: has more than ${LIMITS.entries} entries`);
  }
}

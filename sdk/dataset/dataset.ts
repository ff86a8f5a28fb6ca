/** A data set: samples in memory as bytes, and the transforms between them and the network. */
import { isUint8Array } from 'node:util/types';
import { crc32 } from 'node:zlib';
import { DatasetError } from '../base/errors.js';
import { permutation, seededRandom } from '../base/random.js';
import { type InputPlan, planInput, type Transform } from './transforms.js';

/** Images and their labels, held as they were stored; transforms happen while a batch is put together. */
export interface Dataset {
  /** Where it came from, for messages. */
  readonly source: string;
  /** How many samples. */
  readonly size: number;
  /** How many classes labels may name. */
  readonly classes: number;
  /** size × height × width × channels bytes, channels innermost. */
  readonly images: Uint8Array;
  /** One class number per image. */
  readonly labels: Int32Array;
  /** What the transforms come to. */
  readonly plan: InputPlan;
}

/**
 * A data set of arrays in memory.
 *
 * @param options images: size × height × width × channels bytes; labels: one per image, in [0, classes)
 * @throws DatasetError `E_TYPE` (images are no Uint8Array), `E_EMPTY`, `E_SHAPE` (no size of an image), `E_COUNT` (images and labels disagree), `E_LABEL` (out of range)
 * @example
 * const two = fromArrays({ images: new Uint8Array(2 * 4), labels: [0, 1], height: 2, width: 2, classes: 2 });
 * two.size; // 2
 */
export function fromArrays({
  images,
  labels,
  height,
  width,
  channels = 1,
  classes,
  transforms = [],
  source = 'memory',
}: {
  readonly images: Uint8Array;
  readonly labels: ArrayLike<number>;
  readonly height: number;
  readonly width: number;
  readonly channels?: number;
  readonly classes: number;
  readonly transforms?: readonly Transform[];
  readonly source?: string;
}): Dataset {
  // Not from TypeScript: other arrays would be read as what bytes they happen to hold.
  if (!isUint8Array(images)) {
    const found = Object.prototype.toString.call(images).slice(8, -1);
    throw new DatasetError('E_TYPE', `${source}: images must be a Uint8Array, a byte for each value, not ${found}`);
  }
  const size = labels.length;
  if (size === 0) throw new DatasetError('E_EMPTY', `${source}: holds no samples`);
  for (const [name, value] of Object.entries({ height, width, channels, classes })) {
    if (Number.isInteger(value) && value >= 1 && value <= LARGEST_SIDE) continue;
    throw new DatasetError(
      'E_SHAPE',
      `${source}: ${name} must be a whole number from 1 to ${LARGEST_SIDE}, not ${value}`,
    );
  }
  const bytes = height * width * channels;
  if (images.length !== size * bytes) {
    const held = images.length / bytes;
    throw new DatasetError('E_COUNT', `${source}: ${size} labels but ${Math.floor(held * 100) / 100} images`);
  }
  const classNumbers = Int32Array.from(labels);
  const wrong = classNumbers.findIndex((label, i) => label < 0 || label >= classes || label !== labels[i]);
  if (wrong >= 0) {
    throw new DatasetError(
      'E_LABEL',
      `${source}: sample ${wrong} has the label ${labels[wrong]}; with ${classes} classes it must be 0 to ${classes - 1}`,
    );
  }
  const plan = planInput({ height, width, channels }, transforms);
  return { source, size, classes, images, labels: classNumbers, plan };
}

/** Larger images than any camera's are a mistake, or meant to fill the memory. */
const LARGEST_SIDE = 65_536;

/**
 * The order in which an epoch visits the samples: a function of seed and epoch alone, so that a resumed run
 * finds its place again.
 */
export function epochOrder(
  size: number,
  { seed, epoch }: { readonly seed: number; readonly epoch: number },
): Int32Array {
  return permutation(size, seededRandom(seed, 'shuffle', epoch));
}

/**
 * CRC-32 of the stored images and labels, in hexadecimal: whether two data sets are the same one.
 *
 * @example
 * checksum(fromArrays({ images: new Uint8Array(1), labels: [0], height: 1, width: 1, classes: 1 })); // 'c622f71d'
 */
export function checksum({ images, labels }: Dataset): string {
  const bytes = new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength);
  return crc32(bytes, crc32(images)).toString(16).padStart(8, '0');
}

/** The positions of all samples, in the order of the data set. */
export function everySample({ size }: Dataset): Int32Array {
  return Int32Array.from({ length: size }, (_, i) => i);
}

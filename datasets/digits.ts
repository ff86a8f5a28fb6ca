/** The built-in digits: a data set like MNIST that needs no download, drawn from a seed. */
import { join } from 'node:path';
import { ArgumentError } from '../sdk/base/errors.js';
import { writeFileAtomic } from '../sdk/base/files.js';
import { permutation, seededRandom } from '../sdk/base/random.js';
import { encodeIdx } from '../sdk/dataset/idx.js';
import { drawDigit } from './handwriting.js';
import { SIDE } from './ink.js';

/** What {@link makeDigits} draws. */
export interface DigitsOptions {
  /** Default 1. The same seed gives the same bytes. */
  readonly seed?: number;
  /** Images to train with; default 10 000. */
  readonly train?: number;
  /** Images to test with; default 2 000. */
  readonly test?: number;
}

/** `images`: n × 28 × 28 bytes, 0 paper and 255 ink; `labels`: n bytes, 0 … 9. */
export interface LabelledImages {
  readonly images: Uint8Array;
  readonly labels: Uint8Array;
}

/** The built-in digits; see {@link makeDigits}. */
export interface Digits {
  readonly train: LabelledImages;
  readonly test: LabelledImages;
}

/**
 * Draws the built-in digits, as many of each class, in random order. Image i does not depend on how many
 * there are: a smaller set is the beginning of a larger one.
 *
 * @throws ArgumentError `E_DIGITS_COUNT` when a count is not a whole number from 0 to 1 000 000
 * @example
 * const { train } = makeDigits({ train: 100, test: 0 });
 * train.images.length; // 78400
 */
export function makeDigits({ seed = 1, train = 10_000, test = 2_000 }: DigitsOptions = {}): Digits {
  return { train: drawPart(seed, 'train', train), test: drawPart(seed, 'test', test) };
}

/**
 * Writes the built-in digits to a folder, with the files and names of MNIST as MindSpore lays it out:
 * `train/train-images-idx3-ubyte`, `train/train-labels-idx1-ubyte`, `test/t10k-images-idx3-ubyte`,
 * `test/t10k-labels-idx1-ubyte`.
 *
 * @throws ArgumentError as {@link makeDigits}
 * @throws StorageError `E_WRITE` when the folder cannot be written
 * @example
 * await writeDigits('digits', { seed: 7, train: 1000, test: 100 });
 */
export async function writeDigits(folder: string, options: DigitsOptions = {}): Promise<void> {
  const { train, test } = makeDigits(options);
  await writePart(join(folder, 'train', 'train'), train);
  await writePart(join(folder, 'test', 't10k'), test);
}

function drawPart(seed: number, part: string, count: number): LabelledImages {
  if (!Number.isInteger(count) || count < 0 || count > 1_000_000) {
    throw new ArgumentError(
      'E_DIGITS_COUNT',
      `the built-in digits cannot have ${count} ${part} images: give a whole number from 0 to 1000000`,
    );
  }
  const images = new Uint8Array(count * SIDE * SIDE);
  const labels = new Uint8Array(count);
  for (let i = 0; i < count; i++) {
    // Every ten images are the ten digits in random order, so that the classes stay balanced.
    if (i % 10 === 0) {
      const ten = permutation(10, seededRandom(seed, 'digits', part, 'labels', i));
      labels.set(ten.subarray(0, count - i), i);
    }
    const image = images.subarray(i * SIDE * SIDE, (i + 1) * SIDE * SIDE);
    drawDigit(labels[i], seededRandom(seed, 'digits', part, i), image);
  }
  return { images, labels };
}

async function writePart(prefix: string, { images, labels }: LabelledImages): Promise<void> {
  await writeFileAtomic(`${prefix}-images-idx3-ubyte`, encodeIdx([labels.length, SIDE, SIDE], images));
  await writeFileAtomic(`${prefix}-labels-idx1-ubyte`, encodeIdx([labels.length], labels));
}

/**
 * CIFAR-10 and CIFAR-100 in the binary version of https://www.cs.toronto.edu/~kriz/cifar.html: records of the label
 * (CIFAR-100: the coarse one, then the fine one), then 1024 red, 1024 green and 1024 blue bytes, row by row.
 */
import { join } from 'node:path';
import { DatasetError, MindtsError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { exists, readRegular } from '../base/files.js';
import { type Dataset, fromArrays } from './dataset.js';
import { normalize, rescale, type Transform } from './transforms.js';

/** Which half of a CIFAR data set to read, and how. */
export interface CifarOptions {
  readonly split: 'train' | 'test';
  /** Default: {@link cifarTransforms}. */
  readonly transforms?: readonly Transform[];
}

/** To [0, 1], then normalised by the means and standard deviations of CIFAR-10's training set. */
export function cifarTransforms(): readonly Transform[] {
  return [rescale(1 / 255), normalize([0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616])];
}

/**
 * Reads one half of CIFAR-10: `data_batch_1.bin` to `data_batch_5.bin`, or `test_batch.bin`, in the folder or in its
 * `cifar-10-batches-bin/`. 32×32 pixels, 3 channels, 10 classes.
 *
 * @throws DatasetError `E_NOT_FOUND`, `E_CIFAR_TRUNCATED` (the file ends within a record, or is empty), `E_LABEL`
 * @throws StorageError `E_READ`
 */
export async function cifar10(folder: string, { split, transforms }: CifarOptions): Promise<Dataset> {
  const train = [1, 2, 3, 4, 5].map((part) => `data_batch_${part}.bin`);
  const names = split === 'train' ? train : ['test_batch.bin'];
  return read(folder, { names, inner: 'cifar-10-batches-bin', classes: [10], label: 0, transforms });
}

/**
 * Reads one half of CIFAR-100: `train.bin` or `test.bin`, in the folder or in its `cifar-100-binary/`. 32×32 pixels, 3
 * channels.
 *
 * @param options labels: the 100 fine classes, which is the default, or the 20 coarse ones
 * @throws DatasetError `E_NOT_FOUND`, `E_CIFAR_TRUNCATED` (the file ends within a record, or is empty), `E_LABEL`
 * @throws StorageError `E_READ`
 */
export async function cifar100(
  folder: string,
  { split, labels = 'fine', transforms }: CifarOptions & { readonly labels?: 'fine' | 'coarse' },
): Promise<Dataset> {
  const label = labels === 'fine' ? 1 : 0;
  return read(folder, { names: [`${split}.bin`], inner: 'cifar-100-binary', classes: [20, 100], label, transforms });
}

const SIDE = 32;
const PLANE = SIDE * SIDE;

interface Format {
  readonly names: readonly string[];
  /** The folder that the archive unpacks to. */
  readonly inner: string;
  /** How many classes each label byte of a record may name. */
  readonly classes: readonly number[];
  /** Which of the label bytes counts. */
  readonly label: number;
  readonly transforms: readonly Transform[] | undefined;
}

async function read(folder: string, format: Format): Promise<Dataset> {
  const { names, classes, label, transforms = cifarTransforms() } = format;
  const place = await findFolder(folder, format);
  const record = classes.length + 3 * PLANE;
  const files: { readonly path: string; readonly bytes: Uint8Array }[] = [];
  for (const name of names) {
    const path = join(place, name);
    const bytes = await readFile(path);
    if (bytes.length === 0 || bytes.length % record !== 0) throw truncated(path, bytes.length, record);
    files.push({ path, bytes });
  }
  const size = files.reduce((sum, { bytes }) => sum + bytes.length / record, 0);
  const images = new Uint8Array(size * 3 * PLANE);
  const labels = new Int32Array(size);
  let sample = 0;
  for (const { path, bytes } of files) {
    for (let at = 0; at < bytes.length; at += record) {
      requireLabels(bytes.subarray(at, at + classes.length), classes, `${path}: record ${at / record}`);
      labels[sample] = bytes[at + label];
      interleave(bytes.subarray(at + classes.length, at + record), images.subarray(sample * 3 * PLANE));
      sample++;
    }
  }
  const shape = { height: SIDE, width: SIDE, channels: 3, classes: classes[label] };
  return fromArrays({ images, labels, ...shape, transforms, source: join(place, names[0]) });
}

/** Planes of red, green and blue, as pixels of three bytes. */
function interleave(planes: Uint8Array, pixels: Uint8Array): void {
  for (let i = 0; i < PLANE; i++) {
    pixels[3 * i] = planes[i];
    pixels[3 * i + 1] = planes[PLANE + i];
    pixels[3 * i + 2] = planes[2 * PLANE + i];
  }
}

async function findFolder(folder: string, { names, inner }: Format): Promise<string> {
  for (const place of [folder, join(folder, inner)]) {
    const missing: string[] = [];
    for (const name of names) if (!(await isThere(join(place, name)))) missing.push(name);
    if (missing.length === 0) return place;
    if (missing.length < names.length) {
      throw new DatasetError('E_NOT_FOUND', `${place}: holds a part of the data set; ${missing.join(', ')} missing`);
    }
  }
  throw new DatasetError(
    'E_NOT_FOUND',
    `${folder}: neither it nor its folder ${inner}/ holds ${names.join(', ')}; CIFAR is read in its binary version`,
  );
}

async function isThere(path: string): Promise<boolean> {
  try {
    return await exists(path);
  } catch (error) {
    if (systemCode(error) === 'ENOTDIR') return false;
    throw new StorageError('E_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
}

async function readFile(path: string): Promise<Uint8Array> {
  try {
    return await readRegular(path);
  } catch (error) {
    if (error instanceof MindtsError) throw error;
    throw new StorageError('E_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
}

function requireLabels(labels: Uint8Array, classes: readonly number[], where: string): void {
  for (const [i, limit] of classes.entries()) {
    if (labels[i] < limit) continue;
    throw new DatasetError(
      'E_LABEL',
      `${where} has the label ${labels[i]}, which must be 0 to ${limit - 1}: the file is damaged or another data set's`,
    );
  }
}

function truncated(path: string, found: number, record: number): DatasetError {
  const whole = Math.floor(found / record);
  return new DatasetError(
    'E_CIFAR_TRUNCATED',
    `${path}: ${found} bytes are ${whole} records of ${record} and ${found - whole * record} bytes more: cut short or not CIFAR; fetch it again`,
  );
}

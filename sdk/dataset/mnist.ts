/** MNIST and whatever is stored as MNIST is: IDX files of images and labels. */
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError, systemReason } from '../base/errors.js';
import { type Dataset, fromArrays } from './dataset.js';
import { readIdx } from './idx.js';
import { showTree } from './show-tree.js';
import { normalize, rescale, resize, type Transform } from './transforms.js';

/** Which half of a data set to read, and how. */
export interface MnistOptions {
  readonly split: 'train' | 'test';
  /** Default 10. */
  readonly classes?: number;
  /** Default: {@link mnistTransforms} to 32×32. */
  readonly transforms?: readonly Transform[];
}

/**
 * What LeNet-5 wants of MNIST: bilinear to 32×32 (or another size), to [0, 1], then normalised by the mean and standard
 * deviation of MNIST's training set.
 */
export function mnistTransforms(height = 32, width = 32): readonly Transform[] {
  return [resize(height, width), rescale(1 / 255), normalize(0.1307, 0.3081)];
}

/**
 * Reads one half of an MNIST-format data set: `train/` and `test/` folders, as the platform's archive has them, or all four
 * files in one folder; plain or `.gz`, `train-images-idx3-ubyte` or `train-images.idx3-ubyte`.
 *
 * @throws DatasetError `E_NOT_FOUND` when no such files are there (naming what was looked for), `E_COUNT`, `E_LABEL`, or
 *   what {@link readIdx} throws
 */
export async function mnist(folder: string, options: MnistOptions): Promise<Dataset> {
  const { split, classes = 10, transforms = mnistTransforms() } = options;
  const prefix = split === 'train' ? 'train' : 't10k';
  const found = await findFiles(folder, split, prefix);
  const images = await readIdx(found.images);
  const labels = await readIdx(found.labels);
  if (images.shape.length !== 3) {
    throw new DatasetError(
      'E_SHAPE',
      `${found.images}: has ${images.shape.length} dimensions; images have 3 (number, rows, columns)`,
    );
  }
  if (labels.shape.length !== 1) {
    throw new DatasetError('E_SHAPE', `${found.labels}: has ${labels.shape.length} dimensions; labels have 1`);
  }
  const [count, height, width] = images.shape;
  if (count !== labels.shape[0]) {
    throw new DatasetError(
      'E_COUNT',
      `${found.images} holds ${count} images, but ${found.labels} ${labels.shape[0]} labels`,
    );
  }
  return fromArrays({
    images: images.data,
    labels: labels.data,
    height,
    width,
    classes,
    transforms,
    source: found.images,
  });
}

/** Whether a folder holds one half of an MNIST-format data set, by the names of its files; one of the two is enough. */
export async function hasMnist(folder: string, split: MnistOptions['split']): Promise<boolean> {
  for (const place of [join(folder, split), folder]) {
    if ((await namesIn(place)).some((name) => NAME[split].test(name))) return true;
  }
  return false;
}

const NAME = {
  train: /^train-(images|labels)[-.]idx\d-ubyte(\.gz)?$/,
  test: /^t10k-(images|labels)[-.]idx\d-ubyte(\.gz)?$/,
};

async function findFiles(folder: string, split: string, prefix: string): Promise<{ images: string; labels: string }> {
  for (const place of [join(folder, split), folder]) {
    const names = await namesIn(place);
    const find = (kind: string): string | undefined =>
      names.find((name) => new RegExp(`^${prefix}-${kind}[-.]idx\\d-ubyte(\\.gz)?$`).test(name));
    const [images, labels] = [find('images'), find('labels')];
    if (images && labels) return { images: join(place, images), labels: join(place, labels) };
    if (images || labels) {
      throw new DatasetError(
        'E_NOT_FOUND',
        `${place}: holds ${images ?? labels}, but not the ${images ? 'labels' : 'images'} that belong to it`,
      );
    }
  }
  const wanted = `${prefix}-images-idx3-ubyte and ${prefix}-labels-idx1-ubyte (or .gz)`;
  throw new DatasetError(
    'E_NOT_FOUND',
    `${folder}: no ${split} set here: neither it nor its folder ${split}/ holds ${wanted}${existsSync(folder) ? `; it holds ${await showTree(folder)}` : ''}`,
  );
}

async function namesIn(folder: string): Promise<readonly string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw new DatasetError('E_READ', `cannot read ${folder}: ${systemReason(error)}`, { cause: error });
  }
}

/** A data set that does not fit into memory: images decoded while they are needed, batch by batch. */
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { DatasetError } from '../base/errors.js';
import { log } from '../base/log.js';
import { processorsPerRank } from '../base/rank.js';
import { listClassFolders } from './class-folders.js';
import { type Dataset, epochOrder } from './dataset.js';
import { DecodePool } from './decode-pool.js';
import { type Sharer, shareOf } from './share.js';
import { type InputPlan, normalize, rescale, type Transform } from './transforms.js';
import { centerCrop, type ImageTransform, planViews, randomHorizontalFlip, randomResizedCrop } from './views.js';

/** Images in files. `Model.train` takes it as it takes a {@link Dataset}. */
export interface ImageStream {
  /** Where it came from, for messages. */
  readonly source: string;
  /** How many image files, bad ones included. */
  readonly size: number;
  /** How many classes. */
  readonly classes: number;
  /** Their names; a name's place is the class number. */
  readonly classNames: readonly string[];
  /** From the file to what the network reads. */
  readonly transforms: readonly (ImageTransform | Transform)[];
  /** What the engine does with the decoded images. */
  readonly plan: InputPlan;
  /** CRC-32 of the files' names and of the transforms: whether two streams are the same one. Contents are not read. */
  readonly checksum: string;
  /** The images that could not be decoded so far, by file. */
  readonly skipped: ReadonlyMap<string, string>;
  /**
   * One pass over the images.
   *
   * @throws DatasetError `E_BATCH` when it would hold no whole batch, `E_IMAGES` when too many in a row cannot be read
   */
  batches(options: PassOptions): AsyncGenerator<Dataset, void, undefined>;
}

/** How to go over the images of a stream. */
export interface PassOptions {
  /** Images per batch. */
  readonly batchSize: number;
  /** Leave out a last, smaller batch. Default false. */
  readonly dropRemainder?: boolean;
  /**
   * The order is that of `epochOrder`, and a bad image's place is taken by the next good one of that order, so that
   * every batch is full and depends on its place alone. Default: the order of the files, and bad images are left out.
   */
  readonly shuffle?: { readonly seed: number; readonly epoch: number };
  /** Batches to leave out at the beginning; their images are not read. Default 0. */
  readonly from?: number;
  /** Where to end, in batches from the beginning of the pass. Default: with its last batch. */
  readonly to?: number;
  /** Read this rank's part of each batch alone. Default: all of it. */
  readonly share?: Sharer | undefined;
  /** When it aborts, the pass ends. */
  readonly signal?: AbortSignal | undefined;
}

/** How to read a folder of images. */
export interface ImageFolderOptions {
  /** One crop, perhaps a flip, then what the engine does. Default: {@link imagenetTransforms} of `train`. */
  readonly transforms?: readonly (ImageTransform | Transform)[];
  /** Threads that decode. Default: the processors this process may use. */
  readonly workers?: number | undefined;
  /** A class may be without images. Default false. */
  readonly allowEmpty?: boolean;
}

/**
 * What networks for ImageNet want of photos: to train on, a random part, flipped or not; to test with, the middle. Then
 * to [0, 1], normalised by ImageNet's means and standard deviations.
 */
export function imagenetTransforms(split: 'train' | 'val', size = 224): readonly (ImageTransform | Transform)[] {
  const crop = split === 'train' ? [randomResizedCrop(size), randomHorizontalFlip()] : [centerCrop(size)];
  return [...crop, rescale(1 / 255), normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])];
}

/**
 * A folder of class folders of images, as ImageNet and PyTorch's `ImageFolder` have them; sorted, the folders' names are
 * the classes. Images that cannot be decoded are passed over, with a warning for the first few.
 *
 * @throws DatasetError `E_NOT_FOUND`, `E_EMPTY` (naming class folders without images), `E_TRANSFORM`, `E_WORKERS`
 * @throws StorageError `E_READ`
 */
export async function imageFolder(folder: string, options: ImageFolderOptions = {}): Promise<ImageStream> {
  const { transforms = imagenetTransforms('train'), workers = processorsPerRank(), allowEmpty = false } = options;
  const plan = planViews(transforms);
  if (!Number.isInteger(workers) || workers < 1 || workers > MOST_WORKERS) {
    throw new DatasetError('E_WORKERS', `workers must be a whole number from 1 to ${MOST_WORKERS}, not ${workers}`);
  }
  const { classNames, files, labels } = await listClassFolders(folder, { allowEmpty });
  const skipped = new Map<string, string>();
  const source = { folder, files, labels, classes: classNames.length, plan, workers, skipped };
  const sum = crc32(files.join('\n'), crc32(JSON.stringify([classNames, transforms])));
  return {
    source: folder,
    size: files.length,
    classes: classNames.length,
    classNames,
    transforms,
    plan: plan.input,
    checksum: sum.toString(16).padStart(8, '0'),
    skipped,
    batches: (pass) => readBatches(source, pass),
  };
}

const MOST_WORKERS = 256;
/** Images that a thread is given at a time. */
const PART = 8;
/** After so many bad images in a row, something else is wrong. */
const MOST_BAD = 100;
/** Bad images that are named when they are met. */
const NAMED = 5;

interface Source {
  readonly folder: string;
  readonly files: readonly string[];
  readonly labels: Int32Array;
  readonly classes: number;
  readonly plan: ReturnType<typeof planViews>;
  readonly workers: number;
  readonly skipped: Map<string, string>;
}

async function* readBatches(source: Source, pass: PassOptions): AsyncGenerator<Dataset, void, undefined> {
  const { files, workers, plan, folder } = source;
  const { batchSize, dropRemainder = false, shuffle, from = 0, to = Number.POSITIVE_INFINITY, signal, share } = pass;
  if (!Number.isInteger(batchSize) || batchSize < 1) {
    throw new DatasetError('E_BATCH', `the batch size must be a whole number of at least 1, not ${batchSize}`);
  }
  if (dropRemainder && batchSize > files.length) {
    throw new DatasetError(
      'E_BATCH',
      `a batch of ${batchSize} is larger than the data set: ${folder} holds ${files.length} images, and a batch that is not full is left out`,
    );
  }
  const steps = Math.min(to, Math[dropRemainder ? 'floor' : 'ceil'](files.length / batchSize));
  if (from >= steps || signal?.aborted) return;
  const order = shuffle ? epochOrder(files.length, shuffle) : undefined;
  const pool = new DecodePool(workers, { folder, plan, seed: shuffle?.seed ?? 0, epoch: shuffle?.epoch ?? 0 });
  const abort = (): void => void pool.close();
  signal?.addEventListener('abort', abort);
  // As much as keeps every thread busy while a batch is trained on, and no more.
  const ahead = Math.ceil((2 * workers * PART) / batchSize) + 1;
  const begun: Promise<Dataset>[] = [];
  try {
    for (let step = from; step < steps || begun.length > 0; ) {
      while (step < steps && begun.length < ahead) {
        const batch = readBatch(pool, source, { batchSize, order, step: step++, share });
        // It is waited for in its turn; until then its failure is not news.
        batch.catch(() => undefined);
        begun.push(batch);
      }
      const next = await begun.shift();
      if (next === undefined || signal?.aborted) return;
      if (next.size > 0) yield next;
    }
  } catch (error) {
    // The pool was closed under what was being read.
    if (!signal?.aborted) throw error;
  } finally {
    signal?.removeEventListener('abort', abort);
    await pool.close();
  }
}

async function readBatch(
  pool: DecodePool,
  source: Source,
  {
    batchSize,
    order,
    step,
    share,
  }: Pick<PassOptions, 'batchSize' | 'share'> & { readonly order: Int32Array | undefined; readonly step: number },
): Promise<Dataset> {
  const { files, labels, plan, classes, folder } = source;
  const [begin, end] = shareOf(Math.min(batchSize, files.length - step * batchSize), share);
  const first = step * batchSize + begin;
  const count = end - begin;
  const { height, width, channels } = plan.input.source;
  const bytes = height * width * channels;
  const buffer = new SharedArrayBuffer(count * bytes);
  // The file at each place of the batch; −1 where none is left.
  const chosen = Int32Array.from({ length: count }, (_, place) => order?.[first + place] ?? first + place);
  const places = [...chosen.keys()];
  const parts: Promise<void>[] = [];
  for (let at = 0; at < count; at += PART) parts.push(fill(places.slice(at, at + PART)));
  await Promise.all(parts);
  const images = new Uint8Array(buffer);
  const kept = places.filter((place) => chosen[place] >= 0);
  for (const [to, place] of kept.entries()) {
    if (to !== place) images.copyWithin(to * bytes, place * bytes, (place + 1) * bytes);
  }
  return {
    source: folder,
    size: kept.length,
    classes,
    images: images.subarray(0, kept.length * bytes),
    labels: Int32Array.from(kept, (place) => labels[chosen[place]]),
    plan: plan.input,
  };

  async function fill(part: readonly number[]): Promise<void> {
    let left = part.filter((place) => isGood(place) || replace(place));
    while (left.length > 0) {
      const samples = left.map((place) => ({ place, file: files[chosen[place]] }));
      const bad = await pool.decode({ buffer, first, samples });
      for (const { place, reason } of bad) noteBad(source, files[chosen[place]], reason);
      left = bad.map(({ place }) => place).filter((place) => replace(place));
    }
  }

  function isGood(place: number): boolean {
    return !source.skipped.has(files[chosen[place]]);
  }

  /** Chooses the next good file of the order for a place; false where the place stays empty. */
  function replace(place: number): boolean {
    chosen[place] = -1;
    if (order === undefined) return false;
    for (let next = 1; next <= Math.min(MOST_BAD, files.length - 1); next++) {
      chosen[place] = order[(first + place + next) % files.length];
      if (isGood(place)) return true;
    }
    throw new DatasetError(
      'E_IMAGES',
      `${folder}: ${source.skipped.size} images cannot be read, too many in a row: ${[...source.skipped]
        .slice(0, 3)
        .map(([file, why]) => `${file}: ${why}`)
        .join('; ')}`,
    );
  }
}

function noteBad({ folder, skipped }: Source, file: string, reason: string): void {
  if (skipped.has(file)) return;
  skipped.set(file, reason);
  if (skipped.size <= NAMED) log.warn(`passed over ${join(folder, file)}: ${reason}`);
  if (skipped.size === NAMED) log.warn('further images that cannot be read are counted, not named');
}

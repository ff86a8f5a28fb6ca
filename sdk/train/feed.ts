/** What the loop trains on next: positions of a data set in memory, or the next batch of a stream. */
import { DatasetError } from '../base/errors.js';
import { checksum, type Dataset, epochOrder, everySample } from '../dataset/dataset.js';
import type { ImageStream } from '../dataset/image-stream.js';
import { type Sharer, shareOf } from '../dataset/share.js';

/** Samples to train on, in this order. */
export interface Samples {
  readonly data: Dataset;
  /** Positions in `data`; where ranks share a stream, those of other ranks' samples mean nothing. */
  readonly order: Int32Array;
}

/** Where the loop is, and how far it would go. */
export interface Place {
  /** 1-based. */
  readonly epoch: number;
  /** Steps of the epoch that are done. */
  readonly step: number;
  /** Steps wanted. */
  readonly steps: number;
}

/** Hands the loop its samples. An epoch's order depends on the seed and the epoch alone. */
export interface Feed {
  /** Whether two runs train on the same data. */
  readonly checksum: string;
  /** The samples of the next steps, of one at least; undefined when the signal has aborted. */
  next(place: Place): Promise<Samples | undefined>;
  /** Ends what reads ahead. */
  close(): Promise<void>;
}

/** How a run takes its samples. */
export interface FeedOptions {
  readonly seed: number;
  readonly batchSize: number;
  readonly dropRemainder: boolean;
  readonly signal: AbortSignal | undefined;
  /** Which of several ranks this is. */
  readonly sharer: Sharer;
}

/** Feeds the loop from either kind of data. */
export function feedOf(data: Dataset | ImageStream, options: FeedOptions): Feed {
  return isStream(data) ? streamFeed(data, options) : memoryFeed(data, options);
}

/** Steps of an epoch. */
export function stepsPerEpoch(
  { size }: Pick<Dataset, 'size'>,
  { batchSize, dropRemainder }: Pick<FeedOptions, 'batchSize' | 'dropRemainder'>,
): number {
  return Math[dropRemainder ? 'floor' : 'ceil'](size / batchSize);
}

/** Whether samples come batch by batch. */
export function isStream(data: Dataset | ImageStream): data is ImageStream {
  return 'batches' in data;
}

function memoryFeed(data: Dataset, { seed, batchSize }: FeedOptions): Feed {
  let shuffled: { readonly epoch: number; readonly order: Int32Array } = { epoch: 0, order: new Int32Array() };
  return {
    checksum: checksum(data),
    next: async ({ epoch, step, steps }) => {
      if (shuffled.epoch !== epoch) shuffled = { epoch, order: epochOrder(data.size, { seed, epoch }) };
      return { data, order: shuffled.order.subarray(step * batchSize, (step + steps) * batchSize) };
    },
    close: async () => {},
  };
}

/** One batch at a time; those after it are decoded while it is trained on. */
function streamFeed(stream: ImageStream, options: FeedOptions): Feed {
  const { seed, batchSize, dropRemainder, signal, sharer: share } = options;
  let pass:
    | { readonly epoch: number; step: number; readonly batches: AsyncGenerator<Dataset, void, undefined> }
    | undefined;
  const close = async (): Promise<void> => {
    await pass?.batches.return();
    pass = undefined;
  };
  /** A whole batch's order, of which `value` holds this rank's part. */
  function placesOf(value: Dataset, size: number): Int32Array {
    const order = new Int32Array(size);
    order.set(everySample(value), shareOf(size, share)[0]);
    return order;
  }
  return {
    checksum: stream.checksum,
    next: async ({ epoch, step }) => {
      if (pass?.epoch !== epoch || pass.step !== step) {
        await close();
        const shuffle = { seed, epoch };
        pass = {
          epoch,
          step,
          batches: stream.batches({ batchSize, dropRemainder, shuffle, from: step, signal, share }),
        };
      }
      const { value, done } = await pass.batches.next();
      pass.step++;
      if (!done) return { data: value, order: placesOf(value, Math.min(batchSize, stream.size - step * batchSize)) };
      if (signal?.aborted) return undefined;
      throw new DatasetError(
        'E_COUNT',
        `${stream.source}: its batches ended before step ${step + 1} of epoch ${epoch}`,
      );
    },
    close,
  };
}

/** What there is to say of a stream after a pass over it: `data_info.json`. */
import type { ImageStream, PassOptions } from './image-stream.js';

/** What has been read of a stream. */
export interface PassCount {
  readonly batches: number;
  readonly images: number;
  /** `DataInfo` rounds them to four digits after the point. */
  readonly seconds: number;
}

/** A stream, how it is read, and what came of that; as JSON. */
export interface DataInfo {
  /** The steps from files to batches, in their order. */
  readonly pipeline: readonly { readonly kind: string; readonly [setting: string]: unknown }[];
  /** Image files, bad ones included. */
  readonly images: number;
  readonly classes: number;
  /** Of a whole pass. */
  readonly batches: number;
  /** Of a batch: images, channels, rows, columns. */
  readonly shape: readonly number[];
  readonly read: PassCount & { readonly imagesPerSecond: number };
  /** How many images could not be decoded, and the first hundred of them. */
  readonly skipped: number;
  readonly skippedFiles: readonly { readonly file: string; readonly reason: string }[];
  readonly classNames: readonly string[];
}

/** Describes a stream after a pass. */
export function dataInfo(stream: ImageStream, pass: PassOptions, read: PassCount): DataInfo {
  const { source, size, classes, classNames, plan, transforms, skipped } = stream;
  const { batchSize, dropRemainder = false, shuffle } = pass;
  return {
    pipeline: [
      { kind: 'imageFolder', folder: source, shuffle: shuffle ?? false },
      ...transforms,
      { kind: 'batch', batchSize, dropRemainder },
    ],
    images: size,
    classes,
    batches: Math[dropRemainder ? 'floor' : 'ceil'](size / batchSize),
    shape: [batchSize, plan.source.channels, plan.height, plan.width],
    read: {
      ...read,
      seconds: Math.round(read.seconds * 1e4) / 1e4,
      imagesPerSecond: read.images === 0 ? 0 : Math.round(read.images / read.seconds),
    },
    skipped: skipped.size,
    skippedFiles: [...skipped].slice(0, 100).map(([file, reason]) => ({ file, reason })),
    classNames,
  };
}

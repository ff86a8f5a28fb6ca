/** Training images moved by one pixel, so that the few parameters which are left learn digits and not images. */
import type { Dataset } from '../dataset/dataset.js';

/** The image as it is, and one pixel to the right, left, down and up. */
export const SHIFTS = 5;

/**
 * A data set with its images {@link SHIFTS} times: first all as they are, then all moved one way, and so on. What comes in at an edge is 0.
 * It holds so many times the bytes.
 *
 * @example
 * const one = fromArrays({ images: Uint8Array.of(1, 2, 3, 4), labels: [0], height: 2, width: 2, classes: 1 });
 * [...withShifts(one).images.subarray(4, 12)]; // [0, 1, 0, 3, 2, 0, 4, 0]
 */
export function withShifts(data: Dataset): Dataset {
  const { height, width, channels } = data.plan.source;
  const row = width * channels;
  const images = new Uint8Array(SHIFTS * data.images.length);
  const labels = new Int32Array(SHIFTS * data.size);
  for (let copy = 0; copy < SHIFTS; copy++) labels.set(data.labels, copy * data.size);
  images.set(data.images);
  const ways = [
    { by: channels, isDown: false },
    { by: -channels, isDown: false },
    { by: row, isDown: true },
    { by: -row, isDown: true },
  ];
  for (const [k, { by, isDown }] of ways.entries()) {
    const moved = images.subarray((k + 1) * data.images.length, (k + 2) * data.images.length);
    // All images at once; then what came over from the next row or the next image is cleared.
    if (by > 0) moved.set(data.images.subarray(0, -by), by);
    else moved.set(data.images.subarray(-by));
    const [step, length] = isDown ? [height * row, row] : [row, channels];
    for (let edge = by > 0 ? 0 : step - length; edge < moved.length; edge += step) moved.fill(0, edge, edge + length);
  }
  return { ...data, size: SHIFTS * data.size, images, labels };
}

/** The largest of each window, for one sample; windows lie side by side, what is left over at the end dropped. */
import type { Real } from './real.js';

/** Sizes and arrays of one max-pooling. */
export interface MaxPool2d {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly kernelSize: number;
  /** `[channels, height, width]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[channels, ⌊height / kernelSize⌋, ⌊width / kernelSize⌋]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[c, y, x] = max over i, j < kernelSize of x[c, y · kernelSize + i, x · kernelSize + j] */
export function maxPool2dForward({ channels, height, width, kernelSize, x, out }: MaxPool2d): void {
  let to = 0;
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row + kernelSize <= height; row += kernelSize) {
      for (let column = 0; column + kernelSize <= width; column += kernelSize) {
        out[to++] = x[largest(x, (c * height + row) * width + column, width, kernelSize)];
      }
    }
  }
}

/** dx at the first largest of each window, row by row, += dout */
export function maxPool2dBackward({ channels, height, width, kernelSize, x, dx, dout }: MaxPool2d): void {
  let from = 0;
  for (let c = 0; c < channels; c++) {
    for (let row = 0; row + kernelSize <= height; row += kernelSize) {
      for (let column = 0; column + kernelSize <= width; column += kernelSize) {
        dx[largest(x, (c * height + row) * width + column, width, kernelSize)] += dout[from++];
      }
    }
  }
}

/** Where the largest of the window at `corner` lies; what is not a number counts as the largest. */
function largest(x: Real, corner: number, width: number, kernelSize: number): number {
  let best = corner;
  for (let i = 0; i < kernelSize; i++) {
    const row = corner + i * width;
    for (let at = row; at < row + kernelSize; at++) {
      if (x[at] > x[best] || Number.isNaN(x[at])) best = at;
    }
  }
  return best;
}

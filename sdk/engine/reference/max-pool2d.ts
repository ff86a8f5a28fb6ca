/** The largest of each window. */
import type { Real } from './real.js';
import type { Image, Span, Windows } from './windows.js';

/** Sizes and arrays of one max-pooling of n samples; outHeight and outWidth are the numbers of its rows and columns. */
export interface MaxPool2d extends Image, Windows {
  /** `[n, channels, height, width]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[n, channels, outHeight, outWidth]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[r, s] = max over i, j of x[r · stride − top + i, s · stride − left + j], where that lies in the image; for every plane */
export function maxPool2dForward({ height, width, rows, columns, x, out }: MaxPool2d): void {
  let to = 0;
  for (let plane = 0; plane < x.length; plane += height * width) {
    for (const row of rows) {
      for (const column of columns) out[to++] = x[largest(x, { plane, width, row, column })];
    }
  }
}

/** dx at the first largest of each window, row by row, += dout */
export function maxPool2dBackward({ height, width, rows, columns, x, dx, dout }: MaxPool2d): void {
  let from = 0;
  for (let plane = 0; plane < x.length; plane += height * width) {
    for (const row of rows) {
      for (const column of columns) dx[largest(x, { plane, width, row, column })] += dout[from++];
    }
  }
}

/** Where the largest of a window lies; what is not a number counts as the largest. */
function largest(
  x: Real,
  { plane, width, row, column }: { plane: number; width: number; row: Span; column: Span },
): number {
  let best = plane + row.first * width + column.first;
  for (let y = row.first; y < row.end; y++) {
    const line = plane + y * width;
    for (let at = line + column.first; at < line + column.end; at++) {
      if (x[at] > x[best] || Number.isNaN(x[at])) best = at;
    }
  }
  return best;
}

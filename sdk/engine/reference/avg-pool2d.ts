/** The mean of each window; padding is left out of it. */
import type { Real } from './real.js';
import type { Image, Span, Windows } from './windows.js';

/** Sizes and arrays of one average-pooling of n samples; outHeight and outWidth are the numbers of its rows and columns. */
export interface AvgPool2d extends Image, Windows {
  /** `[n, channels, height, width]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[n, channels, outHeight, outWidth]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[r, s] = mean over i, j of x[r · stride − top + i, s · stride − left + j], where that lies in the image; for every plane */
export function avgPool2dForward({ height, width, rows, columns, x, out }: AvgPool2d): void {
  let to = 0;
  for (let plane = 0; plane < x.length; plane += height * width) {
    for (const row of rows) {
      for (const column of columns) {
        let sum = 0;
        for (let y = row.first; y < row.end; y++) {
          const line = plane + y * width;
          for (let at = line + column.first; at < line + column.end; at++) sum += x[at];
        }
        out[to++] = sum / covered(row, column);
      }
    }
  }
}

/** dx at every place of a window += dout / how many they are */
export function avgPool2dBackward({ height, width, rows, columns, x, dx, dout }: AvgPool2d): void {
  let from = 0;
  for (let plane = 0; plane < x.length; plane += height * width) {
    for (const row of rows) {
      for (const column of columns) {
        const d = dout[from++] / covered(row, column);
        for (let y = row.first; y < row.end; y++) {
          const line = plane + y * width;
          for (let at = line + column.first; at < line + column.end; at++) dx[at] += d;
        }
      }
    }
  }
}

function covered(row: Span, column: Span): number {
  return (row.end - row.first) * (column.end - column.first);
}

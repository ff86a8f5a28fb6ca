/** Convolution, in groups of channels: `conv2d` has one group, `depthwiseConv2d` one for each channel that it reads. */
import type { Real } from './real.js';
import type { Image, Windows } from './windows.js';

/** Sizes and arrays of one convolution of n samples; outHeight and outWidth are the numbers of its rows and columns. */
export interface Conv2d extends Image, Windows {
  readonly outChannels: number;
  readonly groups: number;
  readonly kernelSize: readonly [number, number];
  /** `[n, channels, height, width]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[outChannels, channels / groups, kernelHeight, kernelWidth]` */
  readonly weight: Real;
  readonly dweight: Float64Array;
  /** `[outChannels]` */
  readonly bias: Real;
  readonly dbias: Float64Array;
  /** `[n, outChannels, outHeight, outWidth]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/**
 * out[o, r, s] = bias[o] + Σ over c, i, j of weight[o, c, i, j] · x[g + c, r · stride − top + i, s · stride − left + j]
 * for every sample, where that lies in the image; g is the first channel of o's group.
 */
export function conv2dForward(layer: Conv2d): void {
  const { channels, height, width, outChannels, groups, rows, columns, kernelSize, x, weight, bias, out } = layer;
  const [kernelHeight, kernelWidth] = kernelSize;
  const depth = channels / groups;
  let to = 0;
  for (let sample = 0; sample < x.length; sample += channels * height * width) {
    for (let o = 0; o < outChannels; o++) {
      const group = Math.floor((o * groups) / outChannels) * depth;
      for (const row of rows) {
        for (const column of columns) {
          let sum = bias[o];
          for (let c = 0; c < depth; c++) {
            for (let y = row.first; y < row.end; y++) {
              const kernel = ((o * depth + c) * kernelHeight + y - row.start) * kernelWidth - column.start;
              const line = sample + ((group + c) * height + y) * width;
              for (let at = column.first; at < column.end; at++) sum += weight[kernel + at] * x[line + at];
            }
          }
          out[to++] = sum;
        }
      }
    }
  }
}

/**
 * With every product of the sum above: dweight[…] += dout[o, r, s] · x[…] and dx[…] += dout[o, r, s] · weight[…]; dbias[o] += dout[o, r, s].
 * Behind ReLU and pooling most of dout is 0, and is passed over.
 */
export function conv2dBackward(layer: Conv2d): void {
  const { channels, height, width, outChannels, groups, rows, columns, kernelSize } = layer;
  const { x, dx, weight, dweight, dbias, dout } = layer;
  const [kernelHeight, kernelWidth] = kernelSize;
  const depth = channels / groups;
  let from = 0;
  for (let sample = 0; sample < x.length; sample += channels * height * width) {
    for (let o = 0; o < outChannels; o++) {
      const group = Math.floor((o * groups) / outChannels) * depth;
      for (const row of rows) {
        for (const column of columns) {
          const d = dout[from++];
          if (d === 0) continue;
          dbias[o] += d;
          for (let c = 0; c < depth; c++) {
            for (let y = row.first; y < row.end; y++) {
              const kernel = ((o * depth + c) * kernelHeight + y - row.start) * kernelWidth - column.start;
              const line = sample + ((group + c) * height + y) * width;
              for (let at = column.first; at < column.end; at++) {
                dweight[kernel + at] += d * x[line + at];
                dx[line + at] += d * weight[kernel + at];
              }
            }
          }
        }
      }
    }
  }
}

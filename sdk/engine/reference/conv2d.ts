/** Convolution of one sample, without padding, stride 1. */
import type { Real } from './real.js';

/** Sizes and arrays of one convolution; outHeight = height − kernelHeight + 1, outWidth likewise. */
export interface Conv2d {
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly outChannels: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  /** `[channels, height, width]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[outChannels, channels, kernelHeight, kernelWidth]` */
  readonly weight: Real;
  readonly dweight: Float64Array;
  /** `[outChannels]` */
  readonly bias: Real;
  readonly dbias: Float64Array;
  /** `[outChannels, outHeight, outWidth]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[o, y, x] = bias[o] + Σ over c, i, j of weight[o, c, i, j] · x[c, y + i, x + j] */
export function conv2dForward(layer: Conv2d): void {
  const { channels, height, width, outChannels, kernelHeight, kernelWidth, x, weight, bias, out } = layer;
  const outHeight = height - kernelHeight + 1;
  const outWidth = width - kernelWidth + 1;
  let to = 0;
  for (let o = 0; o < outChannels; o++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        let sum = bias[o];
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < kernelHeight; i++) {
            const kernel = ((o * channels + c) * kernelHeight + i) * kernelWidth;
            const from = (c * height + row + i) * width + column;
            for (let j = 0; j < kernelWidth; j++) sum += weight[kernel + j] * x[from + j];
          }
        }
        out[to++] = sum;
      }
    }
  }
}

/**
 * dbias[o] += Σ over y, x of dout[o, y, x]; dweight[o, c, i, j] += Σ over y, x of dout[o, y, x] · x[c, y + i, x + j];
 * dx[c, y + i, x + j] += Σ over o of dout[o, y, x] · weight[o, c, i, j].
 * Behind ReLU and pooling most of dout is 0, and is passed over.
 */
export function conv2dBackward(layer: Conv2d): void {
  const { channels, height, width, outChannels, kernelHeight, kernelWidth } = layer;
  const { x, dx, weight, dweight, dbias, dout } = layer;
  const outHeight = height - kernelHeight + 1;
  const outWidth = width - kernelWidth + 1;
  for (let o = 0; o < outChannels; o++) {
    for (let row = 0; row < outHeight; row++) {
      for (let column = 0; column < outWidth; column++) {
        const d = dout[(o * outHeight + row) * outWidth + column];
        if (d === 0) continue;
        dbias[o] += d;
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < kernelHeight; i++) {
            const kernel = ((o * channels + c) * kernelHeight + i) * kernelWidth;
            const from = (c * height + row + i) * width + column;
            for (let j = 0; j < kernelWidth; j++) {
              dweight[kernel + j] += d * x[from + j];
              dx[from + j] += d * weight[kernel + j];
            }
          }
        }
      }
    }
  }
}

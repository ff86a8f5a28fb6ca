/** A fully connected layer. */
import type { Real } from './real.js';

/** Sizes and arrays of one dense layer, for n samples. */
export interface Dense {
  readonly features: number;
  readonly outFeatures: number;
  /** `[n, features]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[outFeatures, features]` */
  readonly weight: Real;
  readonly dweight: Float64Array;
  /** `[outFeatures]` */
  readonly bias: Real;
  readonly dbias: Float64Array;
  /** `[n, outFeatures]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[o] = bias[o] + Σ over i of weight[o, i] · x[i], for every sample */
export function denseForward({ features, outFeatures, x, weight, bias, out }: Dense): void {
  let to = 0;
  for (let sample = 0; sample < x.length; sample += features) {
    for (let o = 0; o < outFeatures; o++) {
      let sum = bias[o];
      for (let i = 0; i < features; i++) sum += weight[o * features + i] * x[sample + i];
      out[to++] = sum;
    }
  }
}

/** dbias[o] += dout[o]; dweight[o, i] += dout[o] · x[i]; dx[i] += Σ over o of dout[o] · weight[o, i], for every sample */
export function denseBackward({ features, outFeatures, x, dx, weight, dweight, dbias, dout }: Dense): void {
  let from = 0;
  for (let sample = 0; sample < x.length; sample += features) {
    for (let o = 0; o < outFeatures; o++) {
      const d = dout[from++];
      if (d === 0) continue;
      dbias[o] += d;
      for (let i = 0; i < features; i++) {
        dweight[o * features + i] += d * x[sample + i];
        dx[sample + i] += d * weight[o * features + i];
      }
    }
  }
}

/** A fully connected layer, for one sample. */
import type { Real } from './real.js';

/** Arrays of one dense layer. */
export interface Dense {
  /** `[in]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[out, in]` */
  readonly weight: Real;
  readonly dweight: Float64Array;
  /** `[out]` */
  readonly bias: Real;
  readonly dbias: Float64Array;
  /** `[out]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[o] = bias[o] + Σ over i of weight[o, i] · x[i] */
export function denseForward({ x, weight, bias, out }: Dense): void {
  const features = x.length;
  for (let o = 0; o < out.length; o++) {
    const row = o * features;
    let sum = bias[o];
    for (let i = 0; i < features; i++) sum += weight[row + i] * x[i];
    out[o] = sum;
  }
}

/** dbias[o] += dout[o]; dweight[o, i] += dout[o] · x[i]; dx[i] += Σ over o of dout[o] · weight[o, i] */
export function denseBackward({ x, dx, weight, dweight, dbias, dout }: Dense): void {
  const features = x.length;
  for (let o = 0; o < dout.length; o++) {
    const d = dout[o];
    if (d === 0) continue;
    const row = o * features;
    dbias[o] += d;
    for (let i = 0; i < features; i++) {
      dweight[row + i] += d * x[i];
      dx[i] += d * weight[row + i];
    }
  }
}

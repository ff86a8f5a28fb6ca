/** Softmax over the features of each sample. */
import type { Real } from './real.js';

/** Size and arrays of one softmax of n samples. */
export interface Softmax {
  readonly features: number;
  /** `[n, features]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[n, features]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out[i] = exp(x[i] − m) / Σ over j of exp(x[j] − m), where m = max over j of x[j]: so that no exponential overflows */
export function softmaxForward({ features, x, out }: Softmax): void {
  for (let sample = 0; sample < x.length; sample += features) {
    let max = Number.NEGATIVE_INFINITY;
    for (let i = sample; i < sample + features; i++) max = Math.max(max, x[i]);
    let sum = 0;
    for (let i = sample; i < sample + features; i++) sum += Math.exp(x[i] - max);
    for (let i = sample; i < sample + features; i++) out[i] = Math.exp(x[i] - max) / sum;
  }
}

/** dx[i] += out[i] · (dout[i] − Σ over j of out[j] · dout[j]), for every sample */
export function softmaxBackward({ features, dx, out, dout }: Softmax): void {
  for (let sample = 0; sample < out.length; sample += features) {
    let along = 0;
    for (let i = sample; i < sample + features; i++) along += out[i] * dout[i];
    for (let i = sample; i < sample + features; i++) dx[i] += out[i] * (dout[i] - along);
  }
}

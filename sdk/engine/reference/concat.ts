/** Several values one after another: with channels outermost in every sample, images by channels as vectors by features. */
import type { Real } from './real.js';

/** Size and arrays of one concatenation; some may be the same array. */
export interface Concat {
  /** Samples. */
  readonly n: number;
  /** `[n, …]` each */
  readonly xs: readonly Real[];
  readonly dxs: readonly Float64Array[];
  /** `[n, …]`: a sample as long as those of all xs together */
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out = xs one after another, for every sample */
export function concatForward({ n, xs, out }: Concat): void {
  let to = 0;
  for (let sample = 0; sample < n; sample++) {
    for (const x of xs) {
      const features = x.length / n;
      for (let i = sample * features; i < (sample + 1) * features; i++) out[to++] = x[i];
    }
  }
}

/** each of dxs += its part of dout */
export function concatBackward({ n, dxs, dout }: Concat): void {
  let from = 0;
  for (let sample = 0; sample < n; sample++) {
    for (const dx of dxs) {
      const features = dx.length / n;
      for (let i = sample * features; i < (sample + 1) * features; i++) dx[i] += dout[from++];
    }
  }
}

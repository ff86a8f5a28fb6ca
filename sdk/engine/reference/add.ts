/** The sum of several values of one shape. */
import type { Real } from './real.js';

/** Arrays of one sum, all of one length; some may be the same array. */
export interface Add {
  readonly xs: readonly Real[];
  readonly dxs: readonly Float64Array[];
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out = Σ of xs */
export function addForward({ xs, out }: Add): void {
  for (let i = 0; i < out.length; i++) {
    let sum = 0;
    for (const x of xs) sum += x[i];
    out[i] = sum;
  }
}

/** each of dxs += dout */
export function addBackward({ dxs, dout }: Add): void {
  for (const dx of dxs) for (let i = 0; i < dout.length; i++) dx[i] += dout[i];
}

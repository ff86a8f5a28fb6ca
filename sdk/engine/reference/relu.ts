/** max(x, 0). */
import type { Real } from './real.js';

/** Arrays of one ReLU, all of one length. */
export interface Relu {
  readonly x: Real;
  readonly dx: Float64Array;
  readonly out: Real;
  readonly dout: Float64Array;
}

/** out = max(x, 0); what is not a number stays so, to be seen in the loss. */
export function reluForward({ x, out }: Relu): void {
  for (let i = 0; i < out.length; i++) out[i] = x[i] < 0 ? 0 : x[i];
}

/** dx += dout where x > 0 */
export function reluBackward({ x, dx, dout }: Relu): void {
  for (let i = 0; i < dout.length; i++) if (x[i] > 0) dx[i] += dout[i];
}

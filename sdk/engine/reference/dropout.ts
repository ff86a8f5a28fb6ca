/** Dropout while training; otherwise values pass as they are. */
import { isKept } from '../dropout.js';
import type { Real } from './real.js';

/** Size and arrays of one dropout of n samples. */
export interface Dropout {
  readonly rate: number;
  /** Numbers of one sample. */
  readonly features: number;
  /** `[n, features]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[n, features]` */
  readonly out: Real;
  readonly dout: Float64Array;
}

/**
 * out[s, i] = x[s, i] / (1 − rate) where it is kept, else 0
 *
 * @param key what says which are kept; undefined: all are, as they are
 */
export function dropoutForward(layer: Dropout, key: number | undefined): void {
  const { x, out } = layer;
  if (key === undefined) out.set(x);
  else for (let i = 0; i < out.length; i++) out[i] = kept(layer, key, i) ? x[i] / (1 - layer.rate) : 0;
}

/** dx[s, i] += dout[s, i] / (1 − rate) where it was kept */
export function dropoutBackward(layer: Dropout, key: number): void {
  const { dx, dout } = layer;
  for (let i = 0; i < dout.length; i++) if (kept(layer, key, i)) dx[i] += dout[i] / (1 - layer.rate);
}

function kept({ rate, features }: Dropout, key: number, i: number): boolean {
  return isKept(key, rate, { sample: Math.floor(i / features), feature: i % features });
}

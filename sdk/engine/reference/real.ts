/** Parameters and what an optimizer keeps for them: float32 in training, float64 to compare with finite differences. */
export type Real = Float32Array | Float64Array;

/** How parameters are kept between steps. All arithmetic, and everything within a step, is float64 either way. */
export type Precision = 'float32' | 'float64';

/** `size` zeros. */
export function reals(precision: Precision, size: number): Real {
  return precision === 'float32' ? new Float32Array(size) : new Float64Array(size);
}

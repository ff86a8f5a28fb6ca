/**
 * Arrays of the precision that was asked for: parameters, what an optimizer keeps for them, and what layers make.
 * Sums and gradients are float64 either way.
 */
export type Real = Float32Array | Float64Array;

/** float32 in training, float64 to compare with finite differences. */
export type Precision = 'float32' | 'float64';

/** `size` zeros. */
export function reals(precision: Precision, size: number): Real {
  return precision === 'float32' ? new Float32Array(size) : new Float64Array(size);
}

/** The precision of an array. */
export function precisionOf(array: Real): Precision {
  return array instanceof Float32Array ? 'float32' : 'float64';
}

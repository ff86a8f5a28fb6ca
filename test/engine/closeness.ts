/** How far arrays are apart, for arithmetic that cannot agree to the last bit; and whether they agree, where it can. */
import type { ProgramState } from '../../sdk/engine/engine.js';

/**
 * The largest difference, as a share of the largest magnitude in `expected`; infinite when a length differs or a
 * number is not finite.
 *
 * @param floor the least that counts as the largest magnitude
 */
export function relativeDifference(actual: ArrayLike<number>, expected: ArrayLike<number>, floor = 1e-30): number {
  if (actual.length !== expected.length) return Number.POSITIVE_INFINITY;
  let difference = 0;
  let magnitude = floor;
  for (let i = 0; i < expected.length; i++) {
    if (!Number.isFinite(actual[i]) || !Number.isFinite(expected[i])) return Number.POSITIVE_INFINITY;
    difference = Math.max(difference, Math.abs(actual[i] - expected[i]));
    magnitude = Math.max(magnitude, Math.abs(expected[i]));
  }
  return difference / magnitude;
}

/** Whether two states are the same, bit for bit. */
export function sameState(a: ProgramState, b: ProgramState): boolean {
  return (
    a.step === b.step &&
    a.slots.length === b.slots.length &&
    sameBits(a.parameters, b.parameters) &&
    a.slots.every((slot, i) => sameBits(slot, b.slots[i]))
  );
}

/** Whether two arrays are the same, bit for bit. */
export function sameBits(a: Float32Array, b: Float32Array): boolean {
  return Buffer.from(a.buffer, a.byteOffset, a.byteLength).equals(Buffer.from(b.buffer, b.byteOffset, b.byteLength));
}

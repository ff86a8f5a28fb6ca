/**
 * What dropout leaves out, by counting instead of drawing: a hash of seed, step, layer, sample and feature. So it is the same in every
 * engine, for any number of threads, and after a resume. native/dropout.h computes the same.
 */

/**
 * A hash of 32 bits, in which every bit of `x` changes half of the result's: https://nullprogram.com/blog/2018/07/31/ (lowbias32).
 */
export function hash32(x: number): number {
  let h = x | 0;
  h = Math.imul(h ^ (h >>> 16), 0x7feb352d);
  h = Math.imul(h ^ (h >>> 15), 0x846ca68b);
  return (h ^ (h >>> 16)) >>> 0;
}

/**
 * What a dropout layer's hashes start from.
 *
 * @param seed any whole number; its lower 32 bits count
 * @param step optimizer steps taken before this one
 * @param layer the layer's position in the network's nodes
 */
export function dropoutKey(seed: number, step: number, layer: number): number {
  return hash32(hash32(hash32(seed | 0) + step) + layer);
}

/**
 * Whether a number stays.
 *
 * @param sample its place in the batch
 * @param feature its place in the layer's value, `[channel][row][column]`
 */
export function isKept(key: number, rate: number, { sample, feature }: { sample: number; feature: number }): boolean {
  return hash32(hash32(key + sample) ^ Math.imul(feature, 0x9e3779b1)) >= dropoutThreshold(rate);
}

/** Hashes from here on stay: rate · 2³². */
export function dropoutThreshold(rate: number): number {
  return Math.floor(rate * 2 ** 32);
}

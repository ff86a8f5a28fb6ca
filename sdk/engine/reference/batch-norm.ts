/** Batch normalisation; `batchNorm` in sdk/nn/layers.ts says what it is. */
import type { Real } from './real.js';

/** Sizes and arrays of one batch normalisation of n samples. */
export interface BatchNorm {
  readonly channels: number;
  /** Rows times columns; 1 for vectors. */
  readonly places: number;
  readonly epsilon: number;
  readonly momentum: number;
  /** `[n, channels, places]` */
  readonly x: Real;
  readonly dx: Float64Array;
  /** `[n, channels, places]` */
  readonly out: Real;
  readonly dout: Float64Array;
  /** `[channels]`, as are all below */
  readonly gamma: Real;
  readonly dgamma: Float64Array;
  readonly beta: Real;
  readonly dbeta: Float64Array;
  readonly movingMean: Real;
  readonly movingVariance: Real;
  /** What the last forward pass normalised by. */
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** out = gamma · x̂ + beta, where x̂ = (x − mean) / √(variance + epsilon), for every channel */
export function batchNormForward(layer: BatchNorm, training: boolean): void {
  const { channels, epsilon, x, out, gamma, beta, movingMean, movingVariance, mean, variance } = layer;
  for (let c = 0; c < channels; c++) {
    mean[c] = training ? average(layer, c, (i) => x[i]) : movingMean[c];
    variance[c] = training ? average(layer, c, (i) => (x[i] - mean[c]) ** 2) : movingVariance[c];
    const deviation = Math.sqrt(variance[c] + epsilon);
    for (const i of numbersOf(layer, c)) out[i] = (gamma[c] * (x[i] - mean[c])) / deviation + beta[c];
  }
}

/**
 * After a training pass: dbeta += Σ dout; dgamma += Σ dout · x̂;
 * dx += gamma / √(variance + epsilon) · (dout − mean of dout − x̂ · mean of dout · x̂), the means over the batch's numbers of a channel.
 */
export function batchNormBackward(layer: BatchNorm): void {
  const { channels, epsilon, x, dx, dout, gamma, dgamma, dbeta, mean, variance } = layer;
  for (let c = 0; c < channels; c++) {
    const deviation = Math.sqrt(variance[c] + epsilon);
    const normalised = (i: number): number => (x[i] - mean[c]) / deviation;
    const level = average(layer, c, (i) => dout[i]);
    const along = average(layer, c, (i) => dout[i] * normalised(i));
    dbeta[c] += level * size(layer);
    dgamma[c] += along * size(layer);
    for (const i of numbersOf(layer, c)) dx[i] += (gamma[c] / deviation) * (dout[i] - level - normalised(i) * along);
  }
}

/**
 * Once the step of a training pass is taken: moving ← momentum · moving + (1 − momentum) · batch's, the variance there divided by
 * one less than how many numbers it is of, unless that is 1.
 */
export function moveStatistics(layer: BatchNorm): void {
  const { channels, momentum, movingMean, movingVariance, mean, variance } = layer;
  const unbiased = size(layer) / Math.max(size(layer) - 1, 1);
  for (let c = 0; c < channels; c++) {
    movingMean[c] = momentum * movingMean[c] + (1 - momentum) * mean[c];
    movingVariance[c] = momentum * movingVariance[c] + (1 - momentum) * variance[c] * unbiased;
  }
}

/** How many numbers of a channel the batch has. */
function size({ x, channels }: BatchNorm): number {
  return x.length / channels;
}

function average(layer: BatchNorm, channel: number, term: (i: number) => number): number {
  let sum = 0;
  for (const i of numbersOf(layer, channel)) sum += term(i);
  return sum / size(layer);
}

/** Where the batch's numbers of a channel lie, sample by sample. */
function* numbersOf({ x, channels, places }: BatchNorm, channel: number): Generator<number> {
  for (let plane = channel * places; plane < x.length; plane += channels * places) {
    for (let i = plane; i < plane + places; i++) yield i;
  }
}

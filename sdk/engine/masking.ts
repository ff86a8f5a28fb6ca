/** What must fit before a mask, surgery or rates are used, and what all engines make of them alike. */
import { EngineError } from '../base/errors.js';
import type { Network, Parameter } from '../nn/network.js';
import type { Bounded, Candidates, CompileOptions, StepOptions } from './engine.js';

/** How much faster than others a parameter learns and decays. */
export interface Factors {
  readonly rate: number;
  readonly decay: number;
}

/**
 * The factors of each of the network's parameters.
 *
 * @throws EngineError `E_FACTOR` for a name that no trained parameter has, or a factor below 0
 * @example
 * factorsOf(LeNet300100(), { rateFactors: { 'ip1.bias': 2 } })[1]; // { rate: 2, decay: 1 }
 */
export function factorsOf(
  network: Network,
  { rateFactors = {}, decayFactors = {} }: Pick<CompileOptions, 'rateFactors' | 'decayFactors'>,
): readonly Factors[] {
  for (const [name, factor] of [rateFactors, decayFactors].flatMap((each) => Object.entries(each))) {
    if (!network.parameters.some((parameter) => parameter.trainable && parameter.name === name)) {
      throw new EngineError('E_FACTOR', `network ${network.name} trains no parameter ${name} that could have a factor`);
    }
    if (!(factor >= 0 && Number.isFinite(factor))) {
      throw new EngineError(
        'E_FACTOR',
        `network ${network.name}: the factor of ${name} must be at least 0, not ${factor}`,
      );
    }
  }
  return network.parameters.map(({ name }) => ({ rate: rateFactors[name] ?? 1, decay: decayFactors[name] ?? 1 }));
}

/**
 * The learning rate of each step.
 *
 * @throws EngineError `E_RATES` when there are not as many as steps
 * @example
 * learningRates(0.1, 3); // Float64Array.of(0.1, 0.1, 0.1)
 */
export function learningRates(learningRate: StepOptions['learningRate'], steps: number): Float32Array | Float64Array {
  if (typeof learningRate === 'number') return new Float64Array(steps).fill(learningRate);
  if (learningRate.length === steps) return learningRate;
  throw new EngineError(
    'E_RATES',
    `${learningRate.length} learning rates for ${steps} steps; give one, or one for each`,
  );
}

/**
 * That surgery fits the network, and says of each step which layers take part.
 *
 * @throws EngineError `E_SURGERY`
 */
export function requireSurgery(network: Network, { surgery }: StepOptions, steps: number): void {
  if (surgery === undefined) return;
  requireBounded(network, surgery);
  const layers = surgery.spans.length / 2;
  if (surgery.bounds.length !== 2 * layers || surgery.active.length !== steps * layers) {
    throw new EngineError(
      'E_SURGERY',
      `network ${network.name}: surgery of ${layers} layers in ${steps} steps needs ${2 * layers} bounds and ${steps * layers} times yes or no, not ${surgery.bounds.length} and ${surgery.active.length}`,
    );
  }
}

/**
 * That spans hold parameters that are trained, one after another, and each has its bounds.
 *
 * @returns how many candidates there are
 * @throws EngineError `E_SURGERY`
 */
export function requireBounded(network: Network, { spans, bounds }: Bounded): number {
  const wrong = (what: string): EngineError => new EngineError('E_SURGERY', `network ${network.name}: ${what}`);
  if (spans.length === 0 || spans.length % 2 !== 0)
    throw wrong('the spans of layers are pairs of first and end parameter');
  for (let i = 0; i < spans.length; i += 2) {
    const [first, end] = spans.subarray(i, i + 2);
    if (first < (spans[i - 1] ?? 0) || end < first || end > network.parameterCount) {
      throw wrong(
        `parameters ${first} to ${end} are no layer: spans follow one another, within ${network.parameterCount} parameters`,
      );
    }
    const fixed = network.parameters.find((p) => !p.trainable && p.offset < end && first < p.offset + p.size);
    if (fixed) throw wrong(`${fixed.name} is not trained, so it cannot be pruned`);
  }
  if (bounds.length % spans.length !== 0 || bounds.some((bound) => Number.isNaN(bound))) {
    throw wrong(`each of ${spans.length / 2} layers needs two bounds, and these are ${bounds.length} numbers`);
  }
  return bounds.length / spans.length;
}

/**
 * That candidates are bounded, and their saliencies, if there are any, one for each parameter.
 *
 * @returns how many candidates there are
 * @throws EngineError `E_SURGERY`
 */
export function requireCandidates(network: Network, { saliency, ...bounded }: Candidates): number {
  if (saliency !== undefined && saliency.length !== network.parameterCount) {
    throw new EngineError(
      'E_SURGERY',
      `network ${network.name}: ${saliency.length} saliencies for ${network.parameterCount} parameters`,
    );
  }
  return requireBounded(network, bounded);
}

/**
 * That a mask has a bit for each parameter, and keeps those that are not trained.
 *
 * @throws EngineError `E_MASK`
 */
export function requireMask(network: Network, mask: Uint8Array): void {
  const wrong = (what: string): EngineError => new EngineError('E_MASK', `network ${network.name}: ${what}`);
  if (mask.length !== network.parameterCount) {
    throw wrong(`a mask of ${mask.length} bits for ${network.parameterCount} parameters`);
  }
  const odd = mask.find((bit) => bit > 1);
  if (odd !== undefined) throw wrong(`a mask holds 1 and 0, not ${odd}`);
  const masked = ({ trainable, offset, size }: Parameter): boolean =>
    !trainable && mask.subarray(offset, offset + size).includes(0);
  const fixed = network.parameters.find(masked);
  if (fixed) throw wrong(`${fixed.name} is not trained, so it cannot be masked`);
}

/**
 * That an engine without masks is asked for none.
 *
 * @throws EngineError `E_MASKING`
 */
export function requireUnmasked(engine: string, { surgery, maskedStay }: StepOptions): void {
  if (surgery === undefined && !maskedStay) return;
  throw new EngineError('E_MASKING', `the ${engine} engine cannot prune: use the native engine (--device_target CPU)`);
}

/**
 * That an engine in which all parameters learn alike is asked for no factors.
 *
 * @throws EngineError `E_FACTOR`
 */
export function requireEven(
  engine: string,
  { rateFactors, decayFactors }: Pick<CompileOptions, 'rateFactors' | 'decayFactors'>,
): void {
  if (rateFactors === undefined && decayFactors === undefined) return;
  throw new EngineError(
    'E_FACTOR',
    `in the ${engine} engine all parameters learn alike: use the native engine (--device_target CPU), or give no factors`,
  );
}

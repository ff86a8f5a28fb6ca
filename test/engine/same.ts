/** Whether an engine does what another does: programs made alike, and their results compared. */
import { seededRandom } from '../../sdk/base/random.js';
import { type Dataset, epochOrder, fromArrays } from '../../sdk/dataset/dataset.js';
import { normalize, rescale, resize } from '../../sdk/dataset/transforms.js';
import type { Engine, Program, TrainResult } from '../../sdk/engine/engine.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import type { Network } from '../../sdk/nn/network.js';
import { slotNames } from '../../sdk/nn/optimizers.js';
import { relativeDifference } from './closeness.js';
import type { Case } from './random-network.js';

/** What counts as small in parameters, first and second moments: gradients may be 0 but for rounding, where terms cancel. */
const SLOT_FLOORS = [0.01, 0.01, 1e-6];

/** A program for a case, holding the case's parameters. */
export function compile(engine: Engine, { network, data, batchSize, optimizer, parameters }: Case): Program {
  const program = engine.compile(network, { loss: softmaxCrossEntropy(), optimizer, batchSize, input: data.plan });
  program.load({ parameters, slots: slotNames(optimizer).map(() => new Float32Array(parameters.length)), step: 0 });
  return program;
}

/** Goes over a case's data once. */
export function trainEpoch(program: Program, { data, seed, optimizer }: Case, epoch: number): Promise<TrainResult> {
  return program.train(data, epochOrder(data.size, { seed, epoch }), { learningRate: optimizer.learningRate });
}

/**
 * That two programs' training came to the same.
 *
 * @param tolerance the most that they may differ by, relative to the largest magnitude in an array
 */
export function sameResult(actual: TrainResult, expected: TrainResult, tolerance: number): void {
  equal('ended', actual.ended, expected.ended);
  equal('correct', actual.correct, expected.correct);
  near('losses', actual.losses, expected.losses, { tolerance, floor: 0.01 });
}

/** Compares parameter by parameter, so that a large one does not hide what is wrong in a small one. */
export function sameParameters(
  { parameters }: Network,
  [actual, expected]: readonly [Program, Program],
  tolerance: number,
): void {
  const [a, e] = [actual.state(), expected.state()];
  equal('step', a.step, e.step);
  equal('number of slots', a.slots.length, e.slots.length);
  for (const [k, values] of [a.parameters, ...a.slots].entries()) {
    const right = k === 0 ? e.parameters : e.slots[k - 1];
    const largest = right.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    const floor = Math.max(largest / 1000, SLOT_FLOORS[k]);
    for (const { name, offset, size } of parameters) {
      const part = [values, right].map((array) => array.subarray(offset, offset + size));
      near(k === 0 ? name : `slot ${k} of ${name}`, part[0], part[1], { tolerance, floor });
    }
  }
}

/** That two arrays are as good as equal; `floor` is the least that counts as their largest magnitude. */
export function near(
  what: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  { tolerance, floor }: { readonly tolerance: number; readonly floor?: number },
): void {
  const apart = relativeDifference(actual, expected, floor);
  if (!(apart <= tolerance)) throw new Error(`${what}: ${apart} apart`);
}

/** That two values are equal. */
export function equal<T>(what: string, actual: T, expected: T): void {
  if (actual !== expected) throw new Error(`${what}: ${String(actual)}, not ${String(expected)}`);
}

/** Random 28×28 images for any LeNet. */
export function noise(size: number, { inputShape: [, height, width], outputShape: [classes] }: Network): Dataset {
  const random = seededRandom(1, 'noise');
  return fromArrays({
    images: Uint8Array.from({ length: size * 784 }, () => random.below(256)),
    labels: Int32Array.from({ length: size }, () => random.below(classes)),
    height: 28,
    width: 28,
    classes,
    transforms: [resize(height, width), rescale(1 / 255), normalize(0.5, 0.3)],
  });
}

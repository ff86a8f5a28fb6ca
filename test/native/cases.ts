/** What the kernels are given through the C ABI (native/mindts.h), and what the reference engine says must come out. */
import * as fc from 'fast-check';
import { seededRandom } from '../../sdk/base/random.js';
import { fromArrays } from '../../sdk/dataset/dataset.js';
import { normalize, rescale, resize } from '../../sdk/dataset/transforms.js';
import { encode, lower, trainableRanges } from '../../sdk/engine/native/lower.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters } from '../../sdk/nn/network.js';
import { adam, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { relativeDifference } from '../engine/closeness.js';
import { arbitraryCase, type Case } from '../engine/random-network.js';

/** A case, and the samples it trains on. */
interface Job extends Case {
  readonly order: Int32Array;
}

/** What came out of a case, or ought to. */
interface Outcome {
  readonly losses: ArrayLike<number>;
  readonly correct: number;
  readonly parameters: ArrayLike<number>;
  readonly slots: readonly ArrayLike<number>[];
  readonly step: number;
  /** Mean over the samples, after training; so are those below. */
  readonly loss: number;
  readonly hits: number;
  readonly predictions: ArrayLike<number>;
}

/** Samples, and how many of them are a batch: below, at and beside the vectors' 4, 8 and 16 images. */
const SIZES = [
  [1, 1],
  [7, 3],
  [17, 16],
  [33, 33],
  [50, 17],
  [64, 32],
] as const;

/** Random networks with either optimizer, their batches of every size; then LeNet-5, which has what they rarely have. */
export const jobs: readonly Job[] = [
  ...fc.sample(arbitraryCase(), { numRuns: 60, seed: 2 }).map((drawn, i) => {
    const [samples, batchSize] = SIZES[i % SIZES.length];
    const random = seededRandom(drawn.seed, 'order');
    return { ...drawn, batchSize, order: Int32Array.from({ length: samples }, () => random.below(drawn.data.size)) };
  }),
  lenet(28, 28),
  lenet(23, 27),
];

/** The cases as kernels_test.cpp reads them. */
export function encodeJobs(): Buffer {
  return Buffer.concat(jobs.flatMap(encodeJob));
}

/** What the reference engine makes of each case. */
export function expectedOutcomes(): Promise<Outcome[]> {
  return Promise.all(jobs.map(expected));
}

/** What kernels_test.cpp wrote. */
export function decodeOutcomes(results: Buffer): Outcome[] {
  const arrays: ArrayBuffer[] = [];
  for (let at = 0; at < results.length; ) {
    const end = at + 4 + results.readUInt32LE(at);
    arrays.push(Uint8Array.from(results.subarray(at + 4, end)).buffer);
    at = end;
  }
  return jobs.map(({ optimizer, parameters: { length }, order }, i) => {
    const [losses, ended, state, step, evaluated, predictions] = arrays.slice(6 * i, 6 * i + 6);
    const [steps, correct] = new Int32Array(ended);
    const [loss, hits] = new Float64Array(evaluated);
    const all = new Float32Array(state);
    return {
      losses: new Float32Array(losses).subarray(0, steps),
      correct,
      parameters: all.subarray(0, length),
      slots: slotNames(optimizer).map((_, slot) => all.subarray(length * (slot + 1), length * (slot + 2))),
      step: new Int32Array(step)[0],
      loss: loss / order.length,
      hits,
      predictions: new Float32Array(predictions),
    };
  });
}

/** Where outcomes are further from those expected than 1e-4 of the largest number: a line for each. */
export function differences(actual: readonly Outcome[], wanted: readonly Outcome[]): string[] {
  return wanted.flatMap((right, i) => {
    const { losses, parameters, slots, loss, predictions, ...counts } = actual[i];
    const arrays = { losses, parameters, loss: [loss], predictions, ...slots };
    const rightArrays = { ...right, loss: [right.loss], ...right.slots };
    const wrong = Object.entries(arrays)
      .map(([name, array]) => ({ name, by: relativeDifference(array, Reflect.get(rightArrays, name), 1e-3) }))
      .filter(({ by }) => !(by <= 1e-4))
      .map(({ name, by }) => `${name} by ${by.toExponential(1)}`);
    for (const name of ['correct', 'step', 'hits'] as const) {
      if (counts[name] !== right[name]) wrong.push(`${name}: ${counts[name]}, not ${right[name]}`);
    }
    return wrong.map((what) => `case ${i}: ${what}\n${fc.stringify(jobs[i])}`);
  });
}

async function expected({ network, data, optimizer, batchSize, parameters, order }: Job): Promise<Outcome> {
  const options = { loss: softmaxCrossEntropy(), optimizer, batchSize, input: data.plan };
  const program = referenceEngine().compile(network, options);
  program.load({ parameters, slots: slotNames(optimizer).map(() => new Float32Array(parameters.length)), step: 0 });
  const { losses, correct } = await program.train(data, order, optimizer);
  const { loss, correct: hits } = await program.evaluate(data, order);
  return { losses, correct, ...program.state(), loss, hits, predictions: await program.predict(data, order) };
}

function encodeJob({ network, data, optimizer, batchSize, parameters, order }: Job): Buffer[] {
  const { valueSizes, output, operations } = lower(network);
  const { source, height, width, scale, shift } = data.plan;
  const slots = slotNames(optimizer).length;
  const [kind, nesterov] = optimizer.kind === 'sgd' ? [0, Number(optimizer.nesterov)] : [1, 0];
  const trainable = trainableRanges(network);
  const shape = [
    [source.height, source.width, source.channels, height, width],
    [valueSizes.length, operations.length, network.parameterCount, slots],
    [
      batchSize,
      1,
      network.outputShape[0],
      output,
      kind,
      nesterov,
      1,
      trainable.length,
      ...trainable.flatMap(({ first, end }) => [first, end]),
    ],
  ].flat();
  const settings =
    optimizer.kind === 'sgd'
      ? [optimizer.momentum, optimizer.weightDecay, 0, 0, 0]
      : [0, optimizer.weightDecay, optimizer.beta1, optimizer.beta2, optimizer.epsilon];
  const state = new Float32Array(parameters.length * (slots + 1));
  state.set(parameters);
  const factors = trainable.flatMap(({ rate, decay }) => [rate, decay]);
  const numbers = Float32Array.of(...scale, ...shift, ...settings, ...factors);
  const rate = Float32Array.of(optimizer.learningRate);
  const arrays = [Int32Array.from(shape), valueSizes, encode(operations), numbers, data.images, data.labels, order];
  return [...arrays, state, rate].flatMap((array) => {
    const size = Buffer.alloc(4);
    size.writeUInt32LE(array.byteLength);
    return [size, Buffer.from(array.buffer, array.byteOffset, array.byteLength)];
  });
}

/** LeNet-5 on noise: two steps of 33 and 12. */
function lenet(height: number, width: number): Job {
  const network = LeNet5();
  const random = seededRandom(height, 'lenet');
  const size = 45;
  const images = Uint8Array.from({ length: size * height * width }, () => random.below(256));
  const labels = Int32Array.from({ length: size }, () => random.below(10));
  const transforms = [resize(32, 32), rescale(1 / 255), normalize(0.1307, 0.3081)];
  return {
    network,
    data: fromArrays({ images, labels, height, width, classes: 10, transforms }),
    batchSize: 33,
    optimizer: height % 2 === 0 ? sgd({ momentum: 0.9 }) : adam({ epsilon: 0.001 }),
    parameters: initialParameters(network, 1),
    seed: height,
    order: Int32Array.from({ length: size }, (_, i) => (i * 7) % size),
  };
}

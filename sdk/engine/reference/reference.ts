/** The engine that says what is right, in plain TypeScript; others are tested against it. */
import type { Engine } from '../engine.js';
import { compileProgram } from './program.js';
import type { Precision } from './real.js';

export { type Batch, type BatchResult, lossAndGradients } from './batch.js';
export type { Precision, Real } from './real.js';

/**
 * The reference engine: one thread, on any machine that runs Node.
 *
 * @param options precision: of parameters, optimizer state and what layers make (default `float32`, as in every other
 * engine); `state()` gives float32 either way
 * @example
 * const black = fromArrays({ images: new Uint8Array(32 * 32), labels: [7], height: 32, width: 32, classes: 10 });
 * const model = new Model({ network: LeNet5(), engine: referenceEngine() });
 * (await model.predict(black)).logits.length; // 10
 */
export function referenceEngine({ precision = 'float32' }: { readonly precision?: Precision } = {}): Engine {
  return {
    name: 'reference',
    description: 'plain TypeScript, 1 thread',
    compile: (network, options) => compileProgram(network, options, precision),
  };
}

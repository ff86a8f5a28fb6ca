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
 * const net = LeNet5();
 * const plan = planInput({ height: 28, width: 28, channels: 1 }, [resize(32, 32), rescale(1 / 255)]);
 * const options = { loss: softmaxCrossEntropy(), optimizer: sgd(), batchSize: 32, input: plan };
 * referenceEngine().compile(net, options).state().parameters.length; // 61706
 */
export function referenceEngine({ precision = 'float32' }: { readonly precision?: Precision } = {}): Engine {
  return {
    name: 'reference',
    description: 'plain TypeScript, 1 thread',
    compile: (network, options) => compileProgram(network, options, precision),
  };
}

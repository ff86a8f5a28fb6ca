/** A compiled network: its parameters, and what is done with them. */
import type { Network } from '../../nn/network.js';
import { slotNames } from '../../nn/optimizers.js';
import { requireAlone, requireCompilable, requireState } from '../checks.js';
import type { CompileOptions, Program, TrainResult } from '../engine.js';
import { evaluatedAtOnce, Turns } from '../turns.js';
import { runBatch } from './batch.js';
import { type Graph, graph } from './graph.js';
import { update } from './optimizer.js';
import { type Precision, type Real, reals } from './real.js';

/**
 * Compiles a network. Its parameters are 0 until `load` is called.
 *
 * @throws EngineError `E_INPUT`, `E_OUTPUT`, `E_BATCH_SIZE`; when it runs `E_ORDER`, `E_STATE`, `E_BUSY`, `E_CLOSED`,
 * and DatasetError `E_PLAN`, `E_CLASSES`
 */
export function compileProgram(network: Network, options: CompileOptions, precision: Precision): Program {
  requireCompilable(network, options);
  requireAlone('reference', options);
  const { loss, optimizer, batchSize, seed = 1, input } = options;
  const parameters = reals(precision, network.parameterCount);
  const slots = slotNames(optimizer).map(() => reals(precision, network.parameterCount));
  let step = 0;

  let last: Graph | undefined;
  const turns = new Turns(network, input);
  const atOnce = evaluatedAtOnce(network, batchSize);

  /** The last batch's graph, if that had as many samples: most have. */
  function graphFor(n: number): Graph {
    if (last?.n !== n) last = graph(network, parameters, n);
    return last;
  }

  function takeStep(gradients: Float64Array, learningRate: number): void {
    step++;
    for (const { offset, size, trainable } of network.parameters) {
      if (!trainable) continue;
      const part = (all: Real): Real => all.subarray(offset, offset + size);
      const arrays = { parameters: part(parameters), gradients: part(gradients), slots: slots.map(part) };
      update(optimizer, { ...arrays, learningRate, step });
    }
  }

  return {
    async train(data, order, { learningRate }) {
      const losses = new Float32Array(Math.ceil(order.length / batchSize));
      let taken = 0;
      let correct = 0;
      let ended: TrainResult['ended'] = 'complete';
      await turns.each({ data, order, size: batchSize }, (batch) => {
        if (turns.stopping) {
          ended = 'stopped';
          return false;
        }
        const bound = graphFor(batch.labels.length);
        const result = runBatch(bound, loss, { ...batch, training: { seed, step } });
        losses[taken] = result.loss;
        if (!Number.isFinite(losses[taken])) {
          ended = 'diverged';
          return false;
        }
        takeStep(bound.gradients, learningRate);
        bound.moveStatistics();
        taken++;
        correct += result.correct;
        return true;
      });
      return { losses: losses.slice(0, taken), correct, ended, exchangeSeconds: 0 };
    },

    async evaluate(data, order) {
      let sum = 0;
      let correct = 0;
      await turns.each({ data, order, size: atOnce }, (batch) => {
        const result = runBatch(graphFor(batch.labels.length), loss, batch);
        // One after another, so that the sum does not depend on the batches.
        for (const each of result.losses) sum += each;
        correct += result.correct;
        return true;
      });
      return { loss: sum / order.length, correct };
    },

    async predict(data, order) {
      const outputs = new Float32Array(order.length * network.outputShape[0]);
      let to = 0;
      await turns.each({ data, order, size: atOnce }, ({ inputs, labels }) => {
        const bound = graphFor(labels.length);
        bound.input.set(inputs);
        bound.forward(undefined);
        outputs.set(bound.output, to);
        to += bound.output.length;
        return true;
      });
      return outputs;
    },

    state() {
      turns.requireIdle();
      return { parameters: Float32Array.from(parameters), slots: slots.map((slot) => Float32Array.from(slot)), step };
    },

    load(state) {
      turns.requireIdle();
      requireState(network, slots.length, state);
      parameters.set(state.parameters);
      for (const [i, slot] of slots.entries()) slot.set(state.slots[i]);
      step = state.step;
    },

    stop() {
      turns.stopping = true;
    },

    close() {
      turns.close();
    },
  };
}

/** A compiled network: its parameters, and what is done with them. */
import { setImmediate as breathe } from 'node:timers/promises';
import { EngineError } from '../../base/errors.js';
import type { Dataset } from '../../dataset/dataset.js';
import type { Network } from '../../nn/network.js';
import { slotNames } from '../../nn/optimizers.js';
import { requireCompilable, requireFit, requireState } from '../checks.js';
import type { CompileOptions, Program, TrainResult } from '../engine.js';
import { type Batch, runBatch } from './batch.js';
import { type Graph, graph } from './graph.js';
import { batchAssembler } from './input.js';
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
  const { loss, optimizer, batchSize, seed = 1, input: plan } = options;
  const parameters = reals(precision, network.parameterCount);
  const slots = slotNames(optimizer).map(() => reals(precision, network.parameterCount));
  let step = 0;

  let last: Graph | undefined;
  const assemble = batchAssembler(plan, batchSize);
  let running = false;
  let stopping = false;
  let closed = false;

  function requireIdle(): void {
    if (closed) throw new EngineError('E_CLOSED', `network ${network.name}: its program was closed; compile it again`);
    if (running) throw new EngineError('E_BUSY', `network ${network.name}: its program is running; await that first`);
  }

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

  /** Between batches the event loop turns, so that signals, uploads and `stop` have their time. */
  async function eachBatch(
    data: Dataset,
    order: Int32Array,
    visit: (batch: Batch, bound: Graph) => boolean,
  ): Promise<void> {
    requireIdle();
    requireFit(network, { plan, data, order });
    stopping = false;
    running = true;
    try {
      for (let first = 0; first < order.length; first += batchSize) {
        const batch = assemble(data, order.subarray(first, first + batchSize));
        const goOn = visit(batch, graphFor(batch.labels.length));
        if (!goOn) return;
        await breathe();
      }
    } finally {
      running = false;
    }
  }

  return {
    async train(data, order, { learningRate }) {
      const losses = new Float32Array(Math.ceil(order.length / batchSize));
      let taken = 0;
      let correct = 0;
      let ended: TrainResult['ended'] = 'complete';
      await eachBatch(data, order, (batch, bound) => {
        if (stopping) {
          ended = 'stopped';
          return false;
        }
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
      return { losses: losses.slice(0, taken), correct, ended };
    },

    async evaluate(data, order) {
      let sum = 0;
      let correct = 0;
      await eachBatch(data, order, (batch, bound) => {
        const result = runBatch(bound, loss, batch);
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
      await eachBatch(data, order, ({ inputs }, bound) => {
        bound.input.set(inputs);
        bound.forward(undefined);
        outputs.set(bound.output, to);
        to += bound.output.length;
        return true;
      });
      return outputs;
    },

    state() {
      requireIdle();
      return { parameters: Float32Array.from(parameters), slots: slots.map((slot) => Float32Array.from(slot)), step };
    },

    load(state) {
      requireIdle();
      requireState(network, slots.length, state);
      parameters.set(state.parameters);
      for (const [i, slot] of slots.entries()) slot.set(state.slots[i]);
      step = state.step;
    },

    stop() {
      stopping = true;
    },

    close() {
      if (!closed) requireIdle();
      closed = true;
    },
  };
}

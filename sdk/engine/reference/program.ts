/** A compiled network: its parameters, and what is done with them. */
import { setImmediate as breathe } from 'node:timers/promises';
import { EngineError } from '../../base/errors.js';
import type { Dataset } from '../../dataset/dataset.js';
import type { Network } from '../../nn/network.js';
import { slotNames } from '../../nn/optimizers.js';
import { requireCompilable, requireFit, requireState } from '../checks.js';
import type { CompileOptions, Program, TrainResult } from '../engine.js';
import { type Batch, runBatch } from './batch.js';
import { graph } from './graph.js';
import { batchAssembler } from './input.js';
import { update } from './optimizer.js';
import { type Precision, reals } from './real.js';

/**
 * Compiles a network. Its parameters are 0 until `load` is called.
 *
 * @throws EngineError `E_INPUT`, `E_OUTPUT`, `E_BATCH_SIZE`; when it runs `E_ORDER`, `E_STATE`, `E_BUSY`, `E_CLOSED`,
 * and DatasetError `E_PLAN`, `E_CLASSES`
 */
export function compileProgram(network: Network, options: CompileOptions, precision: Precision): Program {
  requireCompilable(network, options);
  const { loss, optimizer, batchSize, input: plan } = options;
  const parameters = reals(precision, network.parameterCount);
  const slots = slotNames(optimizer).map(() => reals(precision, network.parameterCount));
  let step = 0;

  const bound = graph(network, parameters);
  const assemble = batchAssembler(plan, batchSize);
  let running = false;
  let stopping = false;
  let closed = false;

  function requireIdle(): void {
    if (closed) throw new EngineError('E_CLOSED', `network ${network.name}: its program was closed; compile it again`);
    if (running) throw new EngineError('E_BUSY', `network ${network.name}: its program is running; await that first`);
  }

  /** Between batches the event loop turns, so that signals, uploads and `stop` have their time. */
  async function eachBatch(data: Dataset, order: Int32Array, visit: (batch: Batch) => boolean): Promise<void> {
    requireIdle();
    requireFit(network, { plan, data, order });
    stopping = false;
    running = true;
    try {
      for (let first = 0; first < order.length; first += batchSize) {
        const goOn = visit(assemble(data, order.subarray(first, first + batchSize)));
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
      await eachBatch(data, order, (batch) => {
        if (stopping) {
          ended = 'stopped';
          return false;
        }
        const result = runBatch(bound, loss, { ...batch, backward: true });
        losses[taken] = result.loss;
        if (!Number.isFinite(losses[taken])) {
          ended = 'diverged';
          return false;
        }
        step++;
        update(optimizer, { parameters, gradients: bound.gradients, slots, learningRate, step });
        taken++;
        correct += result.correct;
        return true;
      });
      return { losses: losses.slice(0, taken), correct, ended };
    },

    async evaluate(data, order) {
      let sum = 0;
      let correct = 0;
      await eachBatch(data, order, (batch) => {
        const result = runBatch(bound, loss, { ...batch, backward: false });
        sum += result.loss * batch.labels.length;
        correct += result.correct;
        return true;
      });
      return { loss: sum / order.length, correct };
    },

    async predict(data, order) {
      const outputs = new Float32Array(order.length * bound.output.length);
      let to = 0;
      await eachBatch(data, order, ({ inputs }) => {
        for (let from = 0; from < inputs.length; from += bound.input.length) {
          bound.input.set(inputs.subarray(from, from + bound.input.length));
          bound.forward();
          outputs.set(bound.output, to);
          to += bound.output.length;
        }
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

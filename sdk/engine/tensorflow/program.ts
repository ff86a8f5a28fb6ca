/** A compiled network whose arrays TensorFlow.js holds. */
import { EngineError } from '../../base/errors.js';
import type { Network } from '../../nn/network.js';
import { slotNames } from '../../nn/optimizers.js';
import { requireAlone, requireCompilable, requireState } from '../checks.js';
import type { CompileOptions, Program, ProgramState, TrainResult } from '../engine.js';
import { learningRates, requireEven, requireUnmasked } from '../masking.js';
import { evaluatedAtOnce, Turns } from '../turns.js';
import { dispose, download, upload } from './held.js';
import { hits, meanLoss } from './loss.js';
import { outputs, tryStep } from './step.js';
import type { TensorFlow } from './tf.js';

/**
 * Compiles a network. Its parameters are 0 until `load` is called.
 *
 * @throws EngineError `E_INPUT`, `E_OUTPUT`, `E_BATCH_SIZE`, `E_SIZE`, `E_RANKS`, `E_FACTOR`; when it runs `E_ORDER`, `E_STATE`, `E_BUSY`, `E_CLOSED`,
 * `E_TENSORFLOW_RUN`, and DatasetError `E_PLAN`, `E_COUNT`, `E_CLASSES`
 */
export function compileProgram(tf: TensorFlow, network: Network, options: CompileOptions): Program {
  requireCompilable(network, options);
  requireAlone('tensorflow', options);
  requireEven('tensorflow', options);
  const { loss, optimizer, batchSize, seed = 1, input } = options;
  const plan = { network, loss, optimizer, seed };
  const zeros = (): Float32Array => new Float32Array(network.parameterCount);
  const last: ProgramState = { parameters: zeros(), slots: slotNames(optimizer).map(zeros), step: 0 };
  let step = 0;
  let held = upload(tf, network, last);

  const turns = new Turns(network, input);
  const atOnce = evaluatedAtOnce(network, batchSize);

  /** Frees all that `compute` made but what it returns. TensorFlow's errors become ours. */
  function tidy<T>(compute: () => T): T {
    try {
      return tf.tidy(compute);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new EngineError(
        'E_TENSORFLOW_RUN',
        `network ${network.name}: TensorFlow.js failed: ${reason}; where its memory was full, a smaller batch needs less`,
        { cause: error },
      );
    }
  }

  return {
    async train(data, order, settings) {
      requireUnmasked('tensorflow', settings);
      const losses = new Float32Array(Math.ceil(order.length / batchSize));
      const rates = learningRates(settings.learningRate, losses.length);
      let taken = 0;
      let correct = 0;
      let ended: TrainResult['ended'] = 'complete';
      await turns.each({ data, order, size: batchSize }, (batch) => {
        if (turns.stopping) {
          ended = 'stopped';
          return false;
        }
        const tried = tidy(() => tryStep(tf, plan, { ...batch, held, step, learningRate: rates[taken] }));
        if (!Number.isFinite(tried.loss)) {
          dispose(tried.next);
          ended = 'diverged';
          return false;
        }
        dispose(held);
        held = tried.next;
        step++;
        losses[taken++] = tried.loss;
        correct += tried.correct;
        return true;
      });
      return { losses: losses.slice(0, taken), correct, ended, exchangeSeconds: 0 };
    },

    async evaluate(data, order) {
      let sum = 0;
      let correct = 0;
      await turns.each({ data, order, size: atOnce }, (batch) => {
        const [mean, right] = tidy(() => {
          const made = outputs(tf, network, { ...batch, held });
          return tf.stack([meanLoss(tf, loss, made), hits(tf, made)]).dataSync();
        });
        sum += mean * batch.labels.length;
        correct += right;
        return true;
      });
      return { loss: sum / order.length, correct };
    },

    async predict(data, order) {
      const all = new Float32Array(order.length * network.outputShape[0]);
      let to = 0;
      await turns.each({ data, order, size: atOnce }, (batch) => {
        tidy(() => all.set(outputs(tf, network, { ...batch, held }).output.dataSync(), to));
        to += batch.labels.length * network.outputShape[0];
        return true;
      });
      return all;
    },

    state() {
      turns.requireIdle();
      download(network, held, last);
      return { parameters: last.parameters.slice(), slots: last.slots.map((slot) => slot.slice()), step };
    },

    load(state) {
      turns.requireIdle();
      requireState(network, last.slots.length, state);
      for (const [i, slot] of last.slots.entries()) slot.set(state.slots[i]);
      dispose(held);
      held = upload(tf, network, state);
      step = state.step;
    },

    stop() {
      turns.stopping = true;
    },

    close() {
      if (turns.close()) dispose(held);
    },
  };
}

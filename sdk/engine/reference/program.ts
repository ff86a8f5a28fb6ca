/** A compiled network: its parameters, and what is done with them. */
import type { Dataset } from '../../dataset/dataset.js';
import type { Network } from '../../nn/network.js';
import { slotNames } from '../../nn/optimizers.js';
import { requireAlone, requireCompilable, requireState } from '../checks.js';
import type { CandidateResults, CompileOptions, EvaluateResult, Program, TrainResult } from '../engine.js';
import { factorsOf, learningRates, requireCandidates, requireMask, requireSurgery } from '../masking.js';
import { evaluatedAtOnce, Turns } from '../turns.js';
import { runBatch } from './batch.js';
import { type Graph, graph } from './graph.js';
import { MaskedParameters, operated } from './mask.js';
import { update } from './optimizer.js';
import { type Precision, type Real, reals } from './real.js';

/**
 * Compiles a network. Its parameters are 0 until `load` is called.
 *
 * @throws EngineError `E_INPUT`, `E_OUTPUT`, `E_BATCH_SIZE`, `E_FACTOR`; when it runs `E_ORDER`, `E_STATE`, `E_BUSY`, `E_CLOSED`,
 * `E_RATES`, `E_SURGERY`, `E_MASK`, and DatasetError `E_PLAN`, `E_CLASSES`
 */
export function compileProgram(network: Network, options: CompileOptions, precision: Precision): Program {
  requireCompilable(network, options);
  requireAlone('reference', options);
  const { loss, optimizer, batchSize, seed = 1, input } = options;
  const factors = factorsOf(network, options);
  const parameters = reals(precision, network.parameterCount);
  const masked = new MaskedParameters(network, parameters);
  const slots = slotNames(optimizer).map(() => reals(precision, network.parameterCount));
  let step = 0;

  let last: Graph | undefined;
  const turns = new Turns(network, input);
  const atOnce = evaluatedAtOnce(network, batchSize);

  /** The last batch's graph, if that had as many samples: most have. */
  function graphFor(n: number): Graph {
    if (last?.n !== n) last = graph(network, masked.effective, n);
    return last;
  }

  function takeStep(bound: Graph, learningRate: number, kept: Uint8Array | undefined): void {
    step++;
    for (const [i, { offset, size, trainable }] of network.parameters.entries()) {
      if (!trainable) continue;
      const part = (all: Real): Real => all.subarray(offset, offset + size);
      const arrays = { parameters: part(parameters), gradients: part(bound.gradients), slots: slots.map(part) };
      const { rate, decay } = factors[i];
      update(
        { ...optimizer, weightDecay: optimizer.weightDecay * decay },
        { ...arrays, learningRate: learningRate * rate, step, kept: kept?.subarray(offset, offset + size) },
      );
    }
    bound.moveStatistics();
    masked.takeStatistics();
    masked.apply();
  }

  async function evaluate(data: Dataset, order: Int32Array): Promise<EvaluateResult> {
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
  }

  return {
    async train(data, order, settings) {
      const { surgery, maskedStay } = settings;
      const losses = new Float32Array(Math.ceil(order.length / batchSize));
      const rates = learningRates(settings.learningRate, losses.length);
      requireSurgery(network, settings, losses.length);
      let taken = 0;
      let correct = 0;
      let ended: TrainResult['ended'] = 'complete';
      await turns.each({ data, order, size: batchSize }, (batch) => {
        if (turns.stopping) {
          ended = 'stopped';
          return false;
        }
        if (surgery) {
          const layers = surgery.spans.length / 2;
          masked.operate(surgery, surgery.active.subarray(taken * layers, (taken + 1) * layers));
        }
        const bound = graphFor(batch.labels.length);
        const result = runBatch(bound, loss, { ...batch, training: { seed, step } });
        losses[taken] = result.loss;
        if (!Number.isFinite(losses[taken])) {
          ended = 'diverged';
          return false;
        }
        takeStep(bound, rates[taken], maskedStay ? masked.mask : undefined);
        taken++;
        correct += result.correct;
        return true;
      });
      return { losses: losses.slice(0, taken), correct, ended, exchangeSeconds: 0 };
    },

    evaluate,

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
      masked.apply();
      for (const [i, slot] of slots.entries()) slot.set(state.slots[i]);
      step = state.step;
    },

    stop() {
      turns.stopping = true;
    },

    close() {
      turns.close();
    },

    masking: {
      set(mask) {
        turns.requireIdle();
        if (mask) requireMask(network, mask);
        masked.mask = mask?.slice();
      },

      get() {
        turns.requireIdle();
        return masked.mask?.slice();
      },

      async evaluate(data, order, candidates): Promise<CandidateResults> {
        const count = requireCandidates(network, candidates);
        const { spans, bounds, saliency = parameters } = candidates;
        const results = {
          correct: new Int32Array(count),
          losses: new Float64Array(count),
          kept: new Int32Array((count * spans.length) / 2),
        };
        turns.requireIdle();
        const before = masked.mask;
        try {
          for (let c = 0; c < count; c++) {
            const own = bounds.subarray(c * spans.length, (c + 1) * spans.length);
            const mask = operated(saliency, before, { spans, bounds: own });
            masked.mask = mask;
            const result = await evaluate(data, order);
            results.correct[c] = result.correct;
            results.losses[c] = result.loss;
            for (let l = 0; l < spans.length / 2; l++) {
              const layer = mask.subarray(spans[2 * l], spans[2 * l + 1]);
              results.kept[(c * spans.length) / 2 + l] = layer.reduce((sum, bit) => sum + bit, 0);
            }
          }
        } finally {
          masked.mask = before;
        }
        return results;
      },
    },
  };
}

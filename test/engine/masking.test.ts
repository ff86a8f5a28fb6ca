/** Masks in the engines: the native one against the reference, in every instruction set that this machine can run. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { epochOrder } from '../../sdk/dataset/dataset.js';
import { type Bounded, type Engine, type Program, type StepOptions, UNTOUCHED } from '../../sdk/engine/engine.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { CaffeLeNet5, LeNet5, LeNet300100 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters, type Network } from '../../sdk/nn/network.js';
import { adam, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { prunedLayers } from '../../sdk/pruning/pruned-layers.js';
import { boundsOf, maskFor, snapshotOf } from '../../sdk/pruning/surgery.js';
import { sameBits, sameState } from './closeness.js';
import { availableSets, needsLibrary } from './instruction-sets.js';
import { arbitraryCase, type Case } from './random-network.js';
import { equal, near, noise, sameParameters, sameResult } from './same.js';

const reference = referenceEngine();
/** The most that two engines may differ by, relative to the largest magnitude in an array. */
const TOLERANCE = 1e-4;
// The seed is fixed: see native.test.ts.
const cases = { seed: 1, numRuns: 150 };
/** With a parameter to mask. */
const maskable = arbitraryCase().filter(({ network }) => network.parameterCount > 0);
/** Shares of kept parameters; few of them are taken by their rows. */
const someKept = fc.constantFrom(0.04, 0.1, 0.5, 0.95);
const anyThreads = fc.integer({ min: 1, max: 3 });

for (const instructionSet of availableSets()) {
  test(`${instructionSet}: masks, surgery, and rates for each step and parameter are as the reference has them`, async () => {
    await fc.assert(
      fc.asyncProperty(maskable, anyThreads, someKept, fc.boolean(), async (drawn, threads, share, maskedStay) => {
        const native = compile(nativeEngine({ threads, instructionSet }), drawn, share);
        const expected = compile(reference, drawn, share);
        const order = epochOrder(drawn.data.size, { seed: drawn.seed, epoch: 0 });
        const options = { ...pruning(drawn, order), maskedStay };
        for (let round = 0; round < 2; round++) {
          const result = await native.train(drawn.data, order, options);
          sameResult(result, await expected.train(drawn.data, order, options), TOLERANCE);
          sameParameters(drawn.network, [native, expected], TOLERANCE);
          equal('the same mask', String(maskOf(native)), String(maskOf(expected)));
        }
        const outputs = await native.predict(drawn.data, order);
        near('outputs', outputs, await expected.predict(drawn.data, order), { tolerance: TOLERANCE });
        native.close();
      }),
      cases,
    );
  });

  test(`${instructionSet}: candidates come to what their masks come to, to the last bit, and change nothing`, async () => {
    await fc.assert(
      fc.asyncProperty(
        maskable,
        someKept,
        fc.integer({ min: 1, max: 8 }),
        fc.boolean(),
        async (drawn, share, count, isWeighed) => {
          const [tried, set] = [1, 2].map(() => compile(nativeEngine({ instructionSet }), drawn, share));
          const expected = compile(reference, drawn, share);
          const draw = seededRandom(drawn.seed, 'saliency');
          // Of the order of the parameters, but in another order than they.
          const saliency = isWeighed ? drawn.parameters.map((value) => Math.abs(value) * draw.uniform()) : undefined;
          const candidates = { ...boundsFor(drawn, count), saliency };
          if (candidates.spans.length === 0) return;
          const order = epochOrder(drawn.data.size, { seed: drawn.seed, epoch: 1 });
          const [state, base] = [tried.state(), maskOf(tried)];
          const { correct, losses, kept } = await requireMasking(tried).evaluate(drawn.data, order, candidates);
          const right = await requireMasking(expected).evaluate(drawn.data, order, candidates);
          equal('kept', String(kept), String(right.kept));
          equal('correct', String(correct), String(right.correct));
          near('losses', losses, right.losses, { tolerance: TOLERANCE, floor: 0.01 });
          const layers = prunedLayers(drawn.network);
          for (let c = 0; c < count; c++) {
            const mask = base.slice();
            for (const [l, { offset, size }] of layers.entries()) {
              const [prune, splice] = candidates.bounds.subarray(2 * (c * layers.length + l));
              for (let i = offset; i < offset + size; i++) {
                const magnitude = saliency?.[i] ?? Math.abs(state.parameters[i]);
                if (magnitude <= prune) mask[i] = 0;
                else if (magnitude > splice) mask[i] = 1;
              }
            }
            requireMasking(set).set(mask);
            const alone = await set.evaluate(drawn.data, order);
            equal('correct of a mask that is set', correct[c], alone.correct);
            equal('its loss', losses[c], alone.loss);
          }
          equal('the state', sameState(tried.state(), state), true);
          equal('the mask', String(maskOf(tried)), String(base));
          for (const program of [tried, set]) program.close();
        },
      ),
      cases,
    );
  });

  test(`${instructionSet}: networks with few weights left are trained as the reference trains them`, async () => {
    for (const [network, samples, maskedStay, optimizer] of [
      [LeNet300100(), 150, true, sgd({ momentum: 0.9, weightDecay: 5e-4 })],
      [LeNet300100(), 150, false, sgd({ momentum: 0.9, weightDecay: 5e-4 })],
      [LeNet300100(), 150, true, adam({ epsilon: 1e-3 })],
      [CaffeLeNet5(), 40, true, sgd({ momentum: 0.9, weightDecay: 5e-4 })],
      [CaffeLeNet5(), 40, false, sgd({ momentum: 0.9, weightDecay: 5e-4 })],
      [LeNet5(), 40, true, adam({ epsilon: 1e-3 })],
    ] as const) {
      const drawn = whole(network, { samples, batchSize: 32, optimizer });
      const native = compile(nativeEngine({ threads: 2, instructionSet }), drawn, 0.03);
      const expected = compile(reference, drawn, 0.03);
      const order = epochOrder(samples, { seed: 1, epoch: 0 });
      const options = { ...pruning(drawn, order), maskedStay };
      sameResult(
        await native.train(drawn.data, order, options),
        await expected.train(drawn.data, order, options),
        TOLERANCE,
      );
      sameParameters(network, [native, expected], TOLERANCE);
      equal('the same mask', String(maskOf(native)), String(maskOf(expected)));
      native.close();
    }
  });

  test(`${instructionSet}: what candidates come to depends neither on threads nor on who else is tried`, async () => {
    for (const network of [LeNet300100(), CaffeLeNet5()]) {
      const drawn = whole(network, { samples: 101, batchSize: 64, optimizer: sgd() });
      const candidates = boundsFor(drawn, 9);
      const order = epochOrder(101, { seed: 1, epoch: 0 });
      const results = await Promise.all(
        [1, 2, 3].map((threads) => {
          const program = compile(nativeEngine({ threads, instructionSet }), drawn, 0.9);
          return requireMasking(program).evaluate(drawn.data, order, candidates);
        }),
      );
      for (const each of results) {
        equal(network.name, String(each.correct), String(results[0].correct));
        equal(network.name, String(each.losses), String(results[0].losses));
      }
      const alone = compile(nativeEngine({ threads: 1, instructionSet }), drawn, 0.9);
      const one = candidates.bounds.length / 9;
      for (const c of [4, 0]) {
        const bounds = candidates.bounds.slice(c * one, (c + 1) * one);
        const { losses } = await requireMasking(alone).evaluate(drawn.data, order, { ...candidates, bounds });
        equal('alone', losses[0], results[0].losses[c]);
      }
    }
  });

  test(`${instructionSet}: a run with surgery goes on bit for bit from its state and mask`, async () => {
    await fc.assert(
      fc.asyncProperty(maskable, anyThreads, someKept, fc.boolean(), async (drawn, threads, share, maskedStay) => {
        const engine = nativeEngine({ threads, instructionSet });
        const [all, first, second] = [1, 2, 3].map(() => compile(engine, drawn, share));
        const order = epochOrder(drawn.data.size, { seed: drawn.seed, epoch: 0 });
        const options = { ...pruning(drawn, order), maskedStay };
        await all.train(drawn.data, order, options);
        const middle = Math.min(order.length, drawn.batchSize);
        await first.train(drawn.data, order.subarray(0, middle), part(options, 0, 1));
        second.load(first.state());
        requireMasking(second).set(maskOf(first));
        await second.train(drawn.data, order.subarray(middle), part(options, 1));
        equal('the same state', sameState(second.state(), all.state()), true);
        equal('the same mask', String(maskOf(second)), String(maskOf(all)));
        for (const program of [all, first, second]) program.close();
      }),
      { ...cases, numRuns: 60 },
    );
  });
}

for (const engine of [
  reference,
  ...availableSets()
    .slice(0, 1)
    .map((instructionSet) => nativeEngine({ instructionSet })),
]) {
  test(`${engine.name}: masked weights that stay, and their slots, are not touched; others are moved, and decay`, async (t) => {
    const drawn = whole(LeNet300100(), {
      samples: 64,
      batchSize: 64,
      optimizer: sgd({ momentum: 0.9, weightDecay: 0.01 }),
    });
    for (const share of [0.03, 0.6]) {
      for (const maskedStay of [true, false]) {
        const program = compile(engine, drawn, share);
        await program.train(drawn.data, epochOrder(64, { seed: 1, epoch: 0 }), { learningRate: 0.1, maskedStay });
        const mask = maskOf(program);
        const { parameters, slots } = program.state();
        const hidden = [...mask.keys()].filter((i) => mask[i] === 0 && drawn.parameters[i] !== 0);
        const moved = hidden.filter((i) => parameters[i] !== drawn.parameters[i] || slots[0][i] !== 0).length;
        t.equal(moved, maskedStay ? 0 : hidden.length, `${share} kept`);
        const kept = [...mask.keys()].filter((i) => mask[i] === 1 && parameters[i] !== drawn.parameters[i]);
        t.ok(kept.length > 500, 'kept ones learn');
      }
    }
  });

  test(`${engine.name}: surgery makes the mask that rates make of a snapshot`, async (t) => {
    const drawn = whole(LeNet300100(), { samples: 1, batchSize: 1, optimizer: sgd() });
    const layers = prunedLayers(drawn.network);
    const program = compile(engine, drawn);
    t.equal(program.masking?.get(), undefined);
    const snapshot = snapshotOf(drawn.parameters, new Uint8Array(drawn.parameters.length).fill(1), layers);
    const rates = [0.5, 1, undefined];
    const bounds = rates.flatMap((rate, l) => {
      if (rate === undefined) return [...UNTOUCHED];
      const { prune, splice } = boundsOf(snapshot.statistics[l], rate);
      return [prune, splice];
    });
    const surgery = {
      spans: spansOf(drawn.network),
      bounds: Float32Array.from(bounds),
      active: Uint8Array.of(1, 1, 1),
    };
    await program.train(drawn.data, Int32Array.of(0), { learningRate: 0.1, surgery });
    const right = maskFor(snapshot, rates);
    t.ok(Buffer.from(maskOf(program)).equals(right));
    t.ok(right.includes(0));
    const { kept } = await requireMasking(compile(engine, drawn)).evaluate(drawn.data, Int32Array.of(0), surgery);
    t.same(
      [...kept],
      layers.map(({ offset, size }) => right.subarray(offset, offset + size).reduce((sum, bit) => sum + bit, 0)),
    );
  });

  test(`${engine.name}: a mask that keeps all changes no bit, and can be taken away again`, async (t) => {
    const drawn = whole(LeNet300100(), { samples: 128, batchSize: 64, optimizer: sgd({ momentum: 0.9 }) });
    const [plain, masked] = [1, 2].map(() => compile(engine, drawn));
    requireMasking(masked).set(new Uint8Array(drawn.parameters.length).fill(1));
    const order = epochOrder(128, { seed: 1, epoch: 0 });
    for (const program of [plain, masked]) await program.train(drawn.data, order, { learningRate: 0.1 });
    t.ok(sameState(masked.state(), plain.state()));
    const before = await masked.predict(drawn.data, order);
    requireMasking(masked).set(new Uint8Array(drawn.parameters.length));
    t.ok((await masked.predict(drawn.data, order)).every((logit) => logit === 0));
    t.ok(sameState(masked.state(), plain.state()), 'parameters stay behind their mask');
    requireMasking(masked).set(undefined);
    t.ok(sameBits(await masked.predict(drawn.data, order), before));
  });

  test(`${engine.name}: rates, surgery, masks and factors that do not fit are refused`, async (t) => {
    const drawn = whole(LeNet300100(), { samples: 8, batchSize: 4, optimizer: sgd() });
    const program = compile(engine, drawn);
    const order = epochOrder(8, { seed: 1, epoch: 0 });
    const train = (options: StepOptions): Promise<unknown> => program.train(drawn.data, order, options);
    await t.rejects(train({ learningRate: Float32Array.of(1) }), { code: 'E_RATES' });
    const spans = spansOf(drawn.network);
    const surgery = { spans, bounds: new Float32Array(6), active: new Uint8Array(6) };
    for (const wrong of [
      { active: new Uint8Array(5) },
      { bounds: new Float32Array(4) },
      { bounds: new Float32Array(6).fill(Number.NaN) },
      { spans: spans.toReversed() },
      { spans: Int32Array.of(0, 1, 2, 3, 4, 266_611) },
    ]) {
      await t.rejects(train({ learningRate: 0.1, surgery: { ...surgery, ...wrong } }), { code: 'E_SURGERY' });
    }
    t.equal(program.masking?.get(), undefined, 'and nothing was done');
    t.throws(() => requireMasking(program).set(new Uint8Array(3)), { code: 'E_MASK' });
    t.throws(() => requireMasking(program).set(new Uint8Array(drawn.parameters.length).fill(2)), { code: 'E_MASK' });
    for (const wrong of [
      { bounds: new Float32Array(7) },
      { bounds: new Float32Array(6), saliency: new Float32Array(9) },
    ]) {
      const evaluated = requireMasking(program).evaluate(drawn.data, order, { spans, ...wrong });
      await t.rejects(evaluated, { code: 'E_SURGERY' });
    }
    const options = { loss: softmaxCrossEntropy(), optimizer: sgd(), batchSize: 4, input: drawn.data.plan };
    for (const rateFactors of [{ 'ip9.bias': 2 }, { 'ip1.bias': -1 }]) {
      t.throws(() => engine.compile(drawn.network, { ...options, rateFactors }), { code: 'E_FACTOR' });
    }
  });
}

test('candidates are evaluated off the event loop, one call at a time', needsLibrary, async (t) => {
  const drawn = whole(LeNet300100(), { samples: 64, batchSize: 64, optimizer: sgd() });
  const program = compile(nativeEngine({ threads: 2 }), drawn);
  const order = epochOrder(64, { seed: 1, epoch: 0 });
  const running = requireMasking(program).evaluate(drawn.data, order, boundsFor(drawn, 50));
  t.throws(() => requireMasking(program).set(undefined), { code: 'E_BUSY' });
  t.throws(() => program.close(), { code: 'E_BUSY' });
  t.equal((await running).correct.length, 50);
});

/** A program for a case, its biases learning twice as fast and not decaying, with a mask that keeps about a share. */
function compile(
  engine: Engine,
  { network, data, batchSize, optimizer, parameters, seed }: Case,
  share?: number,
): Program {
  const biases = network.parameters.filter(({ name, trainable }) => trainable && name.endsWith('.bias'));
  const program = engine.compile(network, {
    loss: softmaxCrossEntropy(),
    optimizer,
    batchSize,
    input: data.plan,
    rateFactors: Object.fromEntries(biases.map(({ name }) => [name, 2])),
    decayFactors: Object.fromEntries(biases.map(({ name }) => [name, 0])),
  });
  program.load({ parameters, slots: slotNames(optimizer).map(() => new Float32Array(parameters.length)), step: 0 });
  if (share !== undefined) requireMasking(program).set(drawMask(network, share, seed));
  return program;
}

function drawMask(network: Network, share: number, seed: number): Uint8Array {
  const random = seededRandom(seed, 'mask');
  const mask = new Uint8Array(network.parameterCount).fill(1);
  for (const { trainable, offset, size } of network.parameters) {
    if (!trainable) continue;
    for (let i = offset; i < offset + size; i++) mask[i] = Number(random.uniform() < share);
  }
  return mask;
}

function whole(
  network: Network,
  { samples, batchSize, optimizer }: { samples: number; batchSize: number; optimizer: Case['optimizer'] },
): Case {
  return {
    network,
    data: noise(samples, network),
    batchSize,
    optimizer,
    parameters: initialParameters(network, 1),
    seed: 1,
  };
}

function spansOf(network: Network): Int32Array {
  return Int32Array.from(prunedLayers(network).flatMap(({ offset, size }) => [offset, offset + size]));
}

/** Bounds of several candidates, around the magnitudes of each layer; now and then of none. */
function boundsFor({ network, parameters, seed }: Case, count: number): Bounded {
  const random = seededRandom(seed, 'bounds');
  const layers = prunedLayers(network);
  const { statistics } = snapshotOf(parameters, new Uint8Array(parameters.length).fill(1), layers);
  const bounds = Array.from({ length: count }, () =>
    layers.flatMap((_, l) => {
      if (random.uniform() < 0.1) return [...UNTOUCHED];
      const { prune, splice } = boundsOf(statistics[l], 4 * random.uniform() - 1);
      return [prune, splice];
    }),
  );
  return { spans: spansOf(network), bounds: Float32Array.from(bounds.flat()) };
}

/** Rates that fall from step to step, and surgery of layers that are sometimes active. */
function pruning(drawn: Case, order: Int32Array): StepOptions {
  const steps = Math.ceil(order.length / drawn.batchSize);
  const random = seededRandom(drawn.seed, 'active');
  const bounded = boundsFor(drawn, 1);
  const layers = bounded.spans.length / 2;
  const active = Uint8Array.from({ length: steps * layers }, () => Number(random.uniform() < 0.6));
  const learningRate = Float32Array.from({ length: steps }, (_, s) => drawn.optimizer.learningRate / (1 + s / 5));
  return { learningRate, surgery: layers > 0 ? { ...bounded, active } : undefined };
}

/** The options of steps [from, to). */
function part({ learningRate, surgery, maskedStay }: StepOptions, from: number, to?: number): StepOptions {
  const layers = (surgery?.spans.length ?? 0) / 2;
  const end = to === undefined ? undefined : to * layers;
  return {
    learningRate: typeof learningRate === 'number' ? learningRate : learningRate.subarray(from, to),
    surgery: surgery && { ...surgery, active: surgery.active.subarray(from * layers, end) },
    maskedStay,
  };
}

function requireMasking({ masking }: Program): NonNullable<Program['masking']> {
  if (!masking) throw new Error('this engine has no masks');
  return masking;
}

function maskOf(program: Program): Uint8Array {
  const mask = requireMasking(program).get();
  if (!mask) throw new Error('this program has no mask');
  return mask;
}

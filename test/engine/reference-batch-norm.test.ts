/** Batch normalisation, with numbers worked out by hand. */
import { test } from 'tap';
import { batchNorm, input } from '../../sdk/nn/layers.js';
import { relativeDifference } from './closeness.js';
import { type SingleLayer, singleLayer } from './single-layer.js';

const training = { seed: 1, step: 0 };

/** One feature with γ 4 and β 1, moving mean and variance 10 and 13; ε is 3, so that a variance of 1 makes a divisor of 2. */
function oneFeature(x: readonly number[]): SingleLayer {
  const layer = singleLayer(batchNorm(input([1]), { name: 'norm', epsilon: 3, momentum: 0.75 }), x.length);
  layer.x.set(x);
  layer.parameters.set([4, 1, 10, 13]);
  return layer;
}

test('while training, numbers are normalised by the mean and variance of the batch', async (t) => {
  const layer = oneFeature([1, 3, 1, 3]);
  layer.forward(training);
  t.same([...layer.out], [-1, 3, -1, 3]);
  layer.dout.set([1, 0, 0, 0]);
  layer.backward(training);
  // x̂ = ∓½; the mean of dout is ¼, that of dout · x̂ −⅛; dx = 2 · (dout − ¼ + x̂ / 8)
  t.same([...layer.dx], [1.375, -0.375, -0.625, -0.375]);
  t.same([...layer.gradients], [-0.5, 1, 0, 0], 'the moving statistics have no gradient');
});

test('otherwise by the moving mean and variance', async (t) => {
  const layer = oneFeature([1, 3, 1, 3]);
  layer.forward(undefined);
  t.same([...layer.out], [-8, -6, -8, -6]);
});

test("moving statistics move towards the batch's once the step is taken, the variance divided by n − 1", async (t) => {
  const layer = oneFeature([1, 3, 1, 3]);
  layer.forward(training);
  layer.backward(training);
  t.same([...layer.parameters], [4, 1, 10, 13], 'not before');
  layer.moveStatistics?.();
  t.same([...layer.parameters.subarray(0, 3)], [4, 1, 0.75 * 10 + 0.25 * 2]);
  t.ok(relativeDifference([layer.parameters[3]], [0.75 * 13 + 0.25 * (4 / 3)]) < 1e-15);
});

test('of a single number the variance is 0, and becomes β', async (t) => {
  const layer = oneFeature([7]);
  layer.forward(training);
  t.same([...layer.out], [1]);
  layer.dout.set([5]);
  layer.backward(training);
  t.same([...layer.dx], [0]);
  layer.moveStatistics?.();
  t.same([...layer.parameters], [4, 1, 0.75 * 10 + 0.25 * 7, 0.75 * 13]);
});

test('each channel of an image is normalised over rows, columns and samples', async (t) => {
  const layer = singleLayer(batchNorm(input([2, 1, 2]), { name: 'norm', epsilon: 3 }), 2);
  // First channel: 1, 3, 1, 3; second: 20, 20, 16, 16, of variance 4 and so of divisor √7.
  layer.x.set([1, 3, 20, 20, 1, 3, 16, 16]);
  layer.parameters.set([4, Math.sqrt(7), 1, 5, 0, 0, 1, 1]);
  layer.forward(training);
  t.ok(relativeDifference(layer.out, [-1, 3, 7, 7, -1, 3, 3, 3]) < 1e-15, String(layer.out));
  layer.dout.set([1, 0, 1, 1, 0, 0, 0, 2]);
  layer.backward(training);
  // dγ = Σ dout · x̂, dβ = Σ dout
  t.ok(relativeDifference(layer.gradients, [-0.5, 0, 1, 4, 0, 0, 0, 0]) < 1e-15, String(layer.gradients));
  layer.moveStatistics?.();
  t.ok(relativeDifference(layer.parameters.subarray(4), [0.2, 1.8, 0.9 + 0.4 / 3, 0.9 + 1.6 / 3]) < 1e-15);
});

test('what is not a number spreads over its channel', async (t) => {
  const layer = oneFeature([1, Number.NaN]);
  layer.forward(training);
  t.ok(layer.out.every(Number.isNaN));
});

/** Numbers worked out by hand from the formulas in sdk/nn/optimizers.ts; gradients are given, not computed. */
import { test } from 'tap';
import { update } from '../../sdk/engine/reference/optimizer.js';
import { adam, type Optimizer, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { relativeDifference } from './closeness.js';

test('SGD goes down the gradient', async (t) => {
  t.same(follow(sgd(), [1], { learningRate: 0.5, gradients: [2, 4] }), [0, -2]);
});

test('weight decay adds a share of the parameter to its gradient', async (t) => {
  // g = 2 + 0.5 · 1 = 2.5
  t.same(follow(sgd({ weightDecay: 0.5 }), [1], { learningRate: 0.5, gradients: [2] }), [1 - 1.25]);
});

test('momentum adds up: v ← ½ v + g', async (t) => {
  // v = 2, 5, 1.5
  const steps = { learningRate: 0.5, gradients: [2, 4, -1] };
  t.same(follow(sgd({ momentum: 0.5 }), [1], steps), [0, -2.5, -3.25]);
});

test("Nesterov's momentum looks one step ahead: p ← p − ½ (g + ½ v)", async (t) => {
  // v = 2, 5, 1.5; g + ½ v = 3, 6.5, −0.25
  const steps = { learningRate: 0.5, gradients: [2, 4, -1] };
  t.same(follow(sgd({ momentum: 0.5, nesterov: true }), [1], steps), [-0.5, -3.75, -3.625]);
});

test('weight decay goes through the momentum', async (t) => {
  // g = 2 + ½ · 1, v = 2.5, p = −¼; g = 4 − ⅛, v = 1.25 + 3.875 = 5.125, p = −¼ − 2.5625
  const steps = { learningRate: 0.5, gradients: [2, 4] };
  t.same(follow(sgd({ momentum: 0.5, weightDecay: 0.5 }), [1], steps), [-0.25, -2.8125]);
});

test("Adam's first three steps", async (t) => {
  // β₁ = ½, β₂ = ¾, ε = 1; m = 1, 2.5, 0.75; v = 1, 4.75, 3.8125
  const rate = [Math.sqrt(1 / 4) / (1 / 2), Math.sqrt(7 / 16) / (3 / 4), Math.sqrt(37 / 64) / (7 / 8)];
  const first = 1 - (0.5 * rate[0] * 1) / (1 + 1);
  const second = first - (0.5 * rate[1] * 2.5) / (Math.sqrt(4.75) + 1);
  const third = second - (0.5 * rate[2] * 0.75) / (Math.sqrt(3.8125) + 1);
  const steps = { learningRate: 0.5, gradients: [2, 4, -1] };
  const actual = follow(adam({ beta1: 0.5, beta2: 0.75, epsilon: 1 }), [1], steps);
  t.ok(relativeDifference(actual, [first, second, third]) < 1e-15, actual.join(', '));
});

test("Adam's weight decay goes through its moments", async (t) => {
  // g = 2 + ½ · 4 = 4, so m = 2, v = 4, p = 4 − ½ · 1 · 2 / (2 + 1)
  const steps = { learningRate: 0.5, gradients: [2] };
  const actual = follow(adam({ beta1: 0.5, beta2: 0.75, epsilon: 1, weightDecay: 0.5 }), [4], steps);
  t.ok(relativeDifference(actual, [4 - 1 / 3]) < 1e-15);
});

test("with its defaults Adam's first step is the learning rate, whatever the gradient's size", async (t) => {
  for (const gradient of [1e-3, -1, 1e3]) {
    const [p] = follow(adam(), [0], { learningRate: 0.001, gradients: [gradient] });
    t.ok(relativeDifference([p], [-0.001 * Math.sign(gradient)]) < 1e-3, String(p));
  }
});

/** The first parameter after each step with these gradients. */
function follow(
  optimizer: Optimizer,
  start: readonly number[],
  { learningRate, gradients }: { readonly learningRate: number; readonly gradients: readonly number[] },
): number[] {
  const parameters = Float64Array.from(start);
  const slots = slotNames(optimizer).map(() => new Float64Array(parameters.length));
  return gradients.map((gradient, i) => {
    update(optimizer, { parameters, gradients: Float64Array.of(gradient), slots, learningRate, step: i + 1 });
    return parameters[0];
  });
}

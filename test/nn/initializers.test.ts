/** Statistics over 20 000 draws; the bounds are more than five standard errors wide, and the seed is fixed. */
import { test } from 'tap';
import {
  constant,
  heUniform,
  type Initializer,
  initialize,
  normal,
  xavierUniform,
  zeros,
} from '../../sdk/nn/initializers.js';

test('zeros and constant fill', async (t) => {
  t.same(draw(zeros(), [2, 2]), new Float32Array(4));
  t.same(draw(constant(0.5), [3]), Float32Array.of(0.5, 0.5, 0.5));
});

test('normal has mean 0 and the sigma it was given', async (t) => {
  const values = draw(normal(0.02), [100, 200]);
  near(t, mean(values), 0, 0.001);
  near(t, deviation(values), 0.02, 0.0006);
  const within = values.filter((value) => Math.abs(value) < 0.02).length / values.length;
  near(t, within, 0.6827, 0.017);
});

test("He's uniform spreads over ±√(6 / fanIn)", async (t) => {
  const weight = draw(heUniform(), [200, 4, 5, 5]);
  uniform(t, weight, Math.sqrt(6 / 100));
  uniform(t, draw(heUniform(), [200, 100]), Math.sqrt(6 / 100));
});

test("Xavier's uniform spreads over ±√(6 / (fanIn + fanOut))", async (t) => {
  uniform(t, draw(xavierUniform(), [200, 4, 5, 5]), Math.sqrt(6 / (100 + 5000)));
  uniform(t, draw(xavierUniform(), [200, 100]), Math.sqrt(6 / 300));
});

interface Asserts {
  ok(value: unknown, message: string): boolean;
}

function draw(initializer: Initializer, shape: readonly number[]): Float32Array {
  const values = new Float32Array(shape.reduce((product, size) => product * size, 1));
  initialize({ name: 'fc.weight', shape, initializer }, 1, values);
  return values;
}

function uniform(t: Asserts, values: Float32Array, bound: number): void {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  t.ok(largest <= bound && largest > 0.99 * bound, `${largest} reaches ${bound}`);
  near(t, mean(values), 0, 0.03 * bound);
  near(t, deviation(values), bound / Math.sqrt(3), 0.02 * bound);
}

function near(t: Asserts, actual: number, expected: number, by: number): void {
  t.ok(Math.abs(actual - expected) < by, `${actual} is near ${expected}`);
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function deviation(values: Float32Array): number {
  const centre = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - centre) ** 2, 0) / values.length);
}

import * as fc from 'fast-check';
import { test } from 'tap';
import { permutation, type Random, seededRandom } from '../../sdk/base/random.js';

const draws = (n: number, draw: () => number): number[] => Array.from({ length: n }, draw);
const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const N = 100_000;
/** Five standard errors of a mean of N draws; as seeds are fixed, a test that passes once passes always. */
const allowed = (deviation: number): number => (5 * deviation) / Math.sqrt(N);

/** Whether counts are as even as chance makes them: chi-squared by its cube root (Wilson and Hilferty), four deviations. */
function areEven(counts: readonly number[]): boolean {
  const expected = mean(counts);
  const degrees = counts.length - 1;
  const chiSquared = counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
  const variance = 2 / (9 * degrees);
  return Math.abs(Math.cbrt(chiSquared / degrees) - 1 + variance) < 4 * Math.sqrt(variance);
}

test('the same seed and stream give the same draws, in every version: checkpoints depend on it', async (t) => {
  const random = seededRandom(1, 'shuffle', 3);
  t.same(draws(4, random.uint32), [2170249165, 383881478, 3282947079, 1981413497]);
  t.same([...permutation(5, seededRandom(1, 'shuffle', 3))], [1, 0, 4, 3, 2]);
});

test('another seed or another stream gives other draws', async (t) => {
  const streams: readonly Random[] = [
    seededRandom(1),
    seededRandom(2),
    seededRandom(-1),
    seededRandom(0.1),
    seededRandom(1, 'shuffle'),
    seededRandom(1, 'shuffle', 1),
    seededRandom(1, 'shuffle', 2),
    seededRandom(1, 'shuffle', 11),
    seededRandom(1, 'init'),
  ];
  const firsts = streams.map(({ uint32 }) => draws(3, uint32).join());
  t.equal(new Set(firsts).size, streams.length, firsts.join('\n'));
});

test('streams next to each other are independent', async (t) => {
  for (let epoch = 1; epoch < 20; epoch++) {
    const [a, b] = [epoch, epoch + 1].map((stream) => draws(10_000, seededRandom(1, 'shuffle', stream).uniform));
    const correlation = mean(a.map((value, i) => 12 * (value - 0.5) * (b[i] - 0.5)));
    t.ok(Math.abs(correlation) < 5 / Math.sqrt(10_000), `epochs ${epoch}, ${epoch + 1}: ${correlation}`);
  }
  // The first draw of each of many streams is as even as the draws of one.
  const counts = new Array<number>(100).fill(0);
  for (let stream = 0; stream < N; stream++) counts[seededRandom(1, 'first', stream).below(100)]++;
  t.ok(areEven(counts), `${counts}`);
});

test('a uniform draw is at least 0 and below 1, with mean 1/2 and variance 1/12', async (t) => {
  const values = draws(N, seededRandom(1, 'uniform').uniform);
  t.ok(values.every((value) => value >= 0 && value < 1));
  t.ok(Math.abs(mean(values) - 0.5) < allowed(Math.sqrt(1 / 12)));
  t.ok(Math.abs(mean(values.map((value) => (value - 0.5) ** 2)) - 1 / 12) < allowed(Math.sqrt(1 / 180)));
  t.ok(
    values.some((value) => (value * 2 ** 32) % 1 !== 0),
    'more than 32 bits',
  );
});

test('every bit of a 32-bit draw is set as often as not', async (t) => {
  const values = draws(N, seededRandom(1, 'bits').uint32);
  for (let bit = 0; bit < 32; bit++) {
    t.ok(Math.abs(mean(values.map((value) => (value >>> bit) & 1)) - 0.5) < allowed(0.5), `bit ${bit}`);
  }
});

test('normal draws have the moments of the standard normal distribution', async (t) => {
  const values = draws(N, seededRandom(1, 'normal').normal);
  const moment = (k: number): number => mean(values.map((value) => value ** k));
  t.ok(values.every(Number.isFinite));
  // E x^k, and the variance of x^k: E x^2k − (E x^k)².
  for (const [k, expected, variance] of [
    [1, 0, 1],
    [2, 1, 2],
    [3, 0, 15],
    [4, 3, 96],
  ]) {
    t.ok(Math.abs(moment(k) - expected) < allowed(Math.sqrt(variance)), `moment ${k}: ${moment(k)}`);
  }
  const pairs = mean(values.slice(1).map((value, i) => value * values[i]));
  t.ok(Math.abs(pairs) < allowed(1), `two of one pair are independent: ${pairs}`);
});

test('below(n) gives each of 0 to n − 1 equally often', async (t) => {
  for (const n of [1, 2, 7, 1000]) {
    const { below } = seededRandom(1, 'below', n);
    const counts = new Array<number>(n).fill(0);
    for (let i = 0; i < N; i++) counts[below(n)]++;
    t.equal(counts.length, n, 'none beside');
    t.ok(n === 1 || areEven(counts), `${n}: ${counts}`);
  }
});

test('a permutation holds each number once', async () => {
  fc.assert(
    fc.property(fc.nat(300), fc.integer(), (n, seed) => {
      const order = permutation(n, seededRandom(seed, 'order'));
      return order.length === n && order.toSorted().every((value, i) => value === i);
    }),
  );
});

test('every permutation is equally likely', async (t) => {
  const counts = new Map<string, number>();
  const random = seededRandom(1, 'orders');
  for (let i = 0; i < 24_000; i++) {
    const order = permutation(4, random).join();
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  t.equal(counts.size, 24);
  t.ok(areEven([...counts.values()]), `${[...counts.values()]}`);
});

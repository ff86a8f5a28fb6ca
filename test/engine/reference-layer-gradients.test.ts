/** Each layer alone, over random shapes, against finite differences. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { input } from '../../sdk/nn/layers.js';
import type { Value } from '../../sdk/nn/value.js';
import { relativeDifference } from './closeness.js';
import { type Append, onImages, onVectors } from './random-layers.js';
import { singleLayer } from './single-layer.js';

const training = { seed: 1, step: 0 };
const side = fc.integer({ min: 1, max: 5 });
const images = fc.tuple(fc.integer({ min: 1, max: 3 }), side, side).map(input);
const vectors = fc.tuple(fc.integer({ min: 1, max: 20 })).map(input);

for (const [inputs, layers] of [
  [images, onImages],
  [vectors, onVectors],
] as const) {
  for (const [kind, layer] of Object.entries<fc.Arbitrary<Append>>(layers)) {
    const what = inputs === images ? 'images' : 'vectors';
    test(`the gradients of ${kind} on ${what} are those of finite differences`, async () => {
      fc.assert(
        fc.property(inputs, layer, fc.integer({ min: 1, max: 4 }), fc.nat(), (from, append, n, seed) => {
          const value = append([from], 'layer');
          if (value !== from) compare(value, n, seed);
        }),
        { numRuns: 60 },
      );
    });
  }
}

/** Compares each gradient of Σ dout · out with central differences. */
function compare(value: Value, n: number, seed: number): void {
  const layer = singleLayer(value, n);
  const random = seededRandom(seed, 'layer');
  layer.x.set(spaced(seed, layer.x.length));
  for (const array of [layer.parameters, layer.dout]) for (const i of array.keys()) array[i] = random.normal();
  const weighted = (): number => {
    layer.forward(training);
    return layer.dout.reduce((sum, d, i) => sum + d * layer.out[i], 0);
  };
  // Gradients add up: what was there before must still be in them.
  for (const gradient of [layer.dx, layer.gradients]) gradient.fill(0.25);
  layer.forward(training);
  layer.backward(training);
  for (const [values, gradient] of [
    [layer.x, layer.dx],
    [layer.parameters, layer.gradients],
  ]) {
    const expected = values.map((_, i) => 0.25 + slope(values, i, weighted));
    const apart = relativeDifference(gradient, expected, 1);
    if (!(apart < 1e-7)) throw new Error(`a gradient of ${gradient} should be ${expected}: ${apart} apart`);
  }
}

function slope(values: Float64Array, i: number, f: () => number): number {
  const h = 1e-4;
  const kept = values[i];
  const [above, below] = [kept + h, kept - h].map((value) => {
    values[i] = value;
    return f();
  });
  values[i] = kept;
  return (above - below) / (2 * h);
}

/** Random values of which no two, and none and 0, are nearer than 0.05: no difference steps over a kink. */
function spaced(from: number, length: number): Float64Array {
  const random = seededRandom(from, 'apart');
  const values = Float64Array.from({ length }, (_, i) => (i - Math.floor(length / 2)) / 10 + 0.05);
  const keys = Array.from({ length }, () => random.uniform());
  return values.map((_, i) => values[keys.filter((key) => key < keys[i]).length]);
}

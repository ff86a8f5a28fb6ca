import * as fc from 'fast-check';
import { test } from 'tap';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { add, batchNorm, concat, dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { CaffeLeNet5, LeNet5 } from '../../sdk/nn/lenet.js';
import { network } from '../../sdk/nn/network.js';
import { unitsOf, withUnits } from '../../sdk/nn/units.js';
import type { Value } from '../../sdk/nn/value.js';
import { arbitraryCase } from '../engine/random-network.js';

test('a network with the units that it has is the same network', async (t) => {
  fc.assert(
    fc.property(arbitraryCase(), ({ network: net }) => {
      t.same(withUnits(net, unitsOf(net)), net);
    }),
    { numRuns: 100, seed: 1 },
  );
});

/** All layers that pass units on. */
function passing(of: { readonly a: number; readonly b: number }) {
  const conv = (x: Value, name: string, outChannels: number): Value =>
    conv2d(x, { name, outChannels, kernelSize: 3, padding: 'same' });
  const x = input([2, 6, 6]);
  const a = relu(batchNorm(conv(x, 'a', of.a), { name: 'bn' }));
  const b = depthwiseConv2d(conv(x, 'b', of.b), { name: 'dw', kernelSize: 3, padding: 'same', multiplier: 2 });
  const both = concat(add(a, conv(a, 'c', of.a)), b);
  return network('passing', dense(flatten(both), { name: 'd', outFeatures: 4 }));
}

test('fewer units are what the network would have had if it had been built with them', async (t) => {
  const units = new Map(Object.entries({ a: 3, b: 1, c: 3 }));
  t.same(withUnits(passing({ a: 8, b: 5 }), units), passing({ a: 3, b: 1 }));
  const lenet = withUnits(LeNet5(), new Map([['conv2', 9]]));
  t.same(lenet.parameters[4].shape, [120, 9 * 25], 'fc1 reads what is left of the places of conv2');
  t.equal(withUnits(CaffeLeNet5({ classes: 3 }), new Map([['ip2', 7]])).outputShape[0], 7);
});

test('values that are added must stay of one shape', async (t) => {
  t.throws(() => withUnits(passing({ a: 8, b: 5 }), new Map([['a', 3]])), { code: 'E_SHAPE', message: /add/ });
});

import * as fc from 'fast-check';
import { test } from 'tap';
import { conv2d } from '../../sdk/nn/convolution.js';
import { add, dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { initialParameters, type Network, network } from '../../sdk/nn/network.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';
import { arbitraryCase } from '../engine/random-network.js';

test('nodes stand in the order they run, each after those it reads, and parameters lie without gaps', async () => {
  fc.assert(
    fc.property(arbitraryCase(), ({ network: { nodes, parameters, parameterCount, inputShape, outputShape } }) => {
      const ends = parameters.map(({ offset, size }) => offset + size);
      return (
        nodes[0].layer.kind === 'input' &&
        nodes[0].shape === inputShape &&
        nodes[nodes.length - 1].shape === outputShape &&
        nodes.every(({ inputs }, i) => inputs.every((from) => from < i)) &&
        parameters.every(({ offset }, i) => offset === (ends[i - 1] ?? 0)) &&
        parameterCount === (ends.at(-1) ?? 0)
      );
    }),
  );
});

test('layers without a name are called after their kind and place', async (t) => {
  const x = maxPool2d(relu(conv2d(input([1, 4, 4]), { name: 'conv1', outChannels: 2, kernelSize: 3 })), {
    kernelSize: 2,
  });
  t.same(names(network('net', flatten(x))), ['input', 'conv1', 'relu2', 'maxPool2d3', 'flatten4']);
});

test('two layers of one name are refused, naming it', async (t) => {
  const first = dense(input([4]), { name: 'fc1', outFeatures: 4 });
  t.throws(() => network('net', dense(first, { name: 'fc1', outFeatures: 2 })), {
    code: 'E_DUPLICATE',
    message: 'network net: two layers are called fc1',
  });
});

test('a network has exactly one input', async (t) => {
  t.throws(() => network('net', add(input([1]), input([1]))), { code: 'E_INPUTS', message: /reads 2 inputs/ });
  t.throws(() => network('net', { ...relu(input([1])), inputs: [] }), { code: 'E_INPUTS', message: /reads 0 inputs/ });
});

test('a value that several layers read is one node', async (t) => {
  const trunk = dense(input([1]), { name: 'trunk', outFeatures: 1 });
  const { nodes } = network('net', add(relu(trunk), trunk));
  t.same(
    nodes.map(({ inputs }) => inputs),
    [[], [0], [1], [2, 1]],
  );
});

test('the same seed gives the same first values, another seed others', async (t) => {
  const net = LeNet5();
  t.same(initialParameters(net, 7), initialParameters(net, 7));
  t.not(initialParameters(net, 7)[0], initialParameters(net, 8)[0]);
});

test('a new layer does not change how the others start', async (t) => {
  const first = dense(input([4]), { name: 'fc1', outFeatures: 4 });
  const short = network('short', first);
  const long = network('long', dense(first, { name: 'fc2', outFeatures: 4 }));
  t.same(initialParameters(long, 1).subarray(0, short.parameterCount), initialParameters(short, 1));
  const [one, two] = ['fc1', 'fc2'].map((name) => {
    const { offset } = long.parameters.find((parameter) => parameter.name === `${name}.weight`) ?? { offset: -1 };
    return initialParameters(long, 1)[offset];
  });
  t.not(one, two, 'layers of one shape start differently');
});

function names({ nodes }: Network): string[] {
  return nodes.map(({ name }) => name);
}

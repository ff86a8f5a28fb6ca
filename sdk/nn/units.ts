/** A network again with other numbers of units: channels of convolutions, features of dense layers. */
import { NetworkError } from '../base/errors.js';
import { type Network, type Node, network } from './network.js';
import { count, type Layer, type Value } from './value.js';

/**
 * How many units layers have that choose it themselves, by their names, in order.
 *
 * @example
 * [...unitsOf(LeNet300100())]; // [['ip1', 300], ['ip2', 100], ['ip3', 10]]
 */
export function unitsOf({ nodes }: Network): ReadonlyMap<string, number> {
  return new Map(
    nodes.flatMap(({ name, layer, shape }): [string, number][] => (hasOwnUnits(layer) ? [[name, shape[0]]] : [])),
  );
}

/**
 * The same layers, of which some have so many units.
 *
 * @param units by the layer's name; a layer that is not named keeps its own
 * @throws NetworkError `E_SHAPE` where values that are added would no longer be of one shape
 * @example
 * withUnits(LeNet300100(), new Map([['ip1', 59], ['ip2', 35]])).parameterCount; // 48775
 */
export function withUnits(of: Network, units: ReadonlyMap<string, number>): Network {
  const values: Value[] = [];
  for (const node of of.nodes) {
    const inputs = node.inputs.map((from) => values[from]);
    values.push(again(node, inputs, units.get(node.name) ?? node.shape[0]));
  }
  return network(of.name, values[values.length - 1]);
}

/** A layer over other values: only the first size of any shape is another, and the second of weights that reach from all of a layer to all. */
function again({ name, layer, shape, parameters }: Node, inputs: readonly Value[], units: number): Value {
  const first = firstSize(layer, inputs, units);
  const other = layer.kind === 'add' && inputs.find((x) => x.shape[0] !== first);
  if (other) throw new NetworkError('E_SHAPE', `${name}: cannot add ${first} units and ${other.shape[0]}`);
  return {
    shape: [first, ...shape.slice(1)],
    layer: resized(layer, first),
    name: parameters.length > 0 || layer.kind === 'input' ? name : undefined,
    inputs,
    parameters: parameters.map(({ name: parameter, shape: before, initializer, trainable }) => {
      const reads = hasOwnUnits(layer) && before.length > 1 ? [inputs[0].shape[0]] : before.slice(1, 2);
      return { name: parameter, shape: [first, ...reads, ...before.slice(2)], initializer, trainable };
    }),
  };
}

function firstSize(layer: Layer, inputs: readonly Value[], units: number): number {
  switch (layer.kind) {
    case 'input':
    case 'conv2d':
    case 'dense':
      return units;
    case 'flatten':
      return count(inputs[0].shape);
    case 'depthwiseConv2d':
      return inputs[0].shape[0] * layer.multiplier;
    case 'concat':
      return inputs.reduce((sum, { shape }) => sum + shape[0], 0);
    case 'relu':
    case 'softmax':
    case 'maxPool2d':
    case 'avgPool2d':
    case 'dropout':
    case 'batchNorm':
    case 'add':
      return inputs[0].shape[0];
    default:
      throw layer satisfies never;
  }
}

function resized(layer: Layer, units: number): Layer {
  if (layer.kind === 'conv2d') return { ...layer, outChannels: units };
  return layer.kind === 'dense' ? { ...layer, outFeatures: units } : layer;
}

function hasOwnUnits({ kind }: Layer): boolean {
  return kind === 'conv2d' || kind === 'dense';
}

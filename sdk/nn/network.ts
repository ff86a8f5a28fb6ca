/** A network: layers in the order they run, with shapes and named parameters. Data, not behaviour. */
import { NetworkError } from '../base/errors.js';
import { seededRandom } from '../base/random.js';
import { initialize } from './initializers.js';
import { count, type Layer, type ParameterSpec, type Value } from './value.js';

/** A layer in its place. */
export interface Node {
  readonly name: string;
  readonly layer: Layer;
  /** The nodes it reads, as positions in {@link Network.nodes}; always earlier ones. */
  readonly inputs: readonly number[];
  /** What it makes for one sample. */
  readonly shape: readonly number[];
  /** Its parameters, weight before bias. */
  readonly parameters: readonly Parameter[];
}

/** A parameter and its place in the flat array that holds all of them. */
export interface Parameter extends ParameterSpec {
  /** In numbers, not bytes. */
  readonly offset: number;
  /** How many numbers. */
  readonly size: number;
}

/** An immutable graph of layers. `nodes[0]` is the input, the last node the output. */
export interface Network {
  readonly name: string;
  readonly inputShape: readonly number[];
  readonly outputShape: readonly number[];
  readonly nodes: readonly Node[];
  readonly parameters: readonly Parameter[];
  /** How many numbers all parameters hold together. */
  readonly parameterCount: number;
}

/**
 * Makes a network of the layers between its input and `output`.
 *
 * @param name what checkpoints are called after
 * @throws NetworkError `E_INPUTS` without exactly one input, `E_DUPLICATE` when two layers share a name
 * @example
 * const x = input([784]);
 * network('linear', dense(flatten(x), { name: 'fc', outFeatures: 10 })).parameterCount; // 7850
 */
export function network(name: string, output: Value): Network {
  const values = inOrder(output);
  const inputs = values.filter((value) => value.layer.kind === 'input');
  if (inputs.length !== 1) {
    throw new NetworkError('E_INPUTS', `network ${name}: reads ${inputs.length} inputs; exactly one is possible`);
  }
  const position = new Map(values.map((value, i) => [value, i]));
  const nodes: Node[] = [];
  let offset = 0;
  for (const [i, value] of values.entries()) {
    const parameters = value.parameters.map((spec) => {
      const parameter = { ...spec, offset, size: count(spec.shape) };
      offset += parameter.size;
      return parameter;
    });
    nodes.push({
      name: value.name ?? `${value.layer.kind}${i}`,
      layer: value.layer,
      inputs: value.inputs.map((from) => position.get(from) ?? 0),
      shape: value.shape,
      parameters,
    });
  }
  const parameters = nodes.flatMap((node) => node.parameters);
  for (const [i, { name: parameter }] of parameters.entries()) {
    if (parameters.findIndex((other) => other.name === parameter) !== i) {
      throw new NetworkError(
        'E_DUPLICATE',
        `network ${name}: two layers are called ${parameter.replace(/\.\w+$/, '')}`,
      );
    }
  }
  return {
    name,
    inputShape: inputs[0].shape,
    outputShape: output.shape,
    nodes,
    parameters,
    parameterCount: offset,
  };
}

/** Whether a value that came from JavaScript is a {@link Network}: made by `network`, or by a function that calls it. */
export function isNetwork(value: unknown): value is Network {
  return (
    typeof value === 'object' &&
    value !== null &&
    'nodes' in value &&
    Array.isArray(value.nodes) &&
    'parameters' in value &&
    Array.isArray(value.parameters)
  );
}

/**
 * The parameters' first values, all of them one after another in the order of {@link Network.parameters}.
 *
 * @param seed the same seed gives the same values
 */
export function initialParameters(of: Network, seed: number): Float32Array {
  const values = new Float32Array(of.parameterCount);
  for (const { name, shape, initializer, offset, size } of of.parameters) {
    // A stream for each, so that adding a layer does not change how the others start.
    const random = seededRandom(seed, 'initialize', name);
    initialize(values.subarray(offset, offset + size), initializer, { shape, random });
  }
  return values;
}

/** Every value that `output` needs, each after those it reads, the input first. */
function inOrder(output: Value): Value[] {
  const done = new Set<Value>();
  const pending: Value[] = [output];
  while (pending.length > 0) {
    const value = pending[pending.length - 1];
    const missing = value.inputs.filter((from) => !done.has(from));
    if (missing.length > 0) pending.push(...missing.toReversed());
    else {
      done.add(value);
      pending.pop();
    }
  }
  return [...done];
}

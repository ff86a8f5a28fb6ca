/**
 * Lowers a network to the operations of the native engine (native/program.h): ReLU and 2×2 max-pooling go into the
 * convolution or dense layer before them, flatten disappears, since the layout `[channel][row][column]` is flat already.
 */

import type { Network, Node } from '../../nn/network.js';
import { count } from '../../nn/value.js';

/** A network as the native engine takes it. */
export interface Lowered {
  /** Features of each value; value 0 is the input. */
  readonly valueSizes: Int32Array;
  /** The value that holds the network's output. */
  readonly output: number;
  readonly operations: readonly Operation[];
}

/** `Op` of native/program.h, field by field. */
interface Operation {
  kind: number;
  input: number;
  output: number;
  inChannels: number;
  inHeight: number;
  inWidth: number;
  outChannels: number;
  outHeight: number;
  outWidth: number;
  kernelHeight: number;
  kernelWidth: number;
  relu: number;
  pool: number;
  weight: number;
  bias: number;
  gradient: number;
}

const KIND = { conv2d: 0, dense: 1, relu: 2, maxPool2d: 3 } as const;

/** Lowers a network. */
export function lower(network: Network): Lowered {
  const readers = network.nodes.map((_, i) => network.nodes.filter((node) => node.inputs.includes(i)).length);
  const last = network.nodes.length - 1;
  /** The value of each node that has one. */
  const values: number[] = [];
  const sizes: number[] = [];
  /** The operation that made a node, where what follows may still go into it. */
  const open = new Map<number, Operation>();
  const operations: Operation[] = [];
  const newValue = (node: Node): number => sizes.push(count(node.shape)) - 1;

  for (const [i, node] of network.nodes.entries()) {
    const { layer } = node;
    const from = node.inputs[0] ?? 0;
    const before = readers[from] === 1 && from !== last ? open.get(from) : undefined;
    switch (layer.kind) {
      case 'input':
        values[i] = newValue(node);
        break;
      case 'flatten':
        values[i] = values[from];
        break;
      case 'relu':
        if (before && before.relu === 0 && before.pool === 0) {
          before.relu = 1;
          values[i] = values[from];
          open.set(i, before);
        } else add(i, node, KIND.relu);
        break;
      case 'maxPool2d':
        if (before && before.kind === KIND.conv2d && before.pool === 0 && layer.kernelSize.join() === '2,2') {
          before.pool = 2;
          values[i] = values[from];
          sizes[values[i]] = count(node.shape);
        } else add(i, node, KIND.maxPool2d, layer.kernelSize);
        break;
      case 'conv2d':
        open.set(i, add(i, node, KIND.conv2d, layer.kernelSize));
        break;
      case 'dense':
        open.set(i, add(i, node, KIND.dense));
        break;
      default:
        throw new Error(`not lowered yet: ${layer.kind}`);
    }
  }
  markGradients(operations);
  return { valueSizes: Int32Array.from(sizes), output: values[last], operations };

  function add(i: number, node: Node, kind: number, [kh, kw]: readonly [number, number] = [1, 1]): Operation {
    const [from] = node.inputs;
    const [inChannels, inHeight = 1, inWidth = 1] = network.nodes[from].shape;
    const [outChannels, outHeight = 1, outWidth = 1] = node.shape;
    values[i] = newValue(node);
    const [weight, bias] = node.parameters;
    const operation: Operation = {
      kind,
      input: values[from],
      output: values[i],
      inChannels,
      inHeight,
      inWidth,
      outChannels,
      outHeight,
      outWidth,
      kernelHeight: kh,
      kernelWidth: kw,
      relu: 0,
      pool: 0,
      weight: weight?.offset ?? 0,
      bias: bias?.offset ?? 0,
      gradient: 0,
    };
    operations.push(operation);
    return operation;
  }
}

/** Which inputs need a gradient: all but the network's own; the last reader of a value writes it, earlier ones add. */
function markGradients(operations: readonly Operation[]): void {
  const written = new Set<number>();
  for (const operation of operations.toReversed()) {
    if (operation.input === 0) continue;
    operation.gradient = written.has(operation.input) ? 2 : 1;
    written.add(operation.input);
  }
}

/** The operations as `Op[]` of native/program.h. */
export function encode(operations: readonly Operation[]): Int32Array {
  return Int32Array.from(
    operations.flatMap((op) => [
      op.kind,
      op.input,
      op.output,
      op.inChannels,
      op.inHeight,
      op.inWidth,
      op.outChannels,
      op.outHeight,
      op.outWidth,
      op.kernelHeight,
      op.kernelWidth,
      op.relu,
      op.pool,
      op.weight,
      op.bias,
      op.gradient,
    ]),
  );
}

/**
 * Lowers a network to the operations of the native engine (native/program.h): ReLU and 2×2 max-pooling go into the
 * convolution or dense layer before them, flatten disappears, since the layout `[channel][row][column]` is flat already;
 * a sum and a concatenation become copies of their parts.
 */

import type { Network, Node } from '../../nn/network.js';
import { count, type Window } from '../../nn/value.js';
import { dropoutThreshold } from '../dropout.js';
import type { CompileOptions } from '../engine.js';
import { type Factors, factorsOf } from '../masking.js';

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
  readonly kind: number;
  readonly input: number;
  readonly output: number;
  readonly inChannels: number;
  readonly inHeight: number;
  readonly inWidth: number;
  readonly outChannels: number;
  readonly outHeight: number;
  readonly outWidth: number;
  readonly kernelHeight: number;
  readonly kernelWidth: number;
  readonly strideHeight: number;
  readonly strideWidth: number;
  readonly padTop: number;
  readonly padLeft: number;
  relu: number;
  pool: number;
  readonly weight: number;
  readonly bias: number;
  gradient: number;
  readonly place: number;
  readonly accumulate: number;
  readonly threshold: number;
  readonly factor: number;
  readonly epsilon: number;
}

const KIND = {
  conv2d: 0,
  dense: 1,
  relu: 2,
  maxPool2d: 3,
  avgPool2d: 4,
  depthwiseConv2d: 5,
  copy: 6,
  softmax: 7,
  dropout: 8,
  batchNorm: 9,
} as const;

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
        if (before && before.kind !== KIND.dense && before.pool === 0 && isTwoByTwo(layer)) {
          before.pool = 2;
          values[i] = values[from];
          sizes[values[i]] = count(node.shape);
        } else add(i, node, KIND.maxPool2d, window(layer));
        break;
      case 'avgPool2d':
        add(i, node, KIND.avgPool2d, window(layer));
        break;
      case 'conv2d':
      case 'depthwiseConv2d':
        open.set(i, add(i, node, KIND[layer.kind], window(layer)));
        break;
      case 'dense':
        open.set(i, add(i, node, KIND.dense));
        break;
      case 'softmax':
        add(i, node, KIND.softmax);
        break;
      case 'dropout':
        // With a place in the network of its own, which the reference engine counts by, too.
        add(i, node, KIND.dropout, {
          place: i,
          threshold: dropoutThreshold(layer.rate),
          factor: 1 / (1 - layer.rate),
        });
        break;
      case 'batchNorm':
        add(i, node, KIND.batchNorm, { factor: layer.momentum, epsilon: layer.epsilon });
        break;
      case 'add':
      case 'concat':
        join(i, node, layer.kind === 'add');
        break;
      default:
        throw layer satisfies never;
    }
  }
  markGradients(operations);
  return { valueSizes: Int32Array.from(sizes), output: values[last], operations };

  function newValue(node: Node): number {
    return sizes.push(count(node.shape)) - 1;
  }

  /** Copies of all inputs to one value: side by side, or on top of one another. */
  function join(i: number, node: Node, sum: boolean): void {
    const output = newValue(node);
    let place = 0;
    for (const [k, from] of node.inputs.entries()) {
      add(i, node, KIND.copy, { place, accumulate: sum && k > 0 ? 1 : 0 }, { from, output });
      if (!sum) place += count(network.nodes[from].shape);
    }
  }

  function add(
    i: number,
    node: Node,
    kind: number,
    settings: Partial<Operation> = {},
    { from = node.inputs[0], output = newValue(node) }: { readonly from?: number; readonly output?: number } = {},
  ): Operation {
    const [inChannels, inHeight = 1, inWidth = 1] = network.nodes[from].shape;
    const [outChannels, outHeight = 1, outWidth = 1] = node.shape;
    values[i] = output;
    const [weight, bias] = node.parameters;
    const operation: Operation = {
      kind,
      input: values[from],
      output,
      inChannels,
      inHeight,
      inWidth,
      outChannels,
      outHeight,
      outWidth,
      kernelHeight: 1,
      kernelWidth: 1,
      strideHeight: 1,
      strideWidth: 1,
      padTop: 0,
      padLeft: 0,
      relu: 0,
      pool: 0,
      weight: weight?.offset ?? 0,
      bias: bias?.offset ?? -1,
      gradient: 0,
      place: 0,
      accumulate: 0,
      threshold: 0,
      factor: 0,
      epsilon: 0,
      ...settings,
    };
    operations.push(operation);
    return operation;
  }
}

/** Parameters that the optimizer changes alike: from the first to before `end`. */
export interface TrainableRange extends Factors {
  readonly first: number;
  readonly end: number;
}

/** Where the parameters lie that the optimizer changes, in as few ranges as possible. */
export function trainableRanges(
  network: Network,
  factors: Pick<CompileOptions, 'rateFactors' | 'decayFactors'> = {},
): readonly TrainableRange[] {
  const ranges: TrainableRange[] = [];
  const of = factorsOf(network, factors);
  for (const [i, { trainable, offset, size }] of network.parameters.entries()) {
    if (!trainable) continue;
    const last = ranges.at(-1);
    const goesOn = last?.end === offset && last.rate === of[i].rate && last.decay === of[i].decay;
    if (goesOn) ranges[ranges.length - 1] = { ...last, end: offset + size };
    else ranges.push({ first: offset, end: offset + size, ...of[i] });
  }
  return ranges;
}

function window({ kernelSize, stride, padding }: Window): Partial<Operation> {
  const [kernelHeight, kernelWidth] = kernelSize;
  const [strideHeight, strideWidth] = stride;
  return { kernelHeight, kernelWidth, strideHeight, strideWidth, padTop: padding.top, padLeft: padding.left };
}

function isTwoByTwo({ kernelSize, stride, padding }: Window): boolean {
  return [...kernelSize, ...stride].every((n) => n === 2) && Object.values(padding).every((n) => n === 0);
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
      op.strideHeight,
      op.strideWidth,
      op.padTop,
      op.padLeft,
      op.relu,
      op.pool,
      op.weight,
      op.bias,
      op.gradient,
      op.place,
      op.accumulate,
      op.threshold | 0,
      bitsOf(op.factor),
      bitsOf(op.epsilon),
    ]),
  );
}

/** A float32 as the integer of the same bits. */
function bitsOf(value: number): number {
  return new Int32Array(Float32Array.of(value).buffer)[0];
}

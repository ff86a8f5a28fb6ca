/**
 * A network as a Keras model, in the words of TensorFlow.js and Keras: layers by class and configuration, images
 * `[rows, columns, channels]`. What Keras lays out otherwise is made of several of its layers, so that the model computes
 * what the network does and every weight is the network's, only transposed.
 */
import { CheckpointError } from '../base/errors.js';
import type { Network, Node } from '../nn/network.js';
import type { Window } from '../nn/value.js';
import { distinctNames } from './layer-names.js';
import type { JsonObject } from './state.js';
import { poolInside } from './tfjs-pool.js';

/** A Keras model: what `model.to_json()` gives, but for versions. */
export interface KerasModel {
  readonly class_name: 'Functional';
  readonly config: {
    readonly name: string;
    readonly layers: readonly KerasLayer[];
    readonly input_layers: readonly KerasReference[];
    readonly output_layers: readonly KerasReference[];
  };
}

export interface KerasLayer {
  readonly class_name: string;
  readonly name: string;
  readonly config: JsonObject;
  /** One list of the layers it reads, or none for the input. */
  readonly inbound_nodes: readonly (readonly (readonly [name: string, node: 0, tensor: 0, options: JsonObject])[])[];
}

type KerasReference = readonly [name: string, node: 0, tensor: 0];

/** Adds a layer that reads others and returns its name. */
export type AddLayer = (className: string, config: JsonObject, from: readonly string[]) => string;

/**
 * The network as a Keras model. Layers with weights keep their names, so that `conv1.weight` is `conv1/kernel`; the others
 * are called after what they do. Images are `[rows, columns, channels]`, going in and coming out.
 *
 * A `flatten` is a Permute to channels first, then Keras's Flatten: what reads it needs not know. `same` padding is Keras's
 * where it is the same rows and columns; other padding is ZeroPadding2D before a convolution, and pools of the windows' parts
 * that lie inside the image for a pool.
 *
 * @throws CheckpointError `E_CKPT_NAME` for a layer with weights whose name TensorFlow.js does not allow
 * @example
 * const net = network('tiny', dense(flatten(input([3, 2, 2])), { name: 'fc', outFeatures: 1 }));
 * topologyOf(net).config.layers.map((layer) => layer.class_name); // ['InputLayer', 'Permute', 'Flatten', 'Dense']
 */
export function topologyOf({ name, nodes }: Network): KerasModel {
  const layers: KerasLayer[] = [];
  const weighted = nodes.filter((node) => node.parameters.length > 0).map((node) => node.name);
  for (const layer of weighted) requireTensorName(layer);
  const distinct = distinctNames(weighted);
  const names: string[] = [];
  for (const node of nodes) {
    const add: AddLayer = (className, config, from) => {
      const isItself = className === WEIGHTED[node.layer.kind];
      const layer = isItself ? node.name : distinct(node.name);
      layers.push({
        class_name: className,
        name: layer,
        config: { name: layer, ...config },
        inbound_nodes: from.length === 0 ? [] : [from.map((other) => [other, 0, 0, {}])],
      });
      return layer;
    };
    const [first] = node.inputs;
    names.push(
      addNode(add, node, {
        from: node.inputs.map((i) => names[i]),
        read: first === undefined ? [] : nodes[first].shape,
      }),
    );
  }
  return {
    class_name: 'Functional',
    config: {
      name,
      layers,
      input_layers: [[names[0], 0, 0]],
      output_layers: [[names[names.length - 1], 0, 0]],
    },
  };
}

/** The Keras classes that hold a node's weights, and so its name. */
const WEIGHTED: Readonly<Partial<Record<Node['layer']['kind'], string>>> = {
  conv2d: 'Conv2D',
  depthwiseConv2d: 'DepthwiseConv2D',
  dense: 'Dense',
  batchNorm: 'BatchNormalization',
};

interface Reading {
  /** The Keras layers that the node reads. */
  readonly from: readonly string[];
  /** The shape of the first of them, as the network has it. */
  readonly read: readonly number[];
}

/** Adds what a node is in Keras; returns the last layer's name. */
function addNode(add: AddLayer, { layer, shape, parameters }: Node, { from, read }: Reading): string {
  const useBias = parameters.length > 1;
  switch (layer.kind) {
    case 'input':
      return add(
        'InputLayer',
        { batch_input_shape: [null, ...kerasShape(shape)], dtype: 'float32', sparse: false },
        [],
      );
    case 'conv2d': {
      const { padding, from: padded } = padZeros(add, layer, { from, read });
      const config = { filters: layer.outChannels, kernel_size: layer.kernelSize, use_bias: useBias };
      return add('Conv2D', { ...config, strides: layer.stride, padding, ...CHANNELS_LAST }, padded);
    }
    case 'depthwiseConv2d': {
      const { padding, from: padded } = padZeros(add, layer, { from, read });
      const config = { kernel_size: layer.kernelSize, depth_multiplier: layer.multiplier, use_bias: useBias };
      return add('DepthwiseConv2D', { ...config, strides: layer.stride, padding, ...CHANNELS_LAST }, padded);
    }
    case 'maxPool2d':
    case 'avgPool2d': {
      const className = layer.kind === 'maxPool2d' ? 'MaxPooling2D' : 'AveragePooling2D';
      const padding = kerasPadding(layer, read);
      if (padding === undefined) return poolInside(add, className, { window: layer, from: from[0], image: read });
      return add(className, { pool_size: layer.kernelSize, strides: layer.stride, padding, ...CHANNELS_LAST }, from);
    }
    case 'dense':
      return add('Dense', { units: layer.outFeatures, activation: 'linear', use_bias: useBias }, from);
    case 'relu':
      return add('Activation', { activation: 'relu' }, from);
    case 'softmax':
      return add('Activation', { activation: 'softmax' }, from);
    case 'flatten': {
      // Keras has no Flatten of a vector.
      if (read.length === 1) return add('Activation', { activation: 'linear' }, from);
      const [channels, rows, columns] = read;
      const isSame = channels === 1 || rows * columns === 1;
      return add('Flatten', CHANNELS_LAST, isSame ? from : [add('Permute', { dims: [3, 1, 2] }, from)]);
    }
    case 'dropout':
      return add('Dropout', { rate: layer.rate }, from);
    case 'batchNorm': {
      const { epsilon, momentum } = layer;
      return add('BatchNormalization', { axis: -1, momentum, epsilon, center: true, scale: true }, from);
    }
    case 'add':
      return add('Add', {}, apart(add, from));
    case 'concat':
      return add('Concatenate', { axis: -1 }, apart(add, from));
    default:
      throw layer satisfies never;
  }
}

const CHANNELS_LAST = { data_format: 'channels_last' } as const;

/** A value that is read twice gets a copy: TensorFlow.js counts readers by layer, and lets go of what is still to be read. */
function apart(add: AddLayer, from: readonly string[]): readonly string[] {
  return from.map((name, i) => (from.indexOf(name) < i ? add('Activation', { activation: 'linear' }, [name]) : name));
}

/** A convolution's padding: Keras's own, or a layer before it. */
function padZeros(
  add: AddLayer,
  window: Window,
  { from, read }: Reading,
): { readonly padding: string; readonly from: readonly string[] } {
  const padding = kerasPadding(window, read);
  if (padding !== undefined) return { padding, from };
  const { top, bottom, left, right } = window.padding;
  const padded = add(
    'ZeroPadding2D',
    {
      padding: [
        [top, bottom],
        [left, right],
      ],
      ...CHANNELS_LAST,
    },
    from,
  );
  return { padding: 'valid', from: [padded] };
}

/** What Keras calls this padding on this image, or undefined. */
function kerasPadding(
  { kernelSize, stride, padding }: Window,
  [, rows, columns]: readonly number[],
): 'valid' | 'same' | undefined {
  const { top, bottom, left, right } = padding;
  if (top + bottom + left + right === 0) return 'valid';
  const isSame = ([before, after]: readonly [number, number], axis: number, size: number): boolean => {
    const total = Math.max(0, (Math.ceil(size / stride[axis]) - 1) * stride[axis] + kernelSize[axis] - size);
    return before === Math.floor(total / 2) && after === Math.ceil(total / 2);
  };
  return isSame([top, bottom], 0, rows) && isSame([left, right], 1, columns) ? 'same' : undefined;
}

function kerasShape(shape: readonly number[]): readonly number[] {
  return shape.length === 3 ? [shape[1], shape[2], shape[0]] : shape;
}

function requireTensorName(name: string): void {
  if (/^[A-Za-z0-9.][-A-Za-z0-9_./]*$/.test(name)) return;
  throw new CheckpointError(
    'E_CKPT_NAME',
    `TensorFlow.js cannot have a layer called ${JSON.stringify(name)}; rename it, with letters, digits and . _ - / alone`,
  );
}

/**
 * A network's layers as TensorFlow operations, over a whole batch. There images are `[n, height, width, channels]`; parameters stay in
 * this package's layout and are turned round where they are used.
 */
import type { Network, Node } from '../../nn/network.js';
import { batchNorm } from './batch-norm.js';
import { dropout } from './dropout.js';
import type { Tensor, TensorFlow } from './tf.js';
import { avgPool2d, conv2d, depthwiseConv2d, maxPool2d } from './windows.js';

/** What a pass through a network reads beside its input. */
export interface Pass {
  /** In the network's order and shapes. */
  readonly parameters: readonly Tensor[];
  /** Set while training. */
  readonly training?: Training | undefined;
}

/** What layers need only while training. */
export interface Training {
  /** What dropout counts from. */
  readonly seed: number;
  /** Optimizer steps taken before this one. */
  readonly step: number;
  /** Batch normalisation adds what its moving mean and variance are after the step; so they come in the network's order. */
  readonly moved: Tensor[];
}

/**
 * The network's output for a batch, `[n, outputs]`.
 *
 * @param x the batch, images channels last
 */
export function forward(
  tf: TensorFlow,
  network: Network,
  { x, parameters, training }: Pass & { readonly x: Tensor },
): Tensor {
  const values: Tensor[] = [];
  let used = 0;
  for (const [position, node] of network.nodes.entries()) {
    const own = parameters.slice(used, used + node.parameters.length);
    used += own.length;
    const inputs = node.inputs.map((from) => values[from]);
    values.push(node.layer.kind === 'input' ? x : run(tf, node, { inputs, position, parameters: own, training }));
  }
  return values[values.length - 1];
}

/** `parameters`: the node's own. */
function run(
  tf: TensorFlow,
  { layer, shape }: Node,
  { inputs, position, parameters, training }: Pass & { readonly inputs: readonly Tensor[]; readonly position: number },
): Tensor {
  const [x] = inputs;
  const [weight, bias] = parameters;
  const plusBias = (y: Tensor): Tensor => (parameters.length > 1 ? tf.add(y, bias) : y);
  switch (layer.kind) {
    case 'input':
      return x;
    case 'conv2d':
      return plusBias(conv2d(tf, x, { ...layer, weight }));
    case 'depthwiseConv2d':
      return plusBias(depthwiseConv2d(tf, x, { ...layer, weight }));
    case 'dense':
      return plusBias(tf.matMul(x, weight, false, true));
    case 'relu':
      return tf.relu(x);
    case 'softmax':
      return tf.softmax(x);
    case 'maxPool2d':
      return maxPool2d(tf, x, layer);
    case 'avgPool2d':
      return avgPool2d(tf, x, layer);
    case 'flatten':
      return tf.reshape(x.shape.length === 4 ? tf.transpose(x, [0, 3, 1, 2]) : x, [x.shape[0], ...shape]);
    case 'dropout':
      return training === undefined ? x : dropout(tf, x, { ...layer, ...training, shape, position });
    case 'batchNorm':
      return batchNorm(tf, x, { ...layer, parameters, training });
    case 'add':
      return tf.addN(inputs);
    case 'concat':
      return tf.concat(inputs, x.shape.length - 1);
    default:
      throw layer satisfies never;
  }
}

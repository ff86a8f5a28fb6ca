/** Layers as data, but convolutions and pools. */
import { NetworkError } from '../base/errors.js';
import { constant, zeros } from './initializers.js';
import {
  count,
  type Layer,
  type ParameterSpec,
  plain,
  requireName,
  requireSize,
  show,
  type Value,
  type WeightOptions,
  weightAndBias,
} from './value.js';

/**
 * What a network reads.
 *
 * @param shape `[channels, height, width]` or `[features]`
 */
export function input(shape: readonly number[]): Value {
  for (const size of shape) requireSize('input', 'every dimension', size);
  return { shape, layer: { kind: 'input' }, name: 'input', inputs: [], parameters: [] };
}

/**
 * Fully connected layer: `[in]` → `[outFeatures]`. Weight `[out, in]`.
 *
 * @throws NetworkError `E_SHAPE` when the input is an image: flatten it first
 * @example
 * dense(input([84]), { name: 'fc3', outFeatures: 10 }).shape; // [10]
 */
export function dense(x: Value, options: WeightOptions & { readonly outFeatures: number }): Value {
  const { name, outFeatures } = options;
  requireName('dense', name);
  if (x.shape.length !== 1) {
    throw new NetworkError('E_SHAPE', `${name}: a dense layer reads a vector, not ${show(x.shape)}; flatten it first`);
  }
  requireSize(name, 'outFeatures', outFeatures);
  return {
    shape: [outFeatures],
    layer: { kind: 'dense', outFeatures },
    name,
    inputs: [x],
    parameters: weightAndBias([outFeatures, x.shape[0]], options),
  };
}

/** max(x, 0), element by element; its gradient at 0 is 0. */
export function relu(x: Value): Value {
  return plain({ kind: 'relu' }, x.shape, [x]);
}

/**
 * e^xᵢ / Σ e^xⱼ over the features of a vector. The loss {@link softmaxCrossEntropy} holds a softmax of its own and reads
 * what comes before one: a classifier needs none.
 *
 * @throws NetworkError `E_SHAPE` for an image
 */
export function softmax(x: Value): Value {
  if (x.shape.length !== 1) {
    throw new NetworkError('E_SHAPE', `softmax: reads a vector, not ${show(x.shape)}; flatten it first`);
  }
  return plain({ kind: 'softmax' }, x.shape, [x]);
}

/** `[channels, height, width]` → `[channels · height · width]`, channels first as PyTorch and MindSpore do. */
export function flatten(x: Value): Value {
  return plain({ kind: 'flatten' }, [count(x.shape)], [x]);
}

/**
 * While training, each number is 0 with probability `rate` and else 1 / (1 − rate) of itself; otherwise it stays as it is
 * (Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html). Which are 0 depends on the seed, the step,
 * the layer's place in the network and the sample's in the batch: no engine, and no number of threads, changes it.
 *
 * @throws NetworkError `E_RATE` unless 0 ≤ rate < 1
 */
export function dropout(x: Value, { rate }: { readonly rate: number }): Value {
  if (!(rate >= 0 && rate < 1)) {
    throw new NetworkError('E_RATE', `dropout: the rate must be at least 0 and below 1, not ${rate}`);
  }
  return plain({ kind: 'dropout', rate }, x.shape, [x]);
}

/**
 * Batch normalisation (Ioffe and Szegedy 2015, https://arxiv.org/abs/1502.03167) per channel of an image, or per feature of
 * a vector: y = γ · (x − μ) / √(σ² + ε) + β. While training, μ and σ² are the batch's (σ² divided by its size n), and
 * moving ← momentum · moving + (1 − momentum) · batch, the variance there divided by n − 1; otherwise they are the moving
 * ones. Parameters, as MindSpore names them: `gamma`, `beta`, `moving_mean`, `moving_variance`, all `[channels]`.
 *
 * @param options epsilon: default 1e-5; momentum: default 0.9 (PyTorch counts the other way: 0.1)
 * @throws NetworkError `E_BATCH_NORM` unless epsilon > 0, as a float32 too, and 0 ≤ momentum < 1
 */
export function batchNorm(
  x: Value,
  {
    name,
    epsilon = 1e-5,
    momentum = 0.9,
  }: { readonly name: string; readonly epsilon?: number; readonly momentum?: number },
): Value {
  requireName('batchNorm', name);
  // Engines and files hold float32: an epsilon that is 0 there divides by 0.
  const isPositive = Math.fround(epsilon) > 0 && Number.isFinite(Math.fround(epsilon));
  if (!isPositive || !(momentum >= 0 && momentum < 1)) {
    throw new NetworkError(
      'E_BATCH_NORM',
      `${name}: epsilon must be above 0, as a float32 too, and momentum at least 0 and below 1, not ${epsilon} and ${momentum}`,
    );
  }
  const one = constant(1);
  const parameter = (suffix: string, initializer = zeros(), trainable = true): ParameterSpec => {
    return { name: `${name}.${suffix}`, shape: [x.shape[0]], initializer, trainable };
  };
  return {
    shape: x.shape,
    layer: { kind: 'batchNorm', epsilon, momentum },
    name,
    inputs: [x],
    parameters: [
      parameter('gamma', one),
      parameter('beta'),
      parameter('moving_mean', zeros(), false),
      parameter('moving_variance', one, false),
    ],
  };
}

/**
 * The sum of values of one shape, element by element.
 *
 * @throws NetworkError `E_SHAPE` for fewer than two, or when their shapes differ
 */
export function add(...inputs: readonly Value[]): Value {
  const { shape } = requireSeveral('add', inputs);
  const other = inputs.find((x) => x.shape.join() !== shape.join());
  if (other) throw new NetworkError('E_SHAPE', `add: cannot add ${show(shape)} and ${show(other.shape)}`);
  return plain({ kind: 'add' }, shape, inputs);
}

/**
 * Values one after another: images by channels, vectors by features.
 *
 * @throws NetworkError `E_SHAPE` for fewer than two, or when their heights and widths differ
 * @example
 * concat(input([3, 8, 8]), input([5, 8, 8])).shape; // [8, 8, 8]
 */
export function concat(...inputs: readonly Value[]): Value {
  const [, ...image] = requireSeveral('concat', inputs).shape;
  const other = inputs.find((x) => x.shape.slice(1).join() !== image.join());
  if (other) {
    throw new NetworkError(
      'E_SHAPE',
      `concat: ${show(inputs[0].shape)} and ${show(other.shape)} differ in more than channels`,
    );
  }
  return plain({ kind: 'concat' }, [inputs.reduce((sum, { shape }) => sum + shape[0], 0), ...image], inputs);
}

function requireSeveral(layer: Layer['kind'], inputs: readonly Value[]): Value {
  if (inputs.length < 2) throw new NetworkError('E_SHAPE', `${layer}: needs at least two values, not ${inputs.length}`);
  return inputs[0];
}

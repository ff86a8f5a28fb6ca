/**
 * A parameter's layout in Keras and here.
 *
 * | | Keras | here |
 * |---|---|---|
 * | convolution | `kernel` `[kh, kw, in, out]` | `weight` `[out, in, kh, kw]` |
 * | depthwise convolution | `depthwise_kernel` `[kh, kw, in, multiplier]` | `weight` `[in · multiplier, 1, kh, kw]` |
 * | dense | `kernel` `[in, out]` | `weight` `[out, in]` |
 * | the rest | `bias`, `gamma`, … | the same |
 */
import { count } from '../nn/value.js';
import type { Tensor } from './tensor-file.js';
import { featureOrder, isInOrder, type Vector } from './tfjs-form.js';

const DEPTHWISE = 'depthwise_kernel';

/** Keras's name for a parameter of a layer of ours. */
export function kerasRole(kind: string, parameter: string): string {
  if (parameter !== 'weight') return parameter;
  return kind === 'depthwiseConv2d' ? DEPTHWISE : 'kernel';
}

/** Our name for a weight of a Keras layer. */
export function parameterRole(role: string): string {
  return role === 'kernel' || role === DEPTHWISE ? 'weight' : role;
}

/** A parameter of ours as Keras lays it out. */
export function toKeras(role: string, { shape, data }: Tensor, multiplier = 1): Tensor {
  if (role === DEPTHWISE) {
    const [channels, , rows, columns] = shape;
    return transposed({ shape: [channels / multiplier, multiplier, rows, columns], data }, [2, 3, 0, 1]);
  }
  if (role !== 'kernel') return { shape, data };
  return transposed({ shape, data }, shape.length === 4 ? [2, 3, 1, 0] : [1, 0]);
}

/**
 * A Keras weight as we lay it out.
 *
 * @param order what the first axis of a dense kernel, or of the rest, counts, where it is known
 */
export function fromKeras(role: string, weight: Tensor, order?: Vector): Tensor {
  const ordered = order === undefined || isInOrder(order) ? weight : reordered(weight, featureOrder(order));
  const rank = ordered.shape.length;
  if (role === DEPTHWISE && rank === 4) {
    const { shape, data } = transposed(ordered, [2, 3, 0, 1]);
    const [channels, multiplier, rows, columns] = shape;
    return { shape: [channels * multiplier, 1, rows, columns], data };
  }
  if (role === 'kernel' && rank === 4) return transposed(ordered, [3, 2, 0, 1]);
  if (role === 'kernel' && rank === 2) return transposed(ordered, [1, 0]);
  return ordered;
}

/** With its axes in another order: axis i of what comes out is axis `axes[i]` of what goes in. */
function transposed({ shape, data }: Tensor, axes: readonly number[]): Tensor {
  const steps = shape.map((_, axis) => count(shape.slice(axis + 1)));
  const result = data.slice();
  const to = axes.map((axis) => shape[axis]);
  const index = to.map(() => 0);
  let from = 0;
  for (let i = 0; i < result.length; i++) {
    result[i] = data[from];
    for (let axis = to.length - 1; axis >= 0; axis--) {
      from += steps[axes[axis]];
      if (++index[axis] < to[axis]) break;
      from -= to[axis] * steps[axes[axis]];
      index[axis] = 0;
    }
  }
  return { shape: to, data: result };
}

/** With row i of the first axis at `order[i]`. */
function reordered({ shape, data }: Tensor, order: Int32Array): Tensor {
  const result = data.slice();
  const row = count(shape.slice(1));
  for (const [from, to] of order.entries()) result.set(data.subarray(from * row, (from + 1) * row), to * row);
  return { shape, data: result };
}

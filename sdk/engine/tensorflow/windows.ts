/**
 * Layers that go over an image with a window. Padding is laid around the image beforehand: TensorFlow's own padding is not what
 * other frameworks mean by a number, and not the same in all its packages.
 */
import type { Padding, Window } from '../../nn/value.js';
import type { Tensor, TensorFlow } from './tf.js';

/** Convolution; weight `[out, in, kh, kw]`. */
export function conv2d(
  tf: TensorFlow,
  x: Tensor,
  { weight, padding, stride }: Window & { readonly weight: Tensor },
): Tensor {
  return tf.conv2d(padded(tf, x, padding, 0), tf.transpose(weight, [2, 3, 1, 0]), stride, 'valid');
}

/** Depthwise convolution; weight `[in · multiplier, 1, kh, kw]`. */
export function depthwiseConv2d(
  tf: TensorFlow,
  x: Tensor,
  { weight, multiplier, padding, stride }: Window & { readonly weight: Tensor; readonly multiplier: number },
): Tensor {
  const [channels, , height, width] = weight.shape;
  const byInput = tf.reshape(weight, [channels / multiplier, multiplier, height, width]);
  const filter = tf.transpose(byInput, [2, 3, 0, 1]);
  const image = padded(tf, x, padding, 0);
  if (stride[0] === stride[1]) return tf.depthwiseConv2d(image, filter, stride, 'valid');
  // TensorFlow refuses this on a GPU, https://github.com/tensorflow/tensorflow/issues/33005: go everywhere, and keep every so many places.
  return tf.maxPool(tf.depthwiseConv2d(image, filter, [1, 1], 'valid'), [1, 1], stride, 'valid');
}

/** The largest of each window. */
export function maxPool2d(tf: TensorFlow, x: Tensor, { kernelSize, stride, padding }: Window): Tensor {
  return tf.maxPool(padded(tf, x, padding, Number.NEGATIVE_INFINITY), kernelSize, stride, 'valid');
}

/** The mean of what of the image lies in each window. */
export function avgPool2d(tf: TensorFlow, x: Tensor, { kernelSize, stride, padding }: Window): Tensor {
  const mean = tf.avgPool(padded(tf, x, padding, 0), kernelSize, stride, 'valid');
  if (isNone(padding)) return mean;
  const [, height, width] = x.shape;
  const [, rows, columns] = mean.shape;
  const inRows = inside({ size: height, before: padding.top, kernel: kernelSize[0], step: stride[0], places: rows });
  const inColumns = inside({
    size: width,
    before: padding.left,
    kernel: kernelSize[1],
    step: stride[1],
    places: columns,
  });
  const correction = inRows.flatMap((row) =>
    inColumns.map((column) => (kernelSize[0] * kernelSize[1]) / (row * column)),
  );
  return tf.mul(mean, tf.tensor(Float32Array.from(correction), [1, rows, columns, 1], 'float32'));
}

/** How many rows (or columns) of the image lie in each window. */
function inside({
  size,
  before,
  kernel,
  step,
  places,
}: {
  readonly size: number;
  readonly before: number;
  readonly kernel: number;
  readonly step: number;
  readonly places: number;
}): readonly number[] {
  return Array.from({ length: places }, (_, place) => {
    const first = place * step - before;
    return Math.min(first + kernel, size) - Math.max(first, 0);
  });
}

function padded(tf: TensorFlow, x: Tensor, padding: Padding, value: number): Tensor {
  const { top, bottom, left, right } = padding;
  return isNone(padding)
    ? x
    : tf.pad(
        x,
        [
          [0, 0],
          [top, bottom],
          [left, right],
          [0, 0],
        ],
        value,
      );
}

function isNone({ top, bottom, left, right }: Padding): boolean {
  return top + bottom + left + right === 0;
}

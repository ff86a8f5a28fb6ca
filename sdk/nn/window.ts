/** How windows lie on an image: kernel, stride, padding, and how many places that makes. */
import { NetworkError } from '../base/errors.js';
import { requireImage, requireSize, show, type Value, type Window } from './value.js';

/** Settings of convolutions and pools. A single number stands for rows and columns. */
export interface WindowOptions {
  readonly kernelSize: number | readonly [number, number];
  readonly stride?: number | readonly [number, number];
  /**
   * `valid`: none. `same`: as many as make ⌈size / stride⌉ places, an odd one at the end, as MindSpore's and Keras's.
   * A number, or rows and columns: that many on both sides, as PyTorch's. Default `valid`.
   */
  readonly padding?: 'valid' | 'same' | number | readonly [number, number];
}

/**
 * Checks a window against the image it goes over.
 *
 * @param options stride: default 1
 * @returns the window, and the rows and columns that come out: ⌊(size + padding − kernel) / stride⌋ + 1
 * @throws NetworkError `E_SHAPE` when the input is no image, or the kernel is larger than it with its padding
 */
export function windowOver(
  layer: string,
  x: Value,
  { kernelSize, stride = 1, padding = 'valid' }: WindowOptions,
): { readonly window: Window; readonly places: readonly [number, number] } {
  const image = requireImage(layer, x);
  const kernel = pair(kernelSize);
  const steps = pair(stride);
  const around: (readonly [number, number])[] = [];
  const places = [0, 1].map((axis) => {
    const size = image[axis + 1];
    requireSize(layer, 'kernelSize', kernel[axis]);
    requireSize(layer, 'stride', steps[axis]);
    const [before, after] = paddingOf(layer, padding, { axis, size, kernel: kernel[axis], step: steps[axis] });
    around.push([before, after]);
    const padded = size + before + after;
    if (kernel[axis] > padded) {
      const what = before + after > 0 ? ' even with its padding' : '';
      throw new NetworkError(
        'E_SHAPE',
        `${layer}: a ${kernel.join('×')} window does not fit into its input ${show(x.shape)}${what}`,
      );
    }
    return Math.floor((padded - kernel[axis]) / steps[axis]) + 1;
  });
  const [[top, bottom], [left, right]] = around;
  return {
    window: { kernelSize: kernel, stride: steps, padding: { top, bottom, left, right } },
    places: [places[0], places[1]],
  };
}

function paddingOf(
  layer: string,
  padding: NonNullable<WindowOptions['padding']>,
  { axis, size, kernel, step }: { axis: number; size: number; kernel: number; step: number },
): readonly [before: number, after: number] {
  if (padding === 'valid') return [0, 0];
  if (padding === 'same') {
    const total = Math.max(0, (Math.ceil(size / step) - 1) * step + kernel - size);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  }
  if (typeof padding === 'string') {
    throw new NetworkError(
      'E_SHAPE',
      `${layer}: padding must be 'same', 'valid', a number or rows and columns, not ${JSON.stringify(padding)}`,
    );
  }
  const each = pair(padding)[axis];
  requireSize(layer, 'padding', each, 0);
  if (each >= kernel) {
    throw new NetworkError('E_SHAPE', `${layer}: a padding of ${each} is no less than the kernel of ${kernel}`);
  }
  return [each, each];
}

function pair(value: number | readonly [number, number]): readonly [number, number] {
  return typeof value === 'number' ? [value, value] : value;
}

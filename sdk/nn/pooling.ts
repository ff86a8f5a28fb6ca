/** Pooling as data. */
import { flatten } from './layers.js';
import { plain, requireImage, type Value } from './value.js';
import { type WindowOptions, windowOver } from './window.js';

/**
 * The largest of each window; padding never is. The gradient goes to the first of equal largest values, row by row.
 *
 * @param options stride: default `kernelSize`, so that windows lie side by side; rows and columns left over at the end are dropped
 * @throws NetworkError `E_SHAPE` when the input is no image or is smaller than the window
 * @example
 * maxPool2d(input([6, 28, 28]), { kernelSize: 2 }).shape; // [6, 14, 14]
 */
export function maxPool2d(x: Value, options: WindowOptions): Value {
  const { window, places } = windowOver('maxPool2d', x, { stride: options.kernelSize, ...options });
  return plain({ kind: 'maxPool2d', ...window }, [x.shape[0], ...places], [x]);
}

/**
 * The mean of each window. Padding is left out of it, so that a window at the border is the mean of what lies inside: MindSpore's and
 * Keras's `same`, PyTorch's `count_include_pad=False`.
 *
 * @param options stride: default `kernelSize`
 * @throws NetworkError `E_SHAPE` when the input is no image or is smaller than the window
 */
export function avgPool2d(x: Value, options: WindowOptions): Value {
  const { window, places } = windowOver('avgPool2d', x, { stride: options.kernelSize, ...options });
  return plain({ kind: 'avgPool2d', ...window }, [x.shape[0], ...places], [x]);
}

/** The mean of each channel: `[channels, height, width]` → `[channels]`. */
export function globalAvgPool2d(x: Value): Value {
  const [, height, width] = requireImage('globalAvgPool2d', x);
  return flatten(avgPool2d(x, { kernelSize: [height, width] }));
}

/** The largest of each channel: `[channels, height, width]` → `[channels]`. */
export function globalMaxPool2d(x: Value): Value {
  const [, height, width] = requireImage('globalMaxPool2d', x);
  return flatten(maxPool2d(x, { kernelSize: [height, width] }));
}

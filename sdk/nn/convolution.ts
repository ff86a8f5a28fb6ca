/** Convolutions as data. */
import { requireName, requireSize, type Value, type WeightOptions, weightAndBias } from './value.js';
import { type WindowOptions, windowOver } from './window.js';

/**
 * Convolution: `[in, h, w]` → `[outChannels, h′, w′]`. Like every framework's, it is a cross-correlation: the kernel is not
 * flipped. Weight `[out, in, kh, kw]`.
 *
 * @param options stride: default 1; padding: default `valid`
 * @throws NetworkError `E_SHAPE` when the input is no image or is smaller than the kernel
 * @example
 * conv2d(input([1, 32, 32]), { name: 'conv1', outChannels: 6, kernelSize: 5 }).shape; // [6, 28, 28]
 */
export function conv2d(x: Value, options: WeightOptions & WindowOptions & { readonly outChannels: number }): Value {
  const { name, outChannels } = options;
  requireName('conv2d', name);
  requireSize(name, 'outChannels', outChannels);
  const { window, places } = windowOver(name, x, options);
  return {
    shape: [outChannels, ...places],
    layer: { kind: 'conv2d', outChannels, ...window },
    name,
    inputs: [x],
    parameters: weightAndBias([outChannels, x.shape[0], ...window.kernelSize], options),
  };
}

/**
 * Depthwise convolution: each channel is convolved alone, with `multiplier` kernels: `[in, h, w]` → `[in · multiplier, h′, w′]`,
 * output channel o reading input channel ⌊o / multiplier⌋. Weight `[in · multiplier, 1, kh, kw]`.
 *
 * @param options multiplier: default 1; stride: default 1; padding: default `valid`
 * @throws NetworkError `E_SHAPE` when the input is no image or is smaller than the kernel
 * @example
 * depthwiseConv2d(input([8, 32, 32]), { name: 'dw1', kernelSize: 3, padding: 'same' }).shape; // [8, 32, 32]
 */
export function depthwiseConv2d(
  x: Value,
  options: WeightOptions & WindowOptions & { readonly multiplier?: number },
): Value {
  const { name, multiplier = 1 } = options;
  requireName('depthwiseConv2d', name);
  requireSize(name, 'multiplier', multiplier);
  const { window, places } = windowOver(name, x, options);
  const channels = x.shape[0] * multiplier;
  return {
    shape: [channels, ...places],
    layer: { kind: 'depthwiseConv2d', multiplier, ...window },
    name,
    inputs: [x],
    parameters: weightAndBias([channels, 1, ...window.kernelSize], options),
  };
}

/**
 * What can be pruned of a network, and how much of it is left. A mask holds 1 for each parameter that is kept and 0 for each that is
 * not, all parameters one after another as {@link Network.parameters} has them, like their values. Biases are pruned too.
 */
import type { Network } from '../nn/network.js';

/** A layer's weights and biases, which lie one behind the other. */
export interface PrunedLayer {
  /** `ip1`, of the parameters `ip1.weight` and `ip1.bias`. */
  readonly name: string;
  /** Where it begins in the array of all parameters. */
  readonly offset: number;
  /** How many parameters it has. */
  readonly size: number;
}

/** How many of some parameters are kept. */
export interface Kept {
  readonly total: number;
  readonly kept: number;
  /** total / kept: 100 where one of a hundred is kept; infinite where none is. */
  readonly ratio: number;
}

/** Of each layer, and of all together. */
export interface Compression extends Kept {
  readonly layers: readonly (Kept & { readonly name: string })[];
}

/**
 * The layers that have weights: convolutions and dense layers. Batch normalisation is left as it is.
 *
 * @example
 * prunedLayers(LeNet300100()).map(({ name, size }) => [name, size]); // [['ip1', 235500], ['ip2', 30100], ['ip3', 1010]]
 */
export function prunedLayers(network: Network): readonly PrunedLayer[] {
  return network.nodes
    .filter(({ layer }) => layer.kind === 'dense' || layer.kind === 'conv2d' || layer.kind === 'depthwiseConv2d')
    .map(({ name, parameters }) => ({
      name,
      offset: parameters[0].offset,
      size: parameters.reduce((sum, { size }) => sum + size, 0),
    }));
}

/** A mask that keeps everything. */
export function fullMask(parameterCount: number): Uint8Array {
  return new Uint8Array(parameterCount).fill(1);
}

/**
 * The compression as the literature counts it: all weights and biases, divided by those that are kept. A kept parameter counts
 * whatever its value, 0 included.
 *
 * @param layers what counts; {@link prunedLayers} as a rule
 * @example
 * const layers = [{ name: 'fc', offset: 0, size: 4 }];
 * compressionOf(layers, Uint8Array.of(1, 0, 0, 0)).ratio; // 4
 */
export function compressionOf(layers: readonly PrunedLayer[], mask: Uint8Array): Compression {
  const counted = layers.map(({ name, offset, size }) => {
    const kept = mask.subarray(offset, offset + size).reduce((sum, bit) => sum + bit, 0);
    return { name, total: size, kept, ratio: size / kept };
  });
  const total = counted.reduce((sum, layer) => sum + layer.total, 0);
  const kept = counted.reduce((sum, layer) => sum + layer.kept, 0);
  return { total, kept, ratio: total / kept, layers: counted };
}

/** The known network that parameters fit, by their names and shapes. */
import type { Network, Parameter } from '../nn/network.js';
import { buildNetwork, NETWORK_NAMES, type NetworkName } from '../nn/networks.js';
import { narrowed } from './narrowed.js';
import type { Float32Tensor } from './tensor-file.js';

type Parameters = ReadonlyMap<string, Float32Tensor>;

/** Rows and columns of a network's images, where they are known. */
export interface ImageSize {
  readonly height?: number | undefined;
  readonly width?: number | undefined;
}

/** A network that parameters fit. */
export interface Fitting {
  readonly name: NetworkName;
  readonly network: Network;
  /** The network before pruning took units out; the same where it took none. */
  readonly dense: Network;
}

/** The networks of these names that the parameters are for, with their classes, channels, image size and units: at most one of each. */
export function fittingNetworks(
  parameters: Parameters,
  { names = NETWORK_NAMES, ...image }: ImageSize & { readonly names?: readonly NetworkName[] } = {},
): readonly Fitting[] {
  return names.flatMap((name) => fit(name, parameters, image) ?? []);
}

/** The network of this name whose parameters these are; undefined when they are another's. */
function fit(name: NetworkName, parameters: Parameters, image: ImageSize): Fitting | undefined {
  const own = buildNetwork(name).network.parameters;
  if (!own.every((parameter) => parameters.has(parameter.name))) return undefined;
  const isSame = ({ name: parameter, shape }: Parameter): boolean =>
    parameters.get(parameter)?.shape.join() === shape.join();
  for (const dense of candidates(name, parameters, image)) {
    const network = narrowed(dense, parameters);
    if (network.parameters.every(isSame)) return { name, network, dense };
  }
  return undefined;
}

/** What the parameters may be for: the network's own image size first, then squares, the smallest first. */
export function* candidates(
  name: NetworkName,
  parameters: Parameters,
  image: ImageSize,
): Generator<Network, undefined> {
  const own = buildNetwork(name).network;
  const sizeIn = ({ name: parameter }: Parameter, dimension: number): number | undefined =>
    // 0 is no size.
    parameters.get(parameter)?.shape[dimension] || undefined;
  const [first] = own.parameters;
  const classes = sizeIn(own.parameters[own.parameters.length - 1], 0);
  const channels = first.shape.length === 4 ? [sizeIn(first, 1)] : [1, 3];
  const squares = Array.from({ length: 1009 }, (_, i) => 16 + i);
  for (const size of [undefined, ...squares]) {
    for (const each of channels) {
      const { height = size, width = size } = image;
      yield buildNetwork(name, { classes, channels: each, height, width }).network;
    }
  }
}

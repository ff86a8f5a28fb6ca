/** Which network the parameters of a file are for. Files of parameters do not say; most can be told by names and shapes. */
import { CheckpointError } from '../base/errors.js';
import type { Network, Parameter } from '../nn/network.js';
import { buildNetwork, NETWORK_NAMES, type NetworkName } from '../nn/networks.js';
import { parameterShapes } from './layer-names.js';
import { matchParameters } from './match.js';
import type { Float32Tensor } from './tensor-file.js';

/** What is known of the network beforehand. */
export interface NetworkHints {
  /** One of `NETWORK_NAMES`; default: the one that a checkpoint of ours names, else the one that the parameters fit. */
  readonly network?: NetworkName | undefined;
  /** Rows and columns of its images. Default: the network's own where they fit, else the smallest square that does. */
  readonly height?: number | undefined;
  readonly width?: number | undefined;
}

type Parameters = ReadonlyMap<string, Float32Tensor>;
type Image = Pick<NetworkHints, 'height' | 'width'>;

/**
 * The network that parameters are for, with its classes, channels and image size.
 *
 * @param trained what a checkpoint of ours calls its network
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_NETWORK` when they are for none that is known; what `matchParameters` throws when they are
 *   not for the one that was asked for
 */
export function networkOf(
  parameters: Parameters,
  { network, trained, ...image }: NetworkHints & { readonly trained?: string | undefined },
  source: string,
): Network {
  const names = network === undefined ? NETWORK_NAMES : [network];
  const fitting = names.flatMap((name) => fit(name, parameters, image) ?? []);
  const found = fitting.find(({ name }) => name === trained) ?? fitting[0];
  if (found !== undefined) return found;
  if (network !== undefined) {
    // What does not fit is named as it differs from the network's own size.
    const [wanted] = candidates(network, parameters, image);
    matchParameters(parameters, parameterShapes(wanted), source);
  }
  throw new CheckpointError(
    'E_CKPT_NETWORK',
    `${source}: its parameters are for none of ${NETWORK_NAMES.join(', ')} that reads square images; say which it is with --network, and --image_height and --image_width`,
  );
}

/** The network of this name whose parameters these are; undefined when they are another's. */
function fit(name: NetworkName, parameters: Parameters, image: Image): Network | undefined {
  const own = buildNetwork(name).network.parameters;
  if (!own.every((parameter) => parameters.has(parameter.name))) return undefined;
  for (const network of candidates(name, parameters, image)) {
    const isSame = ({ name: parameter, shape }: Parameter): boolean =>
      parameters.get(parameter)?.shape.join() === shape.join();
    if (network.parameters.every(isSame)) return network;
  }
  return undefined;
}

/** What the parameters may be for: the network's own image size first, then squares, the smallest first. */
function* candidates(name: NetworkName, parameters: Parameters, image: Image): Generator<Network, undefined> {
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

/** Which network the parameters of a file are for. Files of parameters do not say; most can be told by names and shapes. */
import { CheckpointError } from '../base/errors.js';
import { isNetwork, type Network } from '../nn/network.js';
import { NETWORK_NAMES, type NetworkName } from '../nn/networks.js';
import { candidates, fittingNetworks, type ImageSize } from './fit.js';
import { parameterShapes } from './layer-names.js';
import { matchParameters } from './match.js';
import { narrowed, narrowedTo } from './narrowed.js';
import type { Float32Tensor } from './tensor-file.js';

/** What is known of the network beforehand. */
export interface NetworkHints extends ImageSize {
  /**
   * One of `NETWORK_NAMES`, or a network itself; default: the one that a checkpoint of ours names, else the one that the
   * parameters fit.
   */
  readonly network?: NetworkName | Network | undefined;
  /** Rows and columns of a named network's images. Default: its own where they fit, else the smallest square that does. */
  readonly height?: number | undefined;
  readonly width?: number | undefined;
}

type Parameters = ReadonlyMap<string, Float32Tensor>;

/**
 * The network that parameters are for, with its classes, channels, image size and, where pruning took some out, units.
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
  if (isNetwork(network)) {
    matchParameters(parameters, parameterShapes(network), source);
    return network;
  }
  if (network !== undefined && !NETWORK_NAMES.includes(network)) {
    const known = NETWORK_NAMES.join(', ');
    throw new CheckpointError(
      'E_CKPT_NETWORK',
      `network: ${JSON.stringify(network)} is none of ${known}, and no network that network() made`,
    );
  }
  const fitting = fittingNetworks(parameters, { ...image, ...(network && { names: [network] }) });
  const found = fitting.find(({ network: { name } }) => name === trained) ?? fitting[0];
  if (found !== undefined) return narrowedTo(found.dense, { parameters });
  if (network !== undefined) {
    // What does not fit is named as it differs from the network's own size.
    const [wanted] = candidates(network, parameters, image);
    const shapes = parameterShapes(narrowed(wanted, parameters));
    matchParameters(parameters, shapes, source, { remedies: ['--network'] });
  }
  throw new CheckpointError(
    'E_CKPT_NETWORK',
    `${source}: its parameters are for none of ${NETWORK_NAMES.join(', ')} that reads square images; say which it is with --network, and --image_height and --image_width, or give convertCheckpoint a network of your own`,
  );
}

/** Networks that pruning has taken units out of: their files have the names of the network's parameters, and smaller shapes. */
import { log } from '../base/log.js';
import type { Network } from '../nn/network.js';
import { unitsOf, withUnits } from '../nn/units.js';
import type { Checkpoint } from './checkpoint.js';
import type { Float32Tensor } from './tensor-file.js';

/**
 * The network that a checkpoint is of: the one given or, where its hidden layers have fewer units in the checkpoint, as in the
 * `compact.ckpt` of pruning, the same with as many as there. The log says so. Whether the parameters fit is for whoever loads them to see.
 *
 * @example
 * const small = withUnits(LeNet300100(), new Map([['ip1', 59], ['ip2', 35]]));
 * const checkpoint = new Model({ network: small }).checkpoint();
 * narrowedTo(LeNet300100(), checkpoint).parameterCount; // 48775
 */
export function narrowedTo(network: Network, { parameters }: Pick<Checkpoint, 'parameters'>): Network {
  const small = narrowed(network, parameters);
  if (small !== network) log.info(`compact network: ${unitsLeft(small, network)}`);
  return small;
}

/**
 * The network with the units that the parameters have of its hidden layers; the network itself where they are not fewer, or the
 * parameters are another network's.
 */
export function narrowed(network: Network, parameters: ReadonlyMap<string, Float32Tensor>): Network {
  const own = network.parameters.every(({ name, shape }) => parameters.get(name)?.shape.length === shape.length);
  if (!own) return network;
  // The last layer's units are the classes, which the data set has to say.
  const hidden = [...unitsOf(network)].slice(0, -1);
  const left = hidden.map(([name, units]): readonly [string, number] => [
    name,
    parameters.get(`${name}.weight`)?.shape[0] ?? units,
  ]);
  const isNarrower = left.some(([, units], l) => units < hidden[l][1]);
  const isPossible = left.every(([, units], l) => units >= 1 && units <= hidden[l][1]);
  return isNarrower && isPossible ? withUnits(network, new Map(left)) : network;
}

/** Which units are left: `ip1 59 of 300 units, ip2 35 of 100`. */
export function unitsLeft(small: Network, dense: Network): string {
  const before = unitsOf(dense);
  const fewer = [...unitsOf(small)].filter(([name, units]) => units !== before.get(name));
  return fewer
    .map(([name, units], i) => `${name} ${units} of ${before.get(name)}${i === 0 ? ' units' : ''}`)
    .join(', ');
}

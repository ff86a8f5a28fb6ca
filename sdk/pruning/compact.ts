/** A smaller network without its dead units: what runs faster wherever the dense one ran. */
import type { Network } from '../nn/network.js';
import { withUnits } from '../nn/units.js';
import { chainOf } from './chain.js';
import type { Trimmed } from './dead-units.js';

/** A network, its parameters, and which of them are kept. */
export interface Compact {
  readonly network: Network;
  readonly values: Float32Array;
  readonly mask: Uint8Array;
}

/**
 * The network with the units that are left. It reads the same input: of that nothing is left out. A layer of which nothing is left keeps
 * one unit, whose edges are 0.
 *
 * @throws PruningError `E_CHAIN` for a network whose layers do not follow one another
 * @example
 * const net = LeNet300100();
 * const alive = new Map([['ip1', [0, 7]], ['ip2', [3]], ['ip3', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]]]);
 * const values = new Float32Array(net.parameterCount);
 * const small = compact(net, { values, mask: fullMask(values.length), alive, inputs: [] });
 * small.network.parameters.map(({ shape }) => shape); // [[2, 784], [2], [1, 2], [1], [10, 1], [10]]
 */
export function compact(of: Network, { values, mask, alive }: Trimmed): Compact {
  const left = (name: string): readonly number[] => {
    const units = alive.get(name) ?? [];
    return units.length === 0 ? [0] : units;
  };
  const chain = chainOf(of);
  const network = withUnits(of, new Map(chain.map(({ name }) => [name, left(name).length])));
  const small = {
    network,
    values: new Float32Array(network.parameterCount),
    mask: new Uint8Array(network.parameterCount),
  };
  let at = 0;
  const copy = (from: number): void => {
    small.values[at] = values[from];
    small.mask[at] = mask[from];
    at++;
  };
  for (const [l, { name, weight, bias, rowSize, perInput }] of chain.entries()) {
    const inputs = l === 0 ? Array.from({ length: rowSize / perInput }, (_, i) => i) : left(chain[l - 1].name);
    for (const unit of left(name)) {
      for (const from of inputs) {
        for (let k = 0; k < perInput; k++) copy(weight.offset + unit * rowSize + from * perInput + k);
      }
    }
    if (bias !== undefined) for (const unit of left(name)) copy(bias.offset + unit);
  }
  return small;
}

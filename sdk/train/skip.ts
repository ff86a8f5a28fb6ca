/** Which parameters of a checkpoint are left aside, by the names that a person gives. */
import { CheckpointError } from '../base/errors.js';
import type { Network } from '../nn/network.js';

/**
 * The parameters that names of layers (`fc3`) and of parameters (`fc3.bias`) mean.
 *
 * @throws CheckpointError `E_CKPT_SKIP` for a name that the network does not have
 */
export function skippedParameters({ name: of, nodes }: Network, skip: readonly string[]): ReadonlySet<string> {
  const layers = nodes.filter(({ parameters }) => parameters.length > 0);
  return new Set(
    skip.flatMap((wanted) => {
      const names = layers.flatMap(({ name: layer, parameters }) => {
        return parameters.flatMap(({ name }) => (layer === wanted || name === wanted ? [name] : []));
      });
      if (names.length > 0) return names;
      throw new CheckpointError(
        'E_CKPT_SKIP',
        `cannot skip ${JSON.stringify(wanted)}: the network ${of} has the layers ${layers.map(({ name }) => name).join(', ')}, each with .weight, .bias or the like`,
      );
    }),
  );
}

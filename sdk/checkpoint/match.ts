/** Whether a checkpoint belongs to a network. */
import { CheckpointError } from '../base/errors.js';
import { type Float32Tensor, quoted } from './tensor-file.js';

/**
 * Checks that every parameter a network wants is there, in its shape.
 *
 * @param expected the network's parameters and their shapes
 * @param source the file's name, for errors
 * @returns names that the network does not have, in the file's order
 * @throws CheckpointError `E_CKPT_NETWORK` when nothing is in common, `E_CKPT_MISSING` when parameters are missing,
 *   `E_CKPT_SHAPE` when one has another shape
 * @example
 * const bias = { shape: [10], data: new Float32Array(10) };
 * matchParameters(new Map([['fc.bias', bias]]), new Map([['fc.bias', [10]]]), 'a.ckpt'); // []
 */
export function matchParameters(
  parameters: ReadonlyMap<string, Float32Tensor>,
  expected: ReadonlyMap<string, readonly number[]>,
  source: string,
): readonly string[] {
  const missing = [...expected.keys()].filter((name) => !parameters.has(name));
  if (missing.length > 0 && missing.length === expected.size) {
    throw new CheckpointError(
      'E_CKPT_NETWORK',
      `${source}: belongs to another network: it holds ${listed([...parameters.keys()])}; this network wants ${listed(missing)}`,
    );
  }
  if (missing.length > 0) {
    throw new CheckpointError(
      'E_CKPT_MISSING',
      `${source}: lacks ${listed(missing)}; is it a checkpoint of another network?`,
    );
  }
  for (const [name, shape] of expected) {
    const found = parameters.get(name)?.shape ?? [];
    if (found.join() !== shape.join()) {
      throw new CheckpointError(
        'E_CKPT_SHAPE',
        `${source}: ${quoted(name)} has the shape [${found.join(', ')}], and this network wants [${shape.join(', ')}]`,
      );
    }
  }
  return [...parameters.keys()].filter((name) => !expected.has(name));
}

function listed(names: readonly string[]): string {
  if (names.length === 0) return 'no parameters';
  const shown = names.slice(0, 6).map(quoted).join(', ');
  return names.length > 6 ? `${shown} and ${names.length - 6} more` : shown;
}

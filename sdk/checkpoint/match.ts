/** Whether a checkpoint belongs to a network. */
import { CheckpointError } from '../base/errors.js';
import { type Float32Tensor, quoted } from './tensor-file.js';

/**
 * Checks that every parameter a network wants is there, in its shape. All that do not fit are named in one error.
 *
 * @param expected the network's parameters and their shapes
 * @param source the file's name, for errors
 * @returns names that the network does not have, in the file's order
 * @throws CheckpointError `E_CKPT_NETWORK` when nothing is in common, `E_CKPT_SHAPE` when some have another shape,
 *   `E_CKPT_MISSING` when some are missing
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
  const misshapen = [...expected.keys()].filter((name) => shapeOf(parameters, name) !== shapeOf(expected, name));
  const lacks = missing.length > 0 ? [`lacks ${listed(missing)}`] : [];
  if (misshapen.length > missing.length) {
    const faults = misshapen.filter((name) => parameters.has(name));
    const shapes = faults.map((name) => {
      return `${quoted(name)} has the shape ${shapeOf(parameters, name)}, and this network wants ${shapeOf(expected, name)}`;
    });
    const layers = [...new Set(faults.map((name) => name.replace(/\.[^.]*$/, '')))];
    throw new CheckpointError(
      'E_CKPT_SHAPE',
      `${source}: ${cut(shapes, '; ')}${lacks.map((lack) => `; ${lack}`).join('')}. Was it for other classes or another image size? Training can start layers afresh: --ckpt_skip ${layers.join()}`,
    );
  }
  if (missing.length > 0) {
    throw new CheckpointError('E_CKPT_MISSING', `${source}: ${lacks.join()}; is it a checkpoint of another network?`);
  }
  return [...parameters.keys()].filter((name) => !expected.has(name));
}

/**
 * Checks that parameters are made of numbers: neither NaN nor infinite.
 *
 * @param of those to check
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_NAN`, naming all that are not and how many of their numbers
 */
export function requireFinite(
  parameters: ReadonlyMap<string, Float32Tensor>,
  of: readonly { readonly name: string }[],
  source: string,
): void {
  const faults: string[] = [];
  for (const { name } of of) {
    const { data } = parameters.get(name) ?? { data: [] };
    let count = 0;
    for (const value of data) if (!Number.isFinite(value)) count++;
    if (count > 0) faults.push(`${count} of the ${data.length} numbers of ${quoted(name)}`);
  }
  if (faults.length === 0) return;
  throw new CheckpointError(
    'E_CKPT_NAN',
    `${source}: NaN or infinite are ${cut(faults, ', ')}: its training went wrong; use an older checkpoint`,
  );
}

/** Names for a message. */
export function listed(names: readonly string[]): string {
  return names.length === 0 ? 'no parameters' : cut(names.map(quoted), ', ');
}

/** The first of many, so that an error stays readable. */
function cut(texts: readonly string[], separator: string): string {
  const most = 12;
  const shown = texts.slice(0, most).join(separator);
  return texts.length > most ? `${shown} and ${texts.length - most} more` : shown;
}

function shapeOf(of: ReadonlyMap<string, Float32Tensor | readonly number[]>, name: string): string | undefined {
  const found = of.get(name);
  return found && `[${('shape' in found ? found.shape : found).join(', ')}]`;
}

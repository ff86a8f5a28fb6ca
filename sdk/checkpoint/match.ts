/** Whether a checkpoint belongs to a network. */
import { CheckpointError } from '../base/errors.js';
import { buildNetwork } from '../nn/networks.js';
import { fittingNetworks } from './fit.js';
import { parameterShapes } from './layer-names.js';
import { unitsLeft } from './narrowed.js';
import { type Float32Tensor, quoted } from './tensor-file.js';

/**
 * Checks that every parameter a network wants is there, in its shape. All that do not fit are named in one error.
 *
 * @param expected the network's parameters and their shapes
 * @param source the file's name, for errors
 * @param options remedies: the options of the command line that whoever reads an error can use, to be named where they
 *   help; default: none
 * @returns names that the network does not have, in the file's order
 * @throws CheckpointError `E_CKPT_NETWORK` when nothing is in common, `E_CKPT_SHAPE` when some have another shape,
 *   `E_CKPT_MISSING` when some are missing
 * @example
 * const bias = { shape: [10], data: new Float32Array(10) };
 * matchParameters(new Map([['fc.bias', bias]]), new Map([['fc.bias', [10]]]), 'a.ckpt'); // []
 */
export function matchParameters(
  parameters: ReadonlyMap<string, Float32Tensor>,
  expected: Shapes,
  source: string,
  { remedies = [] }: { readonly remedies?: readonly Remedy[] } = {},
): readonly string[] {
  const missing = [...expected.keys()].filter((name) => !parameters.has(name));
  if (missing.length > 0 && missing.length === expected.size) {
    throw new CheckpointError(
      'E_CKPT_NETWORK',
      `${source}: belongs to another network: it holds ${listed([...parameters.keys()])}; this network wants ${listed(missing)}${advice(parameters, expected, remedies)}`,
    );
  }
  const faults = [...expected.keys()].filter((name) => {
    return parameters.has(name) && shapeOf(parameters, name) !== shapeOf(expected, name);
  });
  const lacks = missing.length > 0 ? [`lacks ${listed(missing)}`] : [];
  if (faults.length > 0) {
    const shapes = faults.map((name) => {
      return `${quoted(name)} has the shape ${shapeOf(parameters, name)}, and this network wants ${shapeOf(expected, name)}`;
    });
    const why =
      advice(parameters, expected, remedies) ||
      (missing.length > 0
        ? '; is it a checkpoint of another network?'
        : '; was it for other classes or another image size?');
    const layers = [...new Set(faults.map(layerOf))];
    const afresh =
      missing.length === 0 && remedies.includes('--ckpt_skip')
        ? `; training can start layers afresh: --ckpt_skip ${layers.join()}`
        : '';
    throw new CheckpointError('E_CKPT_SHAPE', `${source}: ${[cut(shapes, '; '), ...lacks].join('; ')}${why}${afresh}`);
  }
  if (missing.length > 0) {
    const why = advice(parameters, expected, remedies) || '; is it a checkpoint of another network?';
    throw new CheckpointError('E_CKPT_MISSING', `${source}: ${lacks.join()}${why}`);
  }
  return [...parameters.keys()].filter((name) => !expected.has(name));
}

/** Options of the command line that may help where parameters do not fit. */
export type Remedy = '--network' | '--num_classes' | '--ckpt_skip';

type Shapes = ReadonlyMap<string, readonly number[]>;

/** The options with which the network is the one that the parameters are for; empty where none are known. */
function advice(parameters: ReadonlyMap<string, Float32Tensor>, expected: Shapes, remedies: readonly Remedy[]): string {
  const [last] = [...expected.keys()].slice(-1);
  const classes = parameters.get(last)?.shape[0];
  const onlyClasses = [...expected].every(([name, shape]) => {
    const given = parameters.get(name)?.shape;
    return given?.join() === (layerOf(name) === layerOf(last) ? [classes, ...shape.slice(1)] : shape).join();
  });
  if (onlyClasses && classes !== undefined && classes > 1 && remedies.includes('--num_classes'))
    return `; its classes are ${classes}: --num_classes ${classes}`;
  if (!remedies.includes('--network')) return '';
  // The command line's images have one channel.
  const found = fittingNetworks(parameters).find(({ network }) => network.inputShape[0] === 1);
  if (found === undefined) return '';
  const { name, dense: network } = found;
  const [, height, width] = network.inputShape;
  // Layers that are skipped are not expected.
  const isSame = [...expected.keys()].every((of) => network.parameters.some((parameter) => parameter.name === of));
  const wanted = isSame ? expected : parameterShapes(buildNetwork(name).network);
  const output = layerOf(network.parameters[network.parameters.length - 1].name);
  const other = network.parameters.filter(({ name: of, shape }) => {
    return wanted.has(of) && wanted.get(of)?.join() !== shape.join();
  });
  const flags = [
    `--network ${name}`,
    ...(remedies.includes('--num_classes') && other.some(({ name: of }) => layerOf(of) === output)
      ? [`--num_classes ${network.outputShape[0]}`]
      : []),
    ...(other.some(({ name: of }) => layerOf(of) !== output)
      ? [`--image_height ${height} --image_width ${width}`]
      : []),
  ];
  const compact =
    found.network === network
      ? ''
      : ` as pruning leaves it, ${unitsLeft(found.network, network)}: inference and ckpt take such a file, training and pruning the pruned.ckpt beside it`;
  return `; these parameters fit ${flags.join(' ')}${compact}`;
}

function layerOf(parameter: string): string {
  return parameter.replace(/\.[^.]*$/, '');
}

/**
 * Checks that parameters are made of numbers, neither NaN nor infinite, and moving variances of none below 0, which have no root.
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
  let what = 'NaN or infinite';
  for (const { name } of of) {
    const { data } = parameters.get(name) ?? { data: [] };
    let count = 0;
    const least = name.endsWith('.moving_variance') ? 0 : -Infinity;
    for (const value of data) if (!Number.isFinite(value) || value < least) count++;
    if (data.some((value) => value < least)) what = 'NaN, infinite or variances below 0';
    if (count > 0) faults.push(`${count} of the ${data.length} numbers of ${quoted(name)}`);
  }
  if (faults.length === 0) return;
  throw new CheckpointError(
    'E_CKPT_NAN',
    `${source}: ${what} are ${cut(faults, ', ')}: its training went wrong; use an older checkpoint`,
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

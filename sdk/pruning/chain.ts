/** A network whose layers follow one another, seen as its layers with weights and what lies between them. */
import { PruningError } from '../base/errors.js';
import type { Network, Parameter } from '../nn/network.js';

/**
 * A layer with weights. Row u of its weights belongs to its unit u, a feature or a channel. Its columns are as many for each unit
 * of the layer before: 1, or the places of a channel that was flattened, or those of a kernel.
 */
export interface Link {
  readonly name: string;
  readonly weight: Parameter;
  readonly bias: Parameter | undefined;
  readonly units: number;
  /** Numbers in a row of the weights. */
  readonly rowSize: number;
  /** Columns for each unit of the layer before, or for each channel or feature of the input. */
  readonly perInput: number;
  /** Whether max(x, 0) comes before the next layer. */
  readonly relu: boolean;
  /** Whether an input that is the same everywhere adds the same everywhere: not where a convolution sees padding at the border. */
  readonly seesNoBorder: boolean;
}

/**
 * The layers with weights, in order.
 *
 * @throws PruningError `E_CHAIN` for a network that branches, or has layers that tie units to one another
 * @example
 * chainOf(LeNet5()).map(({ name, perInput }) => [name, perInput]);
 * // [['conv1', 25], ['conv2', 25], ['fc1', 25], ['fc2', 1], ['fc3', 1]]
 */
export function chainOf(network: Network): readonly Link[] {
  const links: Link[] = [];
  let width = network.inputShape[0];
  for (const [i, { name, layer, inputs, parameters, shape }] of network.nodes.entries()) {
    if (i > 0 && (inputs.length !== 1 || inputs[0] !== i - 1)) throw notAChain(network, name);
    switch (layer.kind) {
      case 'conv2d':
      case 'dense': {
        const [weight, bias] = parameters;
        const units = weight.shape[0];
        const rowSize = weight.size / units;
        const seesNoBorder = layer.kind === 'dense' || Object.values(layer.padding).every((pixels) => pixels === 0);
        links.push({ name, weight, bias, units, rowSize, perInput: rowSize / width, relu: false, seesNoBorder });
        width = units;
        break;
      }
      case 'relu': {
        const last = links.at(-1);
        if (last !== undefined) links[links.length - 1] = { ...last, relu: true };
        break;
      }
      case 'input':
      case 'maxPool2d':
      case 'avgPool2d':
      case 'dropout':
        break;
      case 'flatten':
        // Of the input alone there are as many units as numbers; else channels stay the units.
        if (links.length === 0) width = shape[0];
        break;
      case 'softmax':
        if (i !== network.nodes.length - 1) throw notAChain(network, name);
        break;
      case 'add':
      case 'concat':
      case 'batchNorm':
      case 'depthwiseConv2d':
        throw notAChain(network, name);
      default:
        throw layer satisfies never;
    }
  }
  return links;
}

function notAChain({ name }: Network, layer: string): PruningError {
  return new PruningError(
    'E_CHAIN',
    `network ${name}: dead units are looked for where layers with weights follow one another, with ReLU, pools, dropout and flattening between; ${layer} is something else`,
  );
}

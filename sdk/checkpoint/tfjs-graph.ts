/** The layers of a Keras model in their places: what flows between them, and the weights that they hold. */
import { CheckpointError } from '../base/errors.js';
import { quoted } from './tensor-file.js';
import { type Form, sizeOf } from './tfjs-form.js';
import type { TopologyLayer } from './tfjs-json.js';
import { KerasLayerReader, type LayerWeight } from './tfjs-layer.js';

/** What no network comes near: numbers that a layer makes of one sample, and layers that it reads. */
const MAX_SIZE = 2 ** 31;
const MAX_INPUTS = 1024;

/**
 * The weights that a model's layers hold, layer by layer in the file's order.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_UNSUPPORTED` for a layer that networks here do not have, or a model of several inputs;
 *   `E_CKPT_SHAPE` where layers do not fit one another, `E_CKPT_FORMAT` for a layer that is not there, twice there or reads itself,
 *   `E_CKPT_LIMIT` for absurd sizes
 */
export function weightsOf(layers: readonly TopologyLayer[], source: string): readonly LayerWeight[] {
  const forms = new Map<string, Form>();
  const weights = new Map<string, readonly LayerWeight[]>();
  let inputs = 0;
  for (const layer of inOrder(layers, source)) {
    const reader = new KerasLayerReader(layer, source);
    const read = inboundOf(layer).flatMap((name) => forms.get(name) ?? []);
    if (read.length === 0 && ++inputs > 1) throw reader.unsupported('is a second input; networks here have one');
    const from = read.length === 0 ? [reader.input()] : read;
    const form = reader.output(from);
    if (!(sizeOf(form) <= MAX_SIZE)) throw tooLarge(layer, `makes ${sizeOf(form)} numbers of one image`, source);
    forms.set(layer.name, form);
    weights.set(layer.name, reader.weights(from[0]));
  }
  return layers.flatMap(({ name }) => weights.get(name) ?? []);
}

/** Every layer after those that it reads. */
function inOrder(layers: readonly TopologyLayer[], source: string): ReadonlySet<TopologyLayer> {
  const byName = new Map(layers.map((layer) => [layer.name, layer]));
  if (byName.size < layers.length) throw new CheckpointError('E_CKPT_FORMAT', `${source}: two layers have one name`);
  const done = new Set<TopologyLayer>();
  const begun = new Set<TopologyLayer>();
  const pending = layers.toReversed();
  for (let layer = pending.pop(); layer !== undefined; layer = pending.pop()) {
    if (done.has(layer)) continue;
    const { name } = layer;
    const inbound = inboundOf(layer);
    if (inbound.length > MAX_INPUTS) throw tooLarge(layer, `reads ${inbound.length} layers`, source);
    const missing = inbound
      .map((from) => byName.get(from) ?? absent(name, from, source))
      .filter((from) => !done.has(from));
    if (missing.length === 0) done.add(layer);
    else if (begun.has(layer)) {
      throw new CheckpointError('E_CKPT_FORMAT', `${source}: layer ${quoted(name)} reads what it makes itself`);
    } else {
      begun.add(layer);
      pending.push(layer, ...missing);
    }
  }
  return done;
}

function inboundOf({ inbound }: TopologyLayer): readonly string[] {
  return inbound.flat();
}

function absent(name: string, from: string, source: string): never {
  throw new CheckpointError(
    'E_CKPT_FORMAT',
    `${source}: layer ${quoted(name)} reads ${quoted(from)}, which is not there`,
  );
}

function tooLarge({ name }: TopologyLayer, what: string, source: string): CheckpointError {
  return new CheckpointError('E_CKPT_LIMIT', `${source}: layer ${quoted(name)} ${what}, more than any network`);
}

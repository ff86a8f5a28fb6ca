/**
 * TensorFlow.js's layers format: `model.json`, which holds the model's layers and describes its weights, and the weights in
 * binary files beside it.
 */
import { rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { CheckpointError, StorageError, systemReason } from '../base/errors.js';
import { openRegular, writeFileAtomic } from '../base/files.js';
import type { Network } from '../nn/network.js';
import { parameterShapes } from './layer-names.js';
import { matchParameters } from './match.js';
import { type Float32Tensor, quoted, requireNew, type Tensor, type TensorFile } from './tensor-file.js';
import { weightsOf } from './tfjs-graph.js';
import { MAX_JSON, parseModelJson, type TopologyLayer } from './tfjs-json.js';
import type { LayerWeight } from './tfjs-layer.js';
import { fromKeras, kerasRole, parameterRole, toKeras } from './tfjs-layout.js';
import { topologyOf } from './tfjs-topology.js';
import { cutShards, isOurShard, readWeights } from './tfjs-weights.js';

/**
 * Writes a network with its parameters as a TensorFlow.js layers model: `tf.loadLayersModel` and Keras's converter read it.
 * Entries of `file` that are no parameters of the network are left out. The same parameters always give the same bytes.
 *
 * The files of weights are written first, under names that hold a hash of their content, `model.json` last, and then those
 * that an older `model.json` in its place named are removed: a reader, or a crash, finds the old model or the new.
 *
 * @param path of the `model.json`
 * @throws CheckpointError `E_CKPT_NETWORK`, `E_CKPT_MISSING`, `E_CKPT_SHAPE` when the parameters are not the network's,
 *   `E_CKPT_NAME` for a layer whose name TensorFlow.js does not allow
 * @throws StorageError `E_WRITE` when the disk is full, …; the old model stays
 */
export async function writeTfjs(path: string, file: TensorFile, network: Network): Promise<void> {
  const { specs, bytes } = kerasWeights(file, network);
  const shards = cutShards(basename(path), bytes);
  const paths = shards.map(({ name }) => name);
  const json = JSON.stringify({
    format: 'layers-model',
    generatedBy: 'mindts',
    convertedBy: null,
    modelTopology: topologyOf(network),
    weightsManifest: [{ paths, weights: specs }],
  });
  const older = await olderShards(path);
  const beside = (name: string): string => join(dirname(path), name);
  try {
    for (const { name, bytes: content } of shards) await writeFileAtomic(beside(name), content);
    await writeFileAtomic(path, json);
  } catch (error) {
    await remove(paths.filter((name) => !older.includes(name)).map(beside));
    throw error;
  }
  await remove(older.filter((name) => !paths.includes(name)).map(beside));
}

/**
 * Reads the parameters of a TensorFlow.js layers model, of ours or saved by TensorFlow.js or Keras's converter, by our names
 * (`conv2d_1/kernel` is `conv2d_1.weight`) and in our layouts. The rows of a dense kernel that reads a flattened image are
 * put into our order, channels first; a `model.json` without a topology does not say which those are, so that its weights
 * keep Keras's.
 *
 * @param path of the `model.json`
 * @throws CheckpointError `E_CKPT_READ` for a file that is missing or cannot be read, `E_CKPT_UNSUPPORTED` for a graph model or
 *   a layer that networks here do not have, `E_CKPT_PATH` for a file of weights elsewhere, `E_CKPT_MISSING` for weights that are
 *   not there; `E_CKPT_TRUNCATED`, `E_CKPT_FORMAT`, `E_CKPT_SHAPE`, `E_CKPT_LIMIT`, `E_CKPT_DUPLICATE`, `E_CKPT_TYPE`,
 *   `E_CKPT_RANGE` for a damaged model
 */
export async function readTfjs(path: string): Promise<TensorFile> {
  const { manifest, layers } = parseModelJson(await readJson(path), path);
  // Before the weights are read: a layer that networks here do not have makes them useless.
  const expected = layers && weightsOf(layers, path);
  const weights = await readWeights(path, manifest);
  const tensors = new Map<string, Tensor>();
  if (layers === undefined || expected === undefined) {
    for (const [name, weight] of weights) {
      const [layer, role] = namesIn(name);
      const parameter = layer === undefined ? role : `${layer.replace(/^.*\//, '')}.${parameterRole(role)}`;
      requireNew([tensors], parameter, path);
      tensors.set(parameter, fromKeras(role, weight));
    }
    return { tensors, texts: new Map() };
  }
  const found = byLayer(weights, layers, path);
  for (const weight of expected) requireThere(weight, found, path);
  for (const { layer, role, shape, order, absent } of expected) {
    const weight = found.get(`${layer}/${role}`) ?? { shape, data: new Float32Array(shape[0]).fill(absent ?? 0) };
    found.delete(`${layer}/${role}`);
    tensors.set(`${layer}.${parameterRole(role)}`, fromKeras(role, weight, order));
  }
  const [rest] = found.keys();
  if (rest !== undefined) {
    throw new CheckpointError(
      'E_CKPT_FORMAT',
      `${path}: holds the weight ${quoted(rest)}, which its layer does not have`,
    );
  }
  return { tensors, texts: new Map() };
}

/** Checked for all layers before any parameter is made, so that no size is believed without the bytes of a weight. */
function requireThere(
  { layer, role, shape, absent }: LayerWeight,
  weights: ReadonlyMap<string, Tensor>,
  source: string,
): void {
  const name = `${layer}/${role}`;
  const weight = weights.get(name);
  if (weight === undefined && absent !== undefined) return;
  if (weight === undefined) throw new CheckpointError('E_CKPT_MISSING', `${source}: lacks the weight ${quoted(name)}`);
  if (weight.shape.join() !== shape.join()) {
    throw new CheckpointError(
      'E_CKPT_SHAPE',
      `${source}: ${quoted(name)} has the shape [${weight.shape.join(', ')}], and its layer wants [${shape.join(', ')}]`,
    );
  }
}

/** Weights by `layer/role`, whatever models a name puts before its layer: `sequential/conv2d_1/kernel`. */
function byLayer(
  weights: ReadonlyMap<string, Tensor>,
  layers: readonly TopologyLayer[],
  source: string,
): Map<string, Tensor> {
  const names = new Set(layers.map((layer) => layer.name));
  const found = new Map<string, Tensor>();
  for (const [name, weight] of weights) {
    const [scoped, role] = namesIn(name);
    let layer = scoped;
    while (layer !== undefined && !names.has(layer))
      layer = layer.includes('/') ? layer.slice(layer.indexOf('/') + 1) : undefined;
    if (layer === undefined) {
      throw new CheckpointError(
        'E_CKPT_FORMAT',
        `${source}: holds the weight ${quoted(name)} of no layer of the model`,
      );
    }
    requireNew([found], `${layer}/${role}`, source);
    found.set(`${layer}/${role}`, weight);
  }
  return found;
}

/** A weight's layer, with what is before it, and what it is there; TensorFlow's own names may end in `:0`. */
function namesIn(weight: string): readonly [layer: string | undefined, role: string] {
  const name = weight.replace(/:\d+$/, '');
  const slash = name.lastIndexOf('/');
  return [slash < 0 ? undefined : name.slice(0, slash), name.slice(slash + 1)];
}

interface KerasWeights {
  readonly specs: readonly { readonly name: string; readonly shape: readonly number[]; readonly dtype: 'float32' }[];
  readonly bytes: Uint8Array;
}

function kerasWeights({ tensors }: TensorFile, network: Network): KerasWeights {
  const parameters = new Map<string, Float32Tensor>();
  for (const [name, { shape, data }] of tensors)
    if (data instanceof Float32Array) parameters.set(name, { shape, data });
  matchParameters(parameters, parameterShapes(network), `TensorFlow.js model of ${network.name}`);
  const weights = network.nodes.flatMap(({ name: layer, layer: { kind, ...options }, parameters: specs }) =>
    specs.map(({ name, shape }) => {
      const role = kerasRole(kind, name.slice(name.lastIndexOf('.') + 1));
      const multiplier = 'multiplier' in options ? options.multiplier : 1;
      const { data } = parameters.get(name) ?? { data: new Float32Array() };
      return { name: `${layer}/${role}`, ...toKeras(role, { shape, data }, multiplier) };
    }),
  );
  return {
    specs: weights.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
    bytes: Buffer.concat(weights.map(({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength))),
  };
}

/** The shards that we wrote for the model that stands at `path`, if one does. */
async function olderShards(path: string): Promise<readonly string[]> {
  try {
    const { manifest } = parseModelJson(await readJson(path), path);
    return manifest.flatMap(({ paths }) => paths).filter(isOurShard);
  } catch (error) {
    // What is no model is replaced like any file.
    if (error instanceof CheckpointError) return [];
    throw error;
  }
}

async function remove(files: readonly string[]): Promise<void> {
  try {
    for (const file of files) await rm(file, { force: true });
  } catch (error) {
    throw new StorageError('E_WRITE', `cannot remove files of weights: ${systemReason(error)}`, { cause: error });
  }
}

async function readJson(path: string): Promise<Uint8Array> {
  try {
    const file = await openRegular(path);
    try {
      const { size } = await file.stat();
      if (size > MAX_JSON) {
        throw new CheckpointError('E_CKPT_LIMIT', `${path}: has ${size} bytes; a model.json has at most ${MAX_JSON}`);
      }
      return await file.readFile();
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof CheckpointError) throw error;
    throw new CheckpointError('E_CKPT_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
}

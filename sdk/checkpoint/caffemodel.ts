/**
 * Caffe's models, `.caffemodel`: a network's layers with their arrays, of caffe.proto (proto2). `layers` is the form of
 * before 2015:
 *
 *     NetParameter     { optional string name = 1; repeated V1LayerParameter layers = 2; repeated LayerParameter layer = 100 }
 *     LayerParameter   { optional string name = 1, type = 2; repeated string bottom = 3, top = 4; repeated BlobProto blobs = 7 }
 *     V1LayerParameter { repeated string bottom = 2, top = 3; optional string name = 4; optional LayerType type = 5;
 *                        repeated BlobProto blobs = 6 }
 *
 * A layer `ip1` with two arrays holds `ip1.weight` and `ip1.bias`. Caffe normalises a batch in one layer, BatchNorm, and
 * scales in another that reads it, Scale; here both are one, `bn1.gamma`, `bn1.beta`, `bn1.moving_mean`, `bn1.moving_variance`.
 */
import { CheckpointError } from '../base/errors.js';
import { readBlob } from './caffe-blob.js';
import { type CaffeLayer, eachLayer } from './caffe-layers.js';
import { MessageReader } from './protobuf.js';
import { type Float32Tensor, quoted, requireNew, type TensorFile } from './tensor-file.js';

/** What the arrays of a layer are, in their order, and how many dimensions each has. */
const TYPES = new Map<string, Readonly<Record<string, number>>>([
  ['Convolution', { weight: 4, bias: 1 }],
  ['InnerProduct', { weight: 2, bias: 1 }],
  ['BatchNorm', { moving_mean: 1, moving_variance: 1, factor: 1 }],
  ['Scale', { gamma: 1, beta: 1 }],
]);

/** Those that a layer may leave out. */
const OPTIONAL: ReadonlySet<string> = new Set(['bias', 'beta']);

/**
 * Reads the parameters of a Caffe model. Layers without arrays are passed over; a BatchNorm without a Scale has the gamma 1 and
 * the beta 0.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_TRUNCATED`, `E_CKPT_FORMAT`, `E_CKPT_DUPLICATE`, `E_CKPT_LIMIT` for a damaged file;
 *   `E_CKPT_RANGE` for numbers that cannot be read; `E_CKPT_UNSUPPORTED` for a layer that is unknown here
 */
export function decodeCaffemodel(bytes: Uint8Array, source: string): TensorFile {
  if (bytes.length === 0) throw new CheckpointError('E_CKPT_TRUNCATED', `${source}: is empty; copy it again`);
  const tensors = new Map<string, Float32Tensor>();
  /** From a value to the BatchNorm that made it, until a Scale has read it. */
  const normalised = new Map<string, string>();
  eachLayer(new MessageReader(bytes, { source, format: 'a Caffe model' }), (layer) => {
    const { name, type, bottom, tops, blobs } = layer;
    const before = normalised.get(bottom);
    for (const top of tops) normalised.delete(top);
    if (blobs.length === 0) return;
    const arrays = readArrays(layer, source);
    if (type === 'Scale') {
      if (before === undefined) {
        throw unsupported(layer, source, 'a layer that scales alone, since this one reads what no BatchNorm made');
      }
      normalised.delete(bottom);
      for (const [suffix, tensor] of arrays) {
        if (tensors.get(`${before}.${suffix}`)?.data.length !== tensor.data.length) {
          throw malformed(layer, source, 'arrays of another size than the BatchNorm before it');
        }
        tensors.set(`${before}.${suffix}`, tensor);
      }
      return;
    }
    if (type === 'BatchNorm') for (const top of tops) normalised.set(top, name);
    for (const [suffix, tensor] of type === 'BatchNorm' ? normalisation(layer, arrays, source) : arrays) {
      requireNew([tensors], `${name}.${suffix}`, source);
      tensors.set(`${name}.${suffix}`, tensor);
    }
  });
  return { tensors, texts: new Map() };
}

/** Whether bytes begin as a Caffe model does; a MindSpore checkpoint is protobuf too, and also begins with the field 1. */
export function looksLikeCaffemodel(bytes: Uint8Array): boolean {
  if (bytes[0] === 0xa2) return bytes[1] === 0x06;
  if (bytes[0] !== 0x0a) return bytes[0] === 0x12;
  // The network's name, of less than 2¹⁴ bytes; in a checkpoint it is a message, which begins with a field 1 of its own.
  const [, low, high] = bytes;
  const name = low < 0x80 ? 2 : 3;
  const end = name + (low < 0x80 ? low : (low & 0x7f) + 0x80 * high);
  return bytes[name] !== 0x0a && AFTER_NAME.has(bytes[end]);
}

/** Tags (in part) of what may follow the name: layers, inputs and their sizes, force_backward, state, debug_info. */
const AFTER_NAME: ReadonlySet<number> = new Set([0xa2, 0x12, 0x1a, 0x20, 0x42, 0x28, 0x32, 0x38]);

/** A layer's arrays, by what they are. */
function readArrays(layer: CaffeLayer, source: string): ReadonlyMap<string, Float32Tensor> {
  const { name, type, blobs, isTransposed } = layer;
  const known = TYPES.get(type);
  if (known === undefined) throw unsupported(layer, source, `layers of the type ${quoted(type)}`);
  const suffixes = Object.keys(known);
  if (blobs.length > suffixes.length || suffixes.some((suffix, i) => i >= blobs.length && !OPTIONAL.has(suffix))) {
    throw malformed(layer, source, `${blobs.length} arrays in place of ${suffixes.join(', ')}`);
  }
  return new Map(
    blobs.map((blob, i) => {
      const suffix = suffixes[i];
      const tensor = readBlob(blob, known[suffix], { source, name: `${name}.${suffix}` });
      return [suffix, isTransposed && suffix === 'weight' ? transposed(tensor) : tensor];
    }),
  );
}

/** `[in, out]` → `[out, in]`. */
function transposed({ shape: [rows, columns], data }: Float32Tensor): Float32Tensor {
  const turned = new Float32Array(data.length);
  for (const [i, value] of data.entries()) turned[(i % columns) * rows + Math.floor(i / columns)] = value;
  return { shape: [columns, rows], data: turned };
}

/**
 * What a BatchNorm comes to without a Scale. Caffe keeps sums, and divides them by the factor; a factor of 0 makes them 0.
 */
function normalisation(
  layer: CaffeLayer,
  arrays: ReadonlyMap<string, Float32Tensor>,
  source: string,
): ReadonlyMap<string, Float32Tensor> {
  const [mean, variance, factor] = arrays.values();
  const { shape } = mean;
  if (variance.data.length !== mean.data.length || factor.data.length !== 1) {
    throw malformed(layer, source, 'arrays of sizes that do not belong together');
  }
  const scale = factor.data[0] === 0 ? 0 : Math.fround(1 / factor.data[0]);
  const scaled = (data: Float32Array): Float32Array => (scale === 1 ? data : data.map((value) => value * scale));
  return new Map([
    ['gamma', { shape, data: new Float32Array(mean.data.length).fill(1) }],
    ['beta', { shape, data: new Float32Array(mean.data.length) }],
    ['moving_mean', { shape, data: scaled(mean.data) }],
    ['moving_variance', { shape, data: scaled(variance.data) }],
  ]);
}

function malformed({ name, type }: CaffeLayer, source: string, what: string): CheckpointError {
  return new CheckpointError(
    'E_CKPT_FORMAT',
    `${source}: the layer ${quoted(name)} (${type}) holds ${what}; is the file damaged?`,
  );
}

function unsupported({ name, type }: CaffeLayer, source: string, needed: string): CheckpointError {
  return new CheckpointError(
    'E_CKPT_UNSUPPORTED',
    `${source}: the layer ${quoted(name)}, of the type ${quoted(type)}, holds parameters, and to read them mindts would need ${needed}; it has ${[...TYPES.keys()].join(', ')}`,
  );
}

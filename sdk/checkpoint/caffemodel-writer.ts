/** Writes Caffe's models; the format is described in caffemodel.ts. */
import { CheckpointError } from '../base/errors.js';
import { encodeBlob } from './caffe-blob.js';
import { type Message, messageField, textField } from './protobuf.js';
import { type Float32Tensor, quoted, requireWritable } from './tensor-file.js';

/**
 * The bytes of a Caffe model that holds these parameters, layer by layer; Caffe takes them for the layers of those names. A batch
 * normalisation `bn1` becomes the layers `bn1` and `bn1_scale`. The same parameters always give the same bytes.
 *
 * @throws CheckpointError `E_CKPT_NAME`, `E_CKPT_VALUE` for what the format cannot hold
 * @example
 * const parameters = new Map([['fc.weight', { shape: [2, 1], data: Float32Array.of(1, 2) }]]);
 * decodeCaffemodel(encodeCaffemodel(parameters), 'a.caffemodel').tensors.get('fc.weight')?.shape; // [2, 1]
 */
export function encodeCaffemodel(parameters: ReadonlyMap<string, Float32Tensor>): Uint8Array {
  requireWritable({ tensors: parameters, texts: new Map() });
  const layers = new Map<string, Map<string, Float32Tensor>>();
  for (const [name, tensor] of parameters) {
    const dot = name.lastIndexOf('.');
    const layer = name.slice(0, Math.max(0, dot));
    layers.set(layer, (layers.get(layer) ?? new Map<string, Float32Tensor>()).set(name.slice(dot + 1), tensor));
  }
  const chunks: Uint8Array[] = [...textField(1, 'mindts')];
  for (const [name, arrays] of layers) {
    const type = typeOf(arrays);
    const pick = (...suffixes: readonly string[]): Float32Tensor[] =>
      suffixes.flatMap((suffix) => arrays.get(suffix) ?? []);
    if (type === undefined || name === '') throw cannotHold(name, arrays);
    if (type === 'BatchNorm') {
      const scale = `${name}_scale`;
      if (layers.has(scale)) throw cannotHold(scale, layers.get(scale) ?? arrays);
      const factor = { shape: [1], data: Float32Array.of(1) };
      chunks.push(...layerField({ name, type, top: name }, [...pick('moving_mean', 'moving_variance'), factor]));
      chunks.push(...layerField({ name: scale, type: 'Scale', bottom: name, top: name }, pick('gamma', 'beta')));
    } else chunks.push(...layerField({ name, type }, pick('weight', 'bias')));
  }
  return Buffer.concat(chunks);
}

/** The type of layer that holds these arrays; undefined when none does. */
function typeOf(arrays: ReadonlyMap<string, Float32Tensor>): 'Convolution' | 'InnerProduct' | 'BatchNorm' | undefined {
  const ranks = [...arrays]
    .map(([suffix, { shape }]) => `${suffix} ${shape.length}`)
    .sort()
    .join();
  switch (ranks.replace('bias 1,', '')) {
    case 'weight 4':
      return 'Convolution';
    case 'weight 2':
      return 'InnerProduct';
    case 'beta 1,gamma 1,moving_mean 1,moving_variance 1':
      return 'BatchNorm';
    default:
      return undefined;
  }
}

/** A LayerParameter in its place. */
function layerField({ name, type, bottom, top }: LayerTexts, arrays: readonly Float32Tensor[]): Message {
  const texts = [name, type, bottom, top].flatMap((text, i) => (text === undefined ? [] : textField(i + 1, text)));
  return messageField(100, [...texts, ...arrays.flatMap((array) => messageField(7, encodeBlob(array)))]);
}

interface LayerTexts {
  readonly name: string;
  readonly type: string;
  readonly bottom?: string;
  readonly top?: string;
}

function cannotHold(layer: string, arrays: ReadonlyMap<string, Float32Tensor>): CheckpointError {
  const names = [...arrays.keys()].map((suffix) => quoted(layer === '' ? suffix : `${layer}.${suffix}`)).slice(0, 4);
  return new CheckpointError(
    'E_CKPT_NAME',
    `a .caffemodel cannot hold ${names.join(', ')}: it holds weight [out, in, rows, columns] or [out, in] with bias [out], or batch normalisation; write .safetensors`,
  );
}

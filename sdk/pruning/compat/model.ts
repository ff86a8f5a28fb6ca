/**
 * `tmp_model.caffemodel`: a network with its masks, as the layers of Caffe with surgery have them: the weights, the biases, then a mask of
 * each. Caffe puts arrays into the layers of the same names, and passes over others: so one more layer, without arrays, can hold what
 * masks are made from as well, which the seed's evaluators guess at.
 */
import { z } from 'zod';
import { CheckpointError, PruningError } from '../../base/errors.js';
import { encodeBlob, readBlob } from '../../checkpoint/caffe-blob.js';
import { eachLayer } from '../../checkpoint/caffe-layers.js';
import { type Message, MessageReader, messageField, textField } from '../../checkpoint/protobuf.js';
import type { Network, Parameter } from '../../nn/network.js';
import { fullMask, type PrunedLayer, prunedLayers } from '../pruned-layers.js';
import type { LayerStatistics, Snapshot } from '../surgery.js';

/** What is read of such a file; statistics are there where mindts wrote it. */
export interface MaskedModel extends Pick<Snapshot, 'values' | 'mask'> {
  readonly statistics: readonly LayerStatistics[] | undefined;
}

/**
 * The file.
 *
 * @throws PruningError `E_SETTINGS` for a network that has parameters in other layers than convolutions and dense ones
 */
export function encodeMaskedModel(network: Network, { values, mask, statistics }: Snapshot): Uint8Array {
  const chunks = [...textField(1, network.name)];
  for (const { layer, kind, parameters } of layersOf(network)) {
    const blobs = [values, mask].flatMap((numbers) =>
      parameters.map(({ shape, offset, size }) => ({
        shape,
        data: Float32Array.from(numbers.subarray(offset, offset + size)),
      })),
    );
    chunks.push(
      ...layerField(
        layer.name,
        kind,
        blobs.flatMap((blob) => messageField(7, encodeBlob(blob))),
      ),
    );
  }
  chunks.push(...layerField(STATISTICS, JSON.stringify(statistics)));
  return Buffer.concat(chunks);
}

/**
 * Reads such a file; one without masks keeps everything.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_NETWORK` for another network's, and for damaged bytes
 */
export function decodeMaskedModel(bytes: Uint8Array, network: Network, source: string): MaskedModel {
  const missing = new Map(layersOf(network).map((one) => [one.layer.name, one]));
  const values = new Float32Array(network.parameterCount);
  const mask = fullMask(network.parameterCount);
  let statistics: readonly LayerStatistics[] | undefined;
  eachLayer(new MessageReader(bytes, { source, format: 'a Caffe model' }), ({ name, type, blobs }) => {
    if (name === STATISTICS) statistics = statisticsIn(type, prunedLayers(network).length);
    const found = missing.get(name);
    if (found === undefined || blobs.length === 0) return;
    missing.delete(name);
    const { parameters } = found;
    if (blobs.length !== parameters.length && blobs.length !== 2 * parameters.length) {
      throw another(source, `${blobs.length} arrays in ${name}`);
    }
    for (const [i, blob] of blobs.entries()) {
      const { name: parameter, shape, offset, size } = parameters[i % parameters.length];
      const { data } = readBlob(blob, shape.length, { source, name: parameter });
      if (data.length !== size) throw another(source, `${data.length} numbers where ${parameter} has ${size}`);
      if (i < parameters.length) values.set(data, offset);
      // The first bit of a layer may carry a rate to come: 1 + c for 1, −c for 0.
      else
        mask.set(
          data.map((bit) => (bit > 0 ? 1 : 0)),
          offset,
        );
    }
  });
  const [lacking] = missing.keys();
  if (lacking !== undefined) throw another(source, `no layer ${lacking}`);
  return { values, mask, statistics };
}

/** A layer's name, which no network of Caffe's has. */
const STATISTICS = 'mindts.statistics';

function layersOf(
  network: Network,
): readonly { readonly layer: PrunedLayer; readonly kind: string; readonly parameters: readonly Parameter[] }[] {
  const layers = prunedLayers(network);
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  if (total !== network.parameterCount) {
    const why = `network ${network.name} has parameters beside convolutions and dense layers, which the seed's files cannot hold`;
    throw new PruningError('E_SETTINGS', `--compat_files: ${why}; prune it without`);
  }
  return layers.map((layer) => {
    const parameters = network.parameters.filter(
      ({ offset }) => offset >= layer.offset && offset < layer.offset + layer.size,
    );
    return { layer, kind: parameters[0].shape.length === 4 ? 'CConvolution' : 'CInnerProduct', parameters };
  });
}

function layerField(name: string, type: string, blobs: Message = []): Message {
  return messageField(100, [...textField(1, name), ...textField(2, type), ...blobs]);
}

function statisticsIn(text: string, layers: number): readonly LayerStatistics[] | undefined {
  const schema = z.array(z.object({ mean: z.number().min(0), deviation: z.number().min(0) })).length(layers);
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function another(source: string, has: string): CheckpointError {
  return new CheckpointError(
    'E_CKPT_NETWORK',
    `${source}: has ${has}: it is of another network; give the trainer's --network`,
  );
}

/** The layers in a Caffe model, in the form of today (`layer`) and that of before 2015 (`layers`, "V1"). */
import { CheckpointError } from '../base/errors.js';
import { type MessageReader, WIRE } from './protobuf.js';
import { LIMITS, quoted } from './tensor-file.js';

/** As much of a layer as its parameters need. */
export interface CaffeLayer {
  readonly name: string;
  /** `Convolution`, `InnerProduct`, … */
  readonly type: string;
  /** The first value that it reads; empty when there is none. */
  readonly bottom: string;
  /** The values that it makes. */
  readonly tops: readonly string[];
  /** Its arrays, each a BlobProto. */
  readonly blobs: readonly MessageReader[];
  /** Whether an InnerProduct holds its weight as `[in, out]`. */
  readonly isTransposed: boolean;
}

/** Field numbers in a LayerParameter and in a V1LayerParameter. */
const LAYER = { name: 1, type: 2, bottom: 3, top: 4, blobs: 7, innerProduct: 117 };
const V1_LAYER = { name: 4, type: 5, bottom: 2, top: 3, blobs: 6, innerProduct: 17 };

/** V1's types that hold arrays. */
const V1_TYPES: ReadonlyMap<number, string> = new Map([
  [4, 'Convolution'],
  [14, 'InnerProduct'],
  [39, 'Deconvolution'],
]);

/** More than any network has: a hostile file could take memory and time with empty ones. */
const MOST = { layers: 100_000, blobs: 64, tops: 10_000 };

/**
 * Visits the layers of a NetParameter in their order.
 *
 * @throws CheckpointError `E_CKPT_TRUNCATED`, `E_CKPT_FORMAT`, `E_CKPT_LIMIT`; `E_CKPT_UNSUPPORTED` for a layer from before 2014 ("V0")
 */
export function eachLayer(net: MessageReader, visit: (layer: CaffeLayer) => void): void {
  for (let layers = 0; !net.done; ) {
    const { number, wire } = net.field();
    if ((number === 100 || number === 2) && ++layers > MOST.layers) {
      throw new CheckpointError('E_CKPT_LIMIT', `${net.origin.source}: has more than ${MOST.layers} layers`);
    }
    if (number === 100) visit(readLayer(net.message(wire), LAYER));
    else if (number === 2) visit(readLayer(net.message(wire), V1_LAYER));
    else net.skip(wire);
  }
}

function readLayer(reader: MessageReader, fields: typeof LAYER): CaffeLayer {
  const layer = { name: '', type: '', isTransposed: false };
  let bottom: string | undefined;
  const tops: string[] = [];
  const blobs: MessageReader[] = [];
  const text = (wire: number): string => reader.text(wire, LIMITS.nameLength * 4);
  while (!reader.done) {
    const { number, wire } = reader.field();
    if (number === fields.name) layer.name = text(wire);
    else if (number === fields.type) layer.type = wire === WIRE.varint ? v1Type(reader.varint()) : text(wire);
    else if (number === fields.bottom) {
      // Read even where it is not the first.
      const value = text(wire);
      bottom ??= value;
    } else if (number === fields.top) tops.push(text(wire));
    else if (number === fields.blobs) blobs.push(reader.message(wire));
    else if (number === fields.innerProduct) layer.isTransposed = readTransposed(reader.message(wire));
    else if (number === 1) throw beforeV1(reader);
    else reader.skip(wire);
    if (blobs.length > MOST.blobs || tops.length > MOST.tops) {
      throw reader.malformed(`the layer ${quoted(layer.name)} has more arrays or values than any layer has`);
    }
  }
  if (blobs.length > 0 && layer.name === '') throw reader.malformed('a layer with arrays has no name');
  return { ...layer, bottom: bottom ?? '', tops, blobs };
}

function v1Type(type: number): string {
  return V1_TYPES.get(type) ?? `V1 type ${type}`;
}

/** InnerProductParameter { optional bool transpose = 6 } */
function readTransposed(parameter: MessageReader): boolean {
  let isTransposed = false;
  while (!parameter.done) {
    const { number, wire } = parameter.field();
    if (number === 6 && wire === WIRE.varint) isTransposed = parameter.varint() !== 0;
    else parameter.skip(wire);
  }
  return isTransposed;
}

/** In a V1LayerParameter the field 1 is the whole layer in the form before it. */
function beforeV1({ origin }: MessageReader): CheckpointError {
  return new CheckpointError(
    'E_CKPT_UNSUPPORTED',
    `${origin.source}: is in the form that Caffe wrote until 2013; bring it up to date with Caffe's upgrade_net_proto_binary`,
  );
}

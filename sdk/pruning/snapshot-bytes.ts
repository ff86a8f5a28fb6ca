/** A trainer's snapshot as bytes, to be kept, sent to others, and named by a hash. The same snapshot always makes the same bytes. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { PruningError } from '../base/errors.js';
import { decodeSafetensors, encodeSafetensors } from '../checkpoint/safetensors.js';
import type { Tensor } from '../checkpoint/tensor-file.js';
import type { PrunedLayer } from './pruned-layers.js';
import type { TrainerSnapshot } from './trainer.js';

/** A safetensors file: values, slots, the mask as bits of Int32, and the rest as JSON. */
export function encodeSnapshot(snapshot: TrainerSnapshot): Uint8Array {
  const { values, mask, saliency, slots, statistics, iteration, rates, active } = snapshot;
  const rest = { statistics, iteration, active, rates: rates.map((rate) => rate ?? null) };
  return encodeSafetensors({
    tensors: new Map<string, Tensor>([
      ['values', { shape: [values.length], data: values }],
      ['mask', { shape: [Math.ceil(mask.length / 32)], data: bitsOf(mask) }],
      ...(saliency === undefined ? [] : [['saliency', { shape: [saliency.length], data: saliency }] as const]),
      ...slots.map((data, i): [string, Tensor] => [`slot.${i}`, { shape: [data.length], data }]),
    ]),
    texts: new Map([[REST, JSON.stringify(rest)]]),
  });
}

/**
 * Reads them again.
 *
 * @param layers the network's, which are not in the bytes
 * @param source the file's name, for errors
 * @throws PruningError `E_SNAPSHOT` for what is no snapshot, or one of another network; CheckpointError for damaged bytes
 */
export function decodeSnapshot(
  bytes: Uint8Array,
  { layers, size, source }: { readonly layers: readonly PrunedLayer[]; readonly size: number; readonly source: string },
): TrainerSnapshot {
  const { tensors, texts } = decodeSafetensors(bytes, source);
  const damaged = (what: string): PruningError =>
    new PruningError('E_SNAPSHOT', `${source}: ${what}; is it of another run? Begin anew, without --resume`);
  const floats = (name: string): Float32Array => {
    const data = tensors.get(name)?.data;
    if (data instanceof Float32Array && data.length === size) return data;
    throw damaged(`has not the ${size} numbers of ${name} that this network has`);
  };
  const bits = tensors.get('mask')?.data;
  if (!(bits instanceof Int32Array) || bits.length !== Math.ceil(size / 32))
    throw damaged('has no mask for this network');
  const n = layers.length;
  const rest = restOf(n).safeParse(jsonOf(texts.get(REST)));
  if (!rest.success) throw damaged(`is no snapshot of a network with ${n} layers`);
  const slots = [...tensors.keys()].filter((name) => name.startsWith('slot.')).map(floats);
  return {
    ...rest.data,
    values: floats('values'),
    saliency: tensors.has('saliency') ? floats('saliency') : undefined,
    mask: Uint8Array.from({ length: size }, (_, i) => (bits[i >>> 5] >>> (i & 31)) & 1),
    slots,
    layers,
    rates: rest.data.rates.map((rate) => rate ?? undefined),
  };
}

/** The name of some bytes: their SHA-256, in hexadecimal. */
export function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

const REST = 'mindts.pruning';

const restOf = (n: number) =>
  z.object({
    statistics: z.array(z.object({ mean: z.number(), deviation: z.number() })).length(n),
    iteration: z.int().min(0),
    active: z.array(z.boolean()).length(n),
    rates: z.array(z.number().nullable()).length(n),
  });

function bitsOf(mask: Uint8Array): Int32Array {
  const words = new Int32Array(Math.ceil(mask.length / 32));
  for (const [i, bit] of mask.entries()) words[i >>> 5] |= bit << (i & 31);
  return words;
}

function jsonOf(text: string | undefined): unknown {
  try {
    return text === undefined ? undefined : JSON.parse(text);
  } catch {
    // The schema says that it is none.
    return undefined;
  }
}

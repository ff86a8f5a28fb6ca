/** What makes a run this run and no other, besides its settings. */
import { checksum } from '../dataset/dataset.js';
import { hashOf } from './snapshot-bytes.js';
import type { TrainerOptions } from './trainer.js';

/** The network, its parameters and the data, by checksums. */
export function identityOf({
  network,
  parameters,
  data,
}: Pick<TrainerOptions, 'network' | 'parameters' | 'data'>): string {
  const bytes = new Uint8Array(parameters.buffer, parameters.byteOffset, parameters.byteLength);
  return JSON.stringify({
    network: network.name,
    parameters: hashOf(bytes).slice(0, 16),
    data: checksum(data),
  });
}

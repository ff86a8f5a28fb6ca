/** Arrays that messages name by their SHA-256: parameters, masks, batches. A name never means anything else, so that it is written once. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';

/** How a message names bytes. */
export const DataRef = z.strictObject({ sha256: z.string().regex(/^[0-9a-f]{64}$/), bytes: z.int().min(0) });
export type DataRef = z.infer<typeof DataRef>;

/**
 * Writes bytes, if they are not there already, and returns what a message calls them.
 *
 * @example
 * const folder = await runFolder('out/work', 'seed-1');
 * const ref = await putData(folder, Buffer.from('parameters'));
 * ref.bytes; // 10
 * (await getData(folder, ref)).toString(); // 'parameters'
 */
export async function putData(folder: RunFolder, bytes: Uint8Array): Promise<DataRef> {
  const ref = { sha256: hashOf(bytes), bytes: bytes.length };
  // What is there may be damaged: to read it would cost what writing costs.
  await folder.write(nameOf(ref), bytes);
  return ref;
}

/**
 * The bytes that a message names.
 *
 * @throws PruningError `E_FARM_DATA` when they are not there, or damaged: those go into quarantine
 */
export async function getData(folder: RunFolder, ref: DataRef): Promise<Buffer> {
  const name = nameOf(ref);
  const bytes = await folder.read(name);
  if (bytes !== undefined && bytes.length === ref.bytes && hashOf(bytes) === ref.sha256) return bytes;
  if (bytes !== undefined) await folder.quarantine(name, 'has another content than its name says');
  const what = bytes === undefined ? 'is missing' : 'was damaged';
  throw new PruningError('E_FARM_DATA', `${shownUrl(folder.url)}/${name} ${what}: start the role that wrote it again`);
}

/** Removes bytes that no message names any more; for the role that wrote them. */
export async function removeData(folder: RunFolder, ref: DataRef): Promise<void> {
  await folder.remove(nameOf(ref));
}

function nameOf({ sha256 }: DataRef): string {
  return `data/${sha256}`;
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

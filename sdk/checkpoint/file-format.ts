/** The formats of parameter files, and which one a file has. */
import { extname } from 'node:path';
import { CheckpointError, systemReason } from '../base/errors.js';
import { readRegular, writeFileAtomic } from '../base/files.js';
import { decodeMindSpore, encodeMindSpore } from './mindspore.js';
import { looksLikeMindSpore } from './mindspore-seal.js';
import { decodeSafetensors, encodeSafetensors, looksLikeSafetensors } from './safetensors.js';
import type { TensorFile } from './tensor-file.js';

export type CheckpointFormat = 'mindspore' | 'safetensors';

/**
 * Which format a file has: its bytes decide and, where they say nothing, its extension.
 *
 * @throws CheckpointError `E_CKPT_FORMAT` when neither is known
 * @example
 * formatOf('lenet.ckpt', new Uint8Array()); // 'mindspore'
 */
export function formatOf(path: string, bytes: Uint8Array): CheckpointFormat {
  if (looksLikeSafetensors(bytes)) return 'safetensors';
  const format = looksLikeMindSpore(bytes) ? 'mindspore' : FORMATS.get(extname(path).toLowerCase());
  if (format !== undefined) return format;
  throw new CheckpointError(
    'E_CKPT_FORMAT',
    `${path}: is neither a MindSpore checkpoint nor a safetensors file; give a .ckpt or .safetensors file`,
  );
}

/**
 * Reads a parameter file of any known format.
 *
 * @throws CheckpointError `E_CKPT_READ` when the file cannot be read; the codes of {@link formatOf}, `decodeMindSpore`
 *   and `decodeSafetensors` when it is no parameter file or damaged
 */
export async function readTensorFile(path: string): Promise<TensorFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(path);
  } catch (error) {
    throw new CheckpointError('E_CKPT_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
  return formatOf(path, bytes) === 'safetensors' ? decodeSafetensors(bytes, path) : decodeMindSpore(bytes, path);
}

/**
 * Writes a parameter file in the format of its extension, whole or not at all.
 *
 * @throws CheckpointError `E_CKPT_EXTENSION` unless it is `.ckpt` or `.safetensors`; `E_CKPT_NAME`, `E_CKPT_VALUE` for
 *   what the format cannot hold
 * @throws StorageError `E_WRITE` when the disk is full, …; the old file stays
 */
export async function writeTensorFile(path: string, file: TensorFile): Promise<void> {
  const format = FORMATS.get(extname(path).toLowerCase());
  if (format === undefined) {
    throw new CheckpointError('E_CKPT_EXTENSION', `${path}: a parameter file must be called .ckpt or .safetensors`);
  }
  await writeFileAtomic(path, format === 'safetensors' ? encodeSafetensors(file) : encodeMindSpore(file));
}

const FORMATS: ReadonlyMap<string, CheckpointFormat> = new Map([
  ['.ckpt', 'mindspore'],
  ['.safetensors', 'safetensors'],
]);

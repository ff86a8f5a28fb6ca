/** The formats of parameter files, and which one a file has. */
import { extname } from 'node:path';
import { CheckpointError, systemReason } from '../base/errors.js';
import { readRegular, writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { decodeCaffemodel, looksLikeCaffemodel } from './caffemodel.js';
import { encodeCaffemodel } from './caffemodel-writer.js';
import { foreignFormat } from './foreign.js';
import { decodeMindSpore, encodeMindSpore } from './mindspore.js';
import { looksLikeMindSpore } from './mindspore-seal.js';
import { parametersOf } from './optimizer-state.js';
import { decodeSafetensors, encodeSafetensors, looksLikeSafetensors } from './safetensors.js';
import { decodeSparse, encodeSparse, looksLikeSparse, type SparseFile, toDense } from './sparse.js';
import type { TensorFile } from './tensor-file.js';
import { readTfjs } from './tfjs.js';

/** What can be read. */
export type CheckpointFormat = 'mindspore' | 'safetensors' | 'caffemodel' | 'tfjs' | 'sparse';

/**
 * Which format a file has: its bytes decide and, where they say nothing, its extension. What people take for a parameter file
 * and is none is told by name.
 *
 * @throws CheckpointError `E_CKPT_FORMAT` for a file that is not read
 * @example
 * formatOf('lenet.ckpt', new Uint8Array()); // 'mindspore'
 */
export function formatOf(path: string, bytes: Uint8Array): CheckpointFormat {
  if (looksLikeSafetensors(bytes)) return 'safetensors';
  if (looksLikeSparse(bytes)) return 'sparse';
  if (bytes[0] === OPENING_BRACE) return 'tfjs';
  const foreign = foreignFormat(bytes);
  if (foreign === undefined) {
    if (looksLikeCaffemodel(bytes)) return 'caffemodel';
    if (looksLikeMindSpore(bytes)) return 'mindspore';
    const named = FORMATS.get(extname(path).toLowerCase());
    if (named !== undefined) return named;
  }
  const reads = [...FORMATS.keys()].join(', ');
  const what = foreign ?? `is no parameter file that mindts reads (${reads}), or it is damaged`;
  throw new CheckpointError('E_CKPT_FORMAT', `${path}: ${what}`);
}

/**
 * Reads a parameter file of any known format. Where its name says another one, a warning says which it is.
 *
 * @throws CheckpointError `E_CKPT_READ` when the file cannot be read; the codes of {@link formatOf} and of the format's reader
 *   when it is no parameter file or damaged
 */
export async function readTensorFile(path: string): Promise<TensorFile> {
  let bytes: Uint8Array;
  try {
    bytes = await readRegular(path);
  } catch (error) {
    throw new CheckpointError('E_CKPT_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
  const format = formatOf(path, bytes);
  if ((FORMATS.get(extname(path).toLowerCase()) ?? format) !== format) {
    log.warn(`${path}: is ${LABELS[format]}, whatever its name says, and read as one`);
  }
  switch (format) {
    case 'mindspore':
      return decodeMindSpore(bytes, path);
    case 'safetensors':
      return decodeSafetensors(bytes, path);
    case 'caffemodel':
      return decodeCaffemodel(bytes, path);
    case 'tfjs':
      return readTfjs(path);
    case 'sparse':
      return withZeros(decodeSparse(bytes, path));
    default:
      throw format satisfies never;
  }
}

/**
 * Writes a parameter file in the format of its extension, whole or not at all; as `.caffemodel` and `.mtsp`, its parameters alone.
 *
 * @throws CheckpointError `E_CKPT_EXTENSION` unless it is one of {@link WRITABLE}; `E_CKPT_NAME`, `E_CKPT_VALUE` for what the
 *   format cannot hold
 * @throws StorageError `E_WRITE` when the disk is full, …; the old file stays
 */
export async function writeTensorFile(path: string, file: TensorFile): Promise<void> {
  const encode = ENCODERS.get(extname(path).toLowerCase());
  if (encode === undefined) {
    throw new CheckpointError('E_CKPT_EXTENSION', `${path}: a checkpoint must be called ${WRITABLE.join(', ')}`);
  }
  await writeFileAtomic(path, encode(file));
}

/** Of JSON, as which a `model.json` is read, or told to be none. */
const OPENING_BRACE = 0x7b;

/** By extension. */
const FORMATS: ReadonlyMap<string, CheckpointFormat> = new Map([
  ['.ckpt', 'mindspore'],
  ['.safetensors', 'safetensors'],
  ['.caffemodel', 'caffemodel'],
  ['.json', 'tfjs'],
  ['.mtsp', 'sparse'],
]);

const ENCODERS: ReadonlyMap<string, (file: TensorFile) => Uint8Array> = new Map([
  ['.ckpt', encodeMindSpore],
  ['.safetensors', encodeSafetensors],
  ['.caffemodel', (file: TensorFile) => encodeCaffemodel(parametersOf(file))],
  ['.mtsp', (file: TensorFile) => encodeSparse({ tensors: parametersOf(file), texts: new Map() })],
]);

/** The extensions that {@link writeTensorFile} knows: those of formats that hold parameters without their network. */
export const WRITABLE: readonly string[] = [...ENCODERS.keys()];

const LABELS: Readonly<Record<CheckpointFormat, string>> = {
  mindspore: 'a MindSpore checkpoint',
  safetensors: 'a safetensors file',
  caffemodel: 'a Caffe model',
  tfjs: 'a TensorFlow.js model',
  sparse: 'a sparse parameter file',
};

function withZeros({ tensors, texts }: SparseFile): TensorFile {
  return { tensors: new Map(Array.from(tensors, ([name, tensor]) => [name, toDense(tensor)])), texts };
}

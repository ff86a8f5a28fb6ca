/** From one format of parameter files to another. */
import { extname } from 'node:path';
import { CheckpointError } from '../base/errors.js';
import { writeFileAtomic } from '../base/files.js';
import type { Network } from '../nn/network.js';
import { fromTensorFile } from './checkpoint.js';
import { readTensorFile, WRITABLE, writeTensorFile } from './file-format.js';
import { parameterShapes } from './layer-names.js';
import { type NetworkHints, networkOf } from './network-of.js';
import { encodeOnnx } from './onnx.js';
import { parametersOf } from './optimizer-state.js';
import type { TensorFile } from './tensor-file.js';
import { writeTfjs } from './tfjs.js';

/** What became of a parameter file. */
export interface Conversion {
  /** Which network its parameters are for, where that had to be known. */
  readonly network: Network | undefined;
  /** The names of entries that the new format has no place for. */
  readonly leftOut: readonly string[];
}

/**
 * Reads a parameter file of any known format and writes it in the format of `to`'s extension. `.ckpt` and `.safetensors` hold
 * all entries, in their order; numbers become Float32 and Int32. `.caffemodel`, `.mtsp`, `.json` (TensorFlow.js) and `.onnx` hold the
 * parameters alone; the last two hold the whole network, which is found by the parameters' names and shapes.
 *
 * @param hints which network it is; where given, the parameters must be its own
 * @throws CheckpointError `E_CKPT_EXTENSION` for another extension, `E_CKPT_NETWORK` when the network is not known, and as
 *   `readTensorFile`, `writeTensorFile` and `matchParameters` do
 * @throws StorageError `E_WRITE` when `to` cannot be written
 */
export async function convertCheckpoint(from: string, to: string, hints: NetworkHints = {}): Promise<Conversion> {
  const extension = extname(to).toLowerCase();
  const writeNetwork = NETWORK_WRITERS.get(extension);
  if (writeNetwork === undefined && !WRITABLE.includes(extension)) {
    const allowed = [...WRITABLE, ...NETWORK_WRITERS.keys()].join(', ');
    throw new CheckpointError('E_CKPT_EXTENSION', `${to}: its extension says what to convert to: ${allowed}`);
  }
  const file = await readTensorFile(from);
  const parameters = parametersOf(file);
  const wantsNetwork = writeNetwork !== undefined || hints.network !== undefined;
  const network = wantsNetwork ? networkOf(parameters, { trained: trainedOn(file, from), ...hints }, from) : undefined;
  if (network === undefined || writeNetwork === undefined) {
    await writeTensorFile(to, file);
    return { network, leftOut: PARAMETERS_ALONE.has(extension) ? namesBut(file, parameters) : [] };
  }
  await writeNetwork(to, file, network);
  return { network, leftOut: namesBut(file, parameterShapes(network)) };
}

/** Of formats without a network, those that hold nothing but parameters. */
const PARAMETERS_ALONE: ReadonlySet<string> = new Set(['.caffemodel', '.mtsp']);

type WriteNetwork = (path: string, file: TensorFile, network: Network) => Promise<void>;

/** Formats that hold a network with its layers. */
const NETWORK_WRITERS: ReadonlyMap<string, WriteNetwork> = new Map<string, WriteNetwork>([
  ['.json', writeTfjs],
  ['.onnx', (path, file, network) => writeFileAtomic(path, encodeOnnx(network, parametersOf(file)))],
]);

/** What a checkpoint of ours calls its network. */
function trainedOn(file: TensorFile, source: string): string | undefined {
  const name = fromTensorFile(file, source).state?.['network'];
  return typeof name === 'string' ? name : undefined;
}

/** The names of a file's entries but those kept. */
function namesBut({ tensors, texts }: TensorFile, kept: ReadonlyMap<string, unknown>): readonly string[] {
  return [...tensors.keys(), ...texts.keys()].filter((name) => !kept.has(name));
}

/** A checkpoint: parameters, optimizer state, epoch, step and random state, enough to go on bit for bit. */
import { CheckpointError } from '../base/errors.js';
import { readTensorFile, writeTensorFile } from './file-format.js';
import { isOptimizerState, parametersOf } from './optimizer-state.js';
import { formatState, type JsonObject, parseState } from './state.js';
import { type Float32Tensor, quoted, type Tensor, type TensorFile } from './tensor-file.js';

/** What a parameter file holds: parameters, and what else training needs to go on. */
export interface Checkpoint {
  /** By name: `conv1.weight`. */
  readonly parameters: ReadonlyMap<string, Float32Tensor>;
  /**
   * Named as MindSpore does: `moments.conv1.weight` for momentum, `moment1.…` and `moment2.…` for Adam, scalars such as
   * `learning_rate`, `momentum`, `beta1_power`.
   */
  readonly optimizer: ReadonlyMap<string, Float32Tensor>;
  /** Epochs done. */
  readonly epoch: number;
  /** Optimizer steps done, over all epochs. */
  readonly step: number;
  /** What else is needed to go on: seed, batch size, the callbacks' states, … */
  readonly state?: JsonObject;
}

/**
 * Writes a checkpoint as `.ckpt` or `.safetensors`, or its parameters alone as `.caffemodel`, whole or not at all. The same
 * checkpoint gives the same bytes.
 *
 * @throws CheckpointError `E_CKPT_EXTENSION`, `E_CKPT_NAME`, `E_CKPT_VALUE`, `E_CKPT_STATE` for what cannot be written
 * @throws StorageError `E_WRITE` when the disk is full, …; the old file stays
 */
export async function saveCheckpoint(path: string, checkpoint: Checkpoint): Promise<void> {
  await writeTensorFile(path, toTensorFile(checkpoint));
}

/**
 * Reads a checkpoint of ours or of MindSpore, any safetensors file, a Caffe model, or a TensorFlow.js `model.json`.
 *
 * @throws CheckpointError `E_CKPT_READ`, `E_CKPT_FORMAT`, `E_CKPT_TRUNCATED`, `E_CKPT_CRC`, … naming the file
 */
export async function loadCheckpoint(path: string): Promise<Checkpoint> {
  return fromTensorFile(await readTensorFile(path), path);
}

/**
 * @throws CheckpointError `E_CKPT_NAME` when a parameter is named like optimizer state or the other way round,
 *   `E_CKPT_VALUE` for an impossible epoch or step, `E_CKPT_STATE` for a state that is not JSON
 */
export function toTensorFile({ parameters, optimizer, epoch, step, state }: Checkpoint): TensorFile {
  const named = new Map<string, Tensor>([...parameters, ...optimizer]);
  for (const name of named.keys()) {
    const isSlot = isOptimizerState(name, named);
    if (OURS.has(name) || parameters.has(name) === optimizer.has(name) || optimizer.has(name) !== isSlot) {
      throw new CheckpointError(
        'E_CKPT_NAME',
        `${quoted(name)} cannot be told from ${isSlot ? 'optimizer state' : 'a parameter'} in a file; rename it`,
      );
    }
  }
  // The counts first, which are 8 bytes wide, so that every number in a safetensors file is aligned.
  const tensors = new Map<string, Tensor>([
    ['epoch_num', { shape: [], data: Int32Array.of(requireCount('epoch', epoch)) }],
    ['step_num', { shape: [], data: Int32Array.of(requireCount('step', step)) }],
    ...named,
  ]);
  return { tensors, texts: new Map(state === undefined ? [] : [[STATE, formatState(state)]]) };
}

/**
 * Sorts a file's entries into a checkpoint. A file without `epoch_num` and `step_num` has the epoch 0 and the step of
 * MindSpore's `global_step`, or 0; other integers and texts are left out.
 *
 * @param source the file's name, for errors
 * @throws CheckpointError `E_CKPT_FORMAT` for a count that is none, `E_CKPT_STATE` for a damaged state
 */
export function fromTensorFile(file: TensorFile, source: string): Checkpoint {
  const parameters = parametersOf(file);
  const optimizer = new Map<string, Float32Tensor>();
  for (const [name, { shape, data }] of file.tensors) {
    if (data instanceof Float32Array && !parameters.has(name)) optimizer.set(name, { shape, data });
  }
  const state = file.texts.get(STATE);
  return {
    parameters,
    optimizer,
    epoch: count(file, 'epoch_num', source) ?? 0,
    step: count(file, 'step_num', source) ?? count(file, 'global_step', source) ?? 0,
    ...(state === undefined ? {} : { state: parseState(state, source) }),
  };
}

const STATE = 'mindts.state';
const OURS: ReadonlySet<string> = new Set(['epoch_num', 'step_num', 'global_step', STATE]);

function requireCount(what: string, value: number): number {
  if (Number.isInteger(value) && value >= 0 && value < 2 ** 31) return value;
  throw new CheckpointError(
    'E_CKPT_VALUE',
    `the ${what} of a checkpoint must be a whole number below 2³¹, not ${value}`,
  );
}

function count({ tensors }: TensorFile, name: string, source: string): number | undefined {
  const tensor = tensors.get(name);
  if (tensor === undefined) return undefined;
  const [value] = tensor.data;
  if (tensor.data instanceof Int32Array && tensor.data.length === 1 && value >= 0) return value;
  throw new CheckpointError('E_CKPT_FORMAT', `${source}: ${quoted(name)} is not one whole number`);
}

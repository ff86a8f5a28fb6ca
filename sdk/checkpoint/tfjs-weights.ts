/**
 * The binary files beside a `model.json`: the weights of a group one after another, cut into shards of 4 MiB. Reading checks the
 * manifest against the bytes that are there before it takes any memory for them.
 */
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CheckpointError, systemReason } from '../base/errors.js';
import { readRegular } from '../base/files.js';
import { decodeTensor, type ElementType } from './elements.js';
import { elementCount, LIMITS, quoted, requireNew, type Tensor } from './tensor-file.js';
import type { Manifest, WeightSpec } from './tfjs-json.js';

const SHARD_BYTES = 4 * 1024 * 1024;
/** Of all shards of a model together: what other parameter files may have. */
const MAX_BYTES = 2 ** 31;

/** A file of weights and its name. */
export interface Shard {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Cuts weights into shards. Their names hold a hash of what is in them and of the model's own file name, so that shards of
 * two models are never taken for each other: `group1-0123456789abcdef-shard1of2.bin`.
 *
 * @param model the file name of the `model.json`
 */
export function cutShards(model: string, weights: Uint8Array): readonly Shard[] {
  const hash = createHash('sha256').update(`${model}\0`).update(weights).digest('hex').slice(0, 16);
  const count = Math.ceil(weights.length / SHARD_BYTES);
  return Array.from({ length: count }, (_, i) => ({
    name: `group1-${hash}-shard${i + 1}of${count}.bin`,
    bytes: weights.subarray(i * SHARD_BYTES, (i + 1) * SHARD_BYTES),
  }));
}

/** Whether a file's name is one that {@link cutShards} gives. */
export function isOurShard(name: string): boolean {
  return /^group1-[0-9a-f]{16}-shard\d+of\d+\.bin$/.test(name);
}

/**
 * Reads all weights of a manifest, by their names in it; an optimizer's are left out.
 *
 * @param path the `model.json`, beside which the shards lie
 * @throws CheckpointError `E_CKPT_READ`, `E_CKPT_PATH`, `E_CKPT_TRUNCATED`, `E_CKPT_FORMAT`, `E_CKPT_LIMIT`, `E_CKPT_DUPLICATE`,
 *   `E_CKPT_TYPE`, `E_CKPT_RANGE`
 */
export async function readWeights(path: string, manifest: Manifest): Promise<ReadonlyMap<string, Tensor>> {
  const result = new Map<string, Tensor>();
  const paths = manifest.flatMap((group) => group.paths);
  for (const shard of paths) requireInside(shard, path);
  if (new Set(paths).size < paths.length) throw malformed(path, 'its manifest names one file twice');
  let left = MAX_BYTES;
  for (const group of manifest) {
    const lengths = group.weights.map((spec) => byteLength(spec, path));
    const expected = lengths.reduce((sum, length) => sum + length, 0);
    if (expected > left) {
      throw new CheckpointError('E_CKPT_LIMIT', `${path}: describes more than ${MAX_BYTES} bytes of weights`);
    }
    left -= expected;
    const bytes = await readGroup(path, group.paths, expected);
    let at = 0;
    for (const [i, spec] of group.weights.entries()) {
      const content = bytes.subarray(at, at + lengths[i]);
      at += lengths[i];
      if (spec.group === 'optimizer') continue;
      requireNew([result], spec.name, path);
      result.set(spec.name, decodeWeight(spec, content, path));
    }
  }
  return result;
}

/** The shards of a group, put together. */
async function readGroup(path: string, shards: readonly string[], expected: number): Promise<Uint8Array> {
  const files = shards.map((shard) => join(dirname(path), shard));
  let size = 0;
  for (const file of files) size += (await reading(file, stat(file))).size;
  requireLength(path, size, expected);
  const parts: Uint8Array[] = [];
  for (const file of files) parts.push(await reading(file, readRegular(file)));
  const bytes = Buffer.concat(parts);
  requireLength(path, bytes.length, expected);
  return bytes;
}

async function reading<T>(file: string, operation: Promise<T>): Promise<T> {
  try {
    return await operation;
  } catch (error) {
    throw new CheckpointError('E_CKPT_READ', `cannot read ${file}: ${systemReason(error)}`, { cause: error });
  }
}

function requireLength(path: string, found: number, expected: number): void {
  if (found < expected) {
    throw new CheckpointError(
      'E_CKPT_TRUNCATED',
      `${path}: its weights need ${expected} bytes, and the .bin files beside it hold ${found}; copy them again`,
    );
  }
  if (found > expected) {
    throw malformed(
      path,
      `its weights need ${expected} bytes, and the .bin files beside it hold ${found}; do they belong to it?`,
    );
  }
}

/** A shard lies beside the model or in a folder there: nothing else is read on a file's word. */
function requireInside(shard: string, path: string): void {
  const isInside =
    !/[\\:\0]/.test(shard) && shard.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
  if (isInside) return;
  throw new CheckpointError(
    'E_CKPT_PATH',
    `${path}: names ${quoted(shard)} as a file of weights; one may lie only beside it, by its plain name`,
  );
}

/** What the manifest may say that a weight, or its quantized form, is. */
const TYPES: ReadonlyMap<string, { readonly type: ElementType; readonly bytes: number }> = new Map([
  ['float32', { type: 'Float32', bytes: 4 }],
  ['float16', { type: 'Float16', bytes: 2 }],
  ['int32', { type: 'Int32', bytes: 4 }],
  ['uint16', { type: 'UInt16', bytes: 2 }],
  ['uint8', { type: 'UInt8', bytes: 1 }],
  ['bool', { type: 'Bool', bytes: 1 }],
]);

function storedType(
  { name, dtype, quantization }: WeightSpec,
  source: string,
): { readonly type: ElementType; readonly bytes: number } {
  const stored = quantization?.dtype ?? dtype;
  const found = TYPES.get(stored);
  if (found !== undefined) return found;
  throw new CheckpointError(
    'E_CKPT_TYPE',
    `${source}: ${quoted(name)} has the type ${quoted(stored)}, which cannot be read`,
  );
}

function byteLength(spec: WeightSpec, source: string): number {
  const { shape, name } = spec;
  if (shape.length > LIMITS.dimensions) throw malformed(source, `${quoted(name)} has ${shape.length} dimensions`);
  return elementCount(shape) * storedType(spec, source).bytes;
}

function decodeWeight(spec: WeightSpec, bytes: Uint8Array, source: string): Tensor {
  const { name, shape, dtype, quantization } = spec;
  const stored = decodeTensor(storedType(spec, source).type, shape, bytes, { source, name });
  if (quantization?.dtype === undefined || quantization.dtype === 'float16') return stored;
  // value = scale · q + min, in double, then rounded to the type: as TensorFlow.js does.
  const { scale, min } = quantization;
  if (scale === undefined || min === undefined || !(stored.data instanceof Int32Array)) {
    throw malformed(source, `${quoted(name)} is quantized without a scale and a min`);
  }
  if (dtype !== 'float32' && dtype !== 'int32') {
    throw new CheckpointError(
      'E_CKPT_TYPE',
      `${source}: ${quoted(name)} is a quantized ${quoted(dtype)}, which cannot be read`,
    );
  }
  const isFloat = dtype === 'float32';
  const data = isFloat ? new Float32Array(stored.data.length) : new Int32Array(stored.data.length);
  for (const [i, q] of stored.data.entries()) {
    const value = isFloat ? q * scale + min : Math.round(q * scale + min);
    data[i] = value;
    if (isFloat ? !Number.isFinite(data[i]) : data[i] !== value) {
      throw new CheckpointError(
        'E_CKPT_RANGE',
        `${source}: ${quoted(name)} holds ${value}, which does not fit ${dtype}`,
      );
    }
  }
  return { shape, data };
}

function malformed(source: string, what: string): CheckpointError {
  return new CheckpointError('E_CKPT_FORMAT', `${source}: not a TensorFlow.js model, or damaged: ${what}`);
}

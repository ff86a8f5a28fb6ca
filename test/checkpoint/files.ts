/** Tensor files to test with. */
import * as fc from 'fast-check';
import { CheckpointError } from '../../sdk/base/errors.js';
import type { Tensor, TensorFile } from '../../sdk/checkpoint/tensor-file.js';

export function tensorFile(tensors: Record<string, Tensor>, texts: Record<string, string> = {}): TensorFile {
  return { tensors: new Map(Object.entries(tensors)), texts: new Map(Object.entries(texts)) };
}

export function floats(
  shape: readonly number[],
  ...values: number[]
): { shape: readonly number[]; data: Float32Array } {
  return { shape, data: Float32Array.from(values) };
}

/** The entries as plain values, in order, bit for bit. */
export function plain({ tensors, texts }: TensorFile): unknown {
  return {
    tensors: Array.from(tensors, ([name, { shape, data }]) => [
      name,
      shape,
      data.constructor.name,
      Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex'),
    ]),
    texts: [...texts],
  };
}

/** The code of the CheckpointError that `run` throws; any other error passes through, none gives 'none'. */
export function codeOf(run: () => unknown): string {
  try {
    run();
    return 'none';
  } catch (error) {
    if (error instanceof CheckpointError) return error.code;
    throw error;
  }
}

const name: fc.Arbitrary<string> = fc
  .oneof(
    fc.constantFrom('conv1.weight', 'fc.bias', '0', '10', '__proto__', 'constructor', '', '層.重み', 'a"b\\', '😀'),
    fc.string({ unit: 'grapheme', maxLength: 12 }),
  )
  .filter((text) => !['epoch_num', 'step_num', 'crc_num', 'mindts.crc32', '__metadata__'].includes(text));

const tensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 }), fc.boolean(), fc.infiniteStream(fc.integer()))
  .map(([shape, isFloat, bits]) => {
    // Any 32 bits, so that NaNs of every kind, infinities and subnormals are among them.
    const data = Int32Array.from({ length: shape.reduce((n, d) => n * d, 1) }, () => Number(bits.next().value));
    return { shape, data: isFloat ? new Float32Array(data.buffer) : data };
  });

const text: fc.Arbitrary<string> = fc
  .string({ unit: 'binary', maxLength: 20 })
  .filter((value) => !value.endsWith('\0'));

/** Whatever both formats can hold. */
export const anyTensorFile: fc.Arbitrary<TensorFile> = fc
  .tuple(
    fc.uniqueArray(name, { maxLength: 6 }),
    fc.array(tensor, { minLength: 6, maxLength: 6 }),
    fc.array(text, { minLength: 6, maxLength: 6 }),
    fc.nat({ max: 6 }),
  )
  .map(([names, tensors, texts, split]) => ({
    tensors: new Map(names.slice(0, split).map((key, i) => [key, tensors[i]])),
    texts: new Map(names.slice(split).map((key, i) => [key, texts[i]])),
  }));

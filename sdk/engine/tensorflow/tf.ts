/** What the engine uses of TensorFlow.js, in types of its own: this package's declarations need none of TensorFlow's packages. */
import { EngineError } from '../../base/errors.js';

/** TensorFlow.js as a program imports it: `@tensorflow/tfjs`, or one of its packages for Node. */
export interface TensorFlowModule {
  readonly version_core: string;
}

/**
 * That a module is all of TensorFlow.js.
 *
 * @throws EngineError `E_TENSORFLOW`
 */
export function requireTensorFlow(module: TensorFlowModule): TensorFlow {
  if (isTensorFlow(module)) return module;
  throw new EngineError(
    'E_TENSORFLOW',
    "tensorflowEngine: tf is not the whole of TensorFlow.js; give it what `import * as tf from '@tensorflow/tfjs'` gives",
  );
}

function isTensorFlow(module: TensorFlowModule): module is TensorFlow {
  return 'valueAndGrads' in module && 'depthwiseConv2d' in module && 'tidy' in module;
}

/** An array, wherever TensorFlow.js keeps it. */
export interface Tensor {
  readonly shape: readonly number[];
  /** Waits for its numbers and copies them. */
  dataSync(): Float32Array | Int32Array | Uint8Array;
  dispose(): void;
}

/** How a window lies: rows and columns. */
type Pair = readonly [number, number];

/** The operations in use. Images are `[n, height, width, channels]`. */
export interface TensorFlow extends TensorFlowModule {
  ready(): Promise<void>;
  backend(): object;
  getBackend(): string;
  /** Frees all that was made meanwhile, but for what is kept and what `compute` returns: a tensor, or arrays and records of them. */
  tidy<T>(compute: () => T): T;
  keep(x: Tensor): Tensor;
  valueAndGrads(f: (...xs: Tensor[]) => Tensor): (xs: Tensor[]) => { value: Tensor; grads: Tensor[] };

  tensor(values: Float32Array | Int32Array, shape: readonly number[], dtype: 'float32' | 'int32'): Tensor;

  clone(x: Tensor): Tensor;
  concat(xs: readonly Tensor[], axis: number): Tensor;
  pad(x: Tensor, paddings: readonly Pair[], value: number): Tensor;
  reshape(x: Tensor, shape: readonly number[]): Tensor;
  slice(x: Tensor, begin: readonly number[], size: readonly number[]): Tensor;
  stack(xs: readonly Tensor[]): Tensor;
  transpose(x: Tensor, axes: readonly number[]): Tensor;

  add(a: Tensor, b: Tensor | number): Tensor;
  addN(xs: readonly Tensor[]): Tensor;
  argMax(x: Tensor, axis: number): Tensor;
  cast(x: Tensor, dtype: 'float32'): Tensor;
  div(a: Tensor, b: Tensor): Tensor;
  equal(a: Tensor, b: Tensor): Tensor;
  mean(x: Tensor, axes?: readonly number[]): Tensor;
  mul(a: Tensor, b: Tensor | number): Tensor;
  sqrt(x: Tensor): Tensor;
  square(x: Tensor): Tensor;
  sub(a: Tensor, b: Tensor): Tensor;
  sum(x: Tensor, axis?: number): Tensor;
  where(condition: Tensor, a: Tensor, b: Tensor): Tensor;
  zerosLike(x: Tensor): Tensor;

  avgPool(x: Tensor, size: Pair, strides: Pair, pad: 'valid'): Tensor;
  conv2d(x: Tensor, filter: Tensor, strides: Pair, pad: 'valid'): Tensor;
  depthwiseConv2d(x: Tensor, filter: Tensor, strides: Pair, pad: 'valid'): Tensor;
  logSoftmax(x: Tensor): Tensor;
  matMul(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor;
  maxPool(x: Tensor, size: Pair, strides: Pair, pad: 'valid'): Tensor;
  relu(x: Tensor): Tensor;
  softmax(x: Tensor): Tensor;
}

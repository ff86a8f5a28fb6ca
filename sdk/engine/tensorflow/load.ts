/** Finds TensorFlow.js for Node where a person installed it: in one of two packages that this one does not bring along. */
import { createRequire } from 'node:module';
import { EngineError, systemCode } from '../../base/errors.js';
import { requireTensorFlow, type TensorFlow, type TensorFlowModule } from './tf.js';

/** The packages, the better one first. */
const PACKAGES = ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node'] as const;

/** TensorFlow.js, ready to compute. */
export interface LoadedTensorFlow {
  readonly tf: TensorFlow;
  readonly package: (typeof PACKAGES)[number];
}

/**
 * Loads `@tensorflow/tfjs-node-gpu`, or else `@tensorflow/tfjs-node`.
 *
 * @throws EngineError `E_DEVICE` when neither is installed, or it does not work here
 */
export async function loadTensorFlow(): Promise<LoadedTensorFlow> {
  const name = PACKAGES.find(isInstalled);
  if (name === undefined) {
    throw new EngineError(
      'E_DEVICE',
      '--device_target GPU needs TensorFlow.js, which is not installed: run `npm install @tensorflow/tfjs-node-gpu` where there is an NVIDIA GPU with CUDA 11 and cuDNN 8, or use --device_target CPU',
    );
  }
  try {
    const { default: loaded }: { default: TensorFlowModule } = await import(name);
    const tf = requireTensorFlow(loaded);
    // It may load and yet compute nothing: 4.22 does so from Node 23 on.
    tf.tidy(() => tf.square(tf.tensor(Float32Array.of(2), [1], 'float32')).dataSync());
    return { tf, package: name };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
    throw new EngineError(
      'E_DEVICE',
      `--device_target GPU: ${name} is installed but does not work here (${reason}). Its native part comes with \`npm rebuild ${name}\`; version 4.22 runs on Node 20 and 22, and this is ${process.version}. Or use --device_target CPU`,
      { cause: error },
    );
  }
}

/** Whether TensorFlow computes on a GPU. */
export function usesGpu(tf: TensorFlow): boolean {
  const backend = tf.backend();
  return 'isUsingGpuDevice' in backend && backend.isUsingGpuDevice === true;
}

const { resolve } = createRequire(import.meta.url);

function isInstalled(name: string): boolean {
  try {
    resolve(name);
    return true;
  } catch (error) {
    if (systemCode(error) === 'MODULE_NOT_FOUND') return false;
    throw error;
  }
}

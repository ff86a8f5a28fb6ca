/** The engine that TensorFlow.js runs: the way to a GPU. */
import { log } from '../../base/log.js';
import type { Engine } from '../engine.js';
import { loadTensorFlow, usesGpu } from './load.js';
import { compileProgram } from './program.js';
import { requireTensorFlow, type TensorFlow, type TensorFlowModule } from './tf.js';

/**
 * The TensorFlow engine: `@tensorflow/tfjs-node-gpu` on a GPU, or else `@tensorflow/tfjs-node` on the processors, with a warning; install
 * one of them beside `mindts`. Any other TensorFlow.js does too, where it is given.
 *
 * @param options tf: TensorFlow.js, as `import * as tf from '@tensorflow/tfjs'` gives it; it computes on the backend it was set to
 * @throws EngineError `E_DEVICE` when neither package is there, or it does not work here; `E_TENSORFLOW` when `tf` is something else
 */
export async function tensorflowEngine({ tf: given }: { readonly tf?: TensorFlowModule } = {}): Promise<Engine> {
  const tf = given === undefined ? await installed() : requireTensorFlow(given);
  await tf.ready();
  const device = usesGpu(tf) ? 'GPU' : `${tf.getBackend()} backend, no GPU`;
  return {
    name: 'tensorflow',
    description: `TensorFlow.js ${tf.version_core} (${device})`,
    compile: (network, options) => compileProgram(tf, network, options),
  };
}

async function installed(): Promise<TensorFlow> {
  const { tf, package: name } = await loadTensorFlow();
  if (!usesGpu(tf)) {
    const why =
      name === '@tensorflow/tfjs-node'
        ? 'is the one without GPU: `npm install @tensorflow/tfjs-node-gpu` has it'
        : 'sees no GPU; it needs an NVIDIA driver, CUDA 11 and cuDNN 8';
    log.warn(`${name} ${why}. Until then it runs on the processors, slower than --device_target CPU`);
  }
  return tf;
}

/** Which engine a device target means. */
import { EngineError } from '../base/errors.js';
import { log } from '../base/log.js';
import type { Engine } from './engine.js';
import { nativeEngine } from './native/native.js';
import { referenceEngine } from './reference/reference.js';
import { tensorflowEngine } from './tensorflow/tensorflow.js';

/** What `--device_target` may say. */
export const DEVICE_TARGETS = ['CPU', 'Ascend', 'GPU'] as const;
/** One of {@link DEVICE_TARGETS}. */
export type DeviceTarget = (typeof DEVICE_TARGETS)[number];

/**
 * The engine for a device target: `CPU` is {@link cpuEngine}; `GPU` is {@link tensorflowEngine}; `Ascend`, which OpenI passes by
 * default, means the CPUs of that machine.
 *
 * @param options target: default `CPU`; threads: for CPUs, default the processors this process may use
 * @throws EngineError `E_DEVICE` for `GPU` where TensorFlow.js is not installed or does not work
 * @example
 * const { name } = await selectEngine(); // 'native', or 'reference' without a compiler
 */
export async function selectEngine({
  target = 'CPU',
  threads,
}: {
  readonly target?: DeviceTarget;
  readonly threads?: number;
} = {}): Promise<Engine> {
  switch (target) {
    case 'CPU':
      return cpuEngine({ threads });
    case 'Ascend':
      log.warn(
        'there is no Ascend engine yet: running on the CPUs of this machine (--device_target CPU says the same)',
      );
      return cpuEngine({ threads });
    case 'GPU':
      return tensorflowEngine();
    default:
      throw target satisfies never;
  }
}

/**
 * The best engine of this machine's CPUs: the native one, or the reference engine where no native library is, with a warning that says so.
 *
 * @param options threads: default the processors this process may use
 * @throws EngineError `E_INSTRUCTION_SET` when `MINDTS_INSTRUCTION_SET` names one that this machine lacks
 */
export function cpuEngine({ threads }: { readonly threads?: number } = {}): Engine {
  try {
    return nativeEngine({ threads });
  } catch (error) {
    if (!(error instanceof EngineError) || !error.code.startsWith('E_NATIVE')) throw error;
    log.warn(`${error.message}. Until then the reference engine is used: same results, about a hundred times slower`);
    return referenceEngine();
  }
}

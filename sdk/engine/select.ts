/** Which engine a device target means. */
import { EngineError } from '../base/errors.js';
import { log } from '../base/log.js';
import type { Engine } from './engine.js';
import { nativeEngine } from './native/native.js';
import { referenceEngine } from './reference/reference.js';

/** What `--device_target` may say. */
export const DEVICE_TARGETS = ['CPU', 'Ascend', 'GPU'] as const;
/** One of {@link DEVICE_TARGETS}. */
export type DeviceTarget = (typeof DEVICE_TARGETS)[number];

/**
 * The engine for a device target: `CPU` is the native engine, or the reference engine where no native library is,
 * with a warning that says so; `Ascend`, which OpenI passes by default, means the CPUs of that machine.
 *
 * @param options target: default `CPU`; threads: default the processors this process may use
 * @throws EngineError `E_DEVICE` for `GPU`, which needs an engine that is not part of this version
 * @example
 * const { name } = selectEngine(); // 'native', or 'reference' without a compiler
 */
export function selectEngine({
  target = 'CPU',
  threads,
}: {
  readonly target?: DeviceTarget;
  readonly threads?: number;
} = {}): Engine {
  switch (target) {
    case 'CPU':
      return cpuEngine(threads);
    case 'Ascend':
      log.warn(
        'there is no Ascend engine yet: training on the CPUs of this machine (--device_target CPU says the same)',
      );
      return cpuEngine(threads);
    case 'GPU':
      throw new EngineError('E_DEVICE', '--device_target GPU: this version trains on CPUs only; use CPU');
    default:
      throw target satisfies never;
  }
}

function cpuEngine(threads: number | undefined): Engine {
  try {
    return nativeEngine(threads === undefined ? {} : { threads });
  } catch (error) {
    if (!(error instanceof EngineError) || !error.code.startsWith('E_NATIVE')) throw error;
    log.warn(`${error.message}. Until then the reference engine is used: same results, about a hundred times slower`);
    return referenceEngine();
  }
}

/** On which instruction sets this machine can test the native engine. */
import { EngineError } from '../../sdk/base/errors.js';
import { instructionSets } from '../../sdk/engine/native/native.js';

/** None where there is no native library. */
export function availableSets(): readonly string[] {
  try {
    return instructionSets();
  } catch (error) {
    if (error instanceof EngineError && error.code === 'E_NATIVE_ABSENT') return [];
    throw error;
  }
}

/** Options of a test that needs the library. */
export const needsLibrary: { readonly skip: string | false } = {
  skip: availableSets().length === 0 && 'there is no native library; build it with node native/build.mjs',
};

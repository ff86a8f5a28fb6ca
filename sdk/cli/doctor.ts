/** `mindts doctor`: what this machine can do, what is missing, and what to do about it. */

import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { EngineError } from '../base/errors.js';
import { packageVersion } from '../base/package.js';
import { loadLibrary } from '../engine/native/library.js';
import { nativeEngine } from '../engine/native/native.js';
import { referenceEngine } from '../engine/reference/reference.js';
import { tensorflowEngine } from '../engine/tensorflow/tensorflow.js';
import { onPlatform, workFolder } from '../platform/work-folders.js';
import { runToEnd } from './report.js';

/** Prints a report; exit code 1 when the native engine cannot be used. */
export async function doctor(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help') || argv.includes('-h')) {
    console.log(
      'mindts doctor: says what this machine can do, and what is missing. Exit code 1 without the native engine.',
    );
    return;
  }
  row('mindts', packageVersion());
  row('node', `${process.version}, ${process.platform}-${process.arch}`);
  row('processor', `${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} to use`);
  row('memory', `${gibibytes(freemem())} of ${gibibytes(totalmem())} GiB free`);
  row('work', onPlatform() ? '/cache (a platform: it can be written)' : dirname(dirname(workFolder('data', '.'))));
  await runToEnd(argv, async () => {
    try {
      const { path, instructionSets } = loadLibrary();
      row('native', `${path}: ${instructionSets().join(', ')}`);
      row('CPU', nativeEngine().description);
    } catch (error) {
      const isMissing = error instanceof EngineError && error.code.startsWith('E_NATIVE');
      if (isMissing) row('CPU', `reference (${referenceEngine().description}): about a hundred times slower`);
      throw error;
    }
  });
  row('Ascend', 'the same as CPU, until there is an engine for it');
  row('GPU', await gpu());
}

/** What would train on a GPU, or why nothing can. */
async function gpu(): Promise<string> {
  try {
    return (await tensorflowEngine()).description;
  } catch (error) {
    if (error instanceof EngineError) return error.message;
    throw error;
  }
}

function row(name: string, value: string): void {
  console.log(`${name.padEnd(10)} ${value}`);
}

function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

/** Where a benchmark works: a temporary folder, on a machine that had better be quiet. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { log } from '../sdk/base/log.js';

/** A folder, in another one or where such folders are, that goes when this process ends; signals end it too. */
export function temporaryFolder(parent: string = tmpdir()): string {
  const folder = mkdtempSync(join(resolve(parent), 'mindts-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));
  return folder;
}

/** Warns where others use the processors. */
export function warnWhereBusy(): void {
  if (loadavg()[0] <= availableParallelism() / 2) return;
  log.warn(`this machine is busy (load ${loadavg()[0].toFixed(1)}): these figures will not be worth keeping`);
}

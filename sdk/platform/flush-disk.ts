/** Makes many files survive a power cut at one stroke: an fsync for each would take longer than to write them. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { StorageError, systemReason } from '../base/errors.js';

/**
 * Flushes the disk that a folder lies on; where the `sync` command knows no single disk, all of them.
 *
 * @throws StorageError `E_WRITE` when it cannot
 */
export async function flushDisk(folder: string): Promise<void> {
  const run = promisify(execFile);
  try {
    // Systems whose command knows no `-f` say so; to flush all disks then is the same, and more.
    await run('sync', ['-f', folder]).catch(() => run('sync'));
  } catch (error) {
    const reason = systemReason(error);
    throw new StorageError('E_WRITE', `cannot flush ${folder} with the sync command: ${reason}`, { cause: error });
  }
}

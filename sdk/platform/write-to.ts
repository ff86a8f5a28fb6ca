/** Results of commands that write files: written on this machine, then copied to the URL that was named. */
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { MindtsError } from '../base/errors.js';
import { copy, copyParallel } from '../storage/copy.js';
import { localPathOf, writableStoreFor } from '../storage/stores.js';
import { joinUrl, nameOf, shownUrl } from '../storage/url.js';

/**
 * Lets `write` make a file or folder, and brings it to `url`: a local one is written where it shall stand, another in a temporary folder
 * first, and then copied with all that was written beside it (a TensorFlow.js model's weights), itself last.
 *
 * @param write gets the path to write, whose name is that of the URL
 * @returns what `write` returns
 * @throws StorageError `E_SCHEME`, `E_READ_ONLY` before anything is written; what `write` throws, its path being called by the URL
 * @example
 * await writeTo('out/a.txt', (path) => writeFileAtomic(path, 'seven'));
 */
export async function writeTo<T>(url: string, write: (path: string) => Promise<T>): Promise<T> {
  const local = localPathOf(url);
  // A plain path as it was written: that is how errors call it.
  if (local !== undefined) return write(url.includes('://') ? local : url);
  await writableStoreFor(url);
  const folder = await mkdtemp(join(tmpdir(), 'mindts-'));
  const path = join(folder, nameOf(url));
  try {
    const result = await write(path);
    if ((await stat(path)).isDirectory()) await copyParallel(path, url, { overwrite: true });
    else {
      for (const name of await readdir(folder)) {
        if (name !== nameOf(url)) await copy(join(folder, name), joinUrl(dirname(url), name));
      }
      await copy(path, url);
    }
    return result;
  } catch (error) {
    if (error instanceof MindtsError) error.message = error.message.replaceAll(path, shownUrl(url));
    throw error;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Archives in stores, unpacked while they come. */
import { unpack } from '../archive/unpack.js';
import { startProgress } from '../base/progress.js';
import { stat } from '../storage/calls.js';
import type { Entry } from '../storage/store.js';
import { storeFor } from '../storage/stores.js';
import { nameOf } from '../storage/url.js';
import { archiveAt } from './archive-source.js';

/** As much as a folder may come to. What bounds it besides is the disk, and how far an archive may grow. */
const MOST_BYTES = 2 ** 40;

/**
 * Unpacks an archive of any store into a folder, all of it or nothing, and shows how far it is.
 *
 * @param known what `stat` says of it, where that was asked
 * @throws StorageError `E_NOT_FOUND`; ArchiveError for what is no archive, damaged or hostile
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await makeZip('in', 'in.zip');
 * await unpackHere('in.zip', 'out');
 */
export async function unpackHere(url: string, folder: string, known?: Entry): Promise<void> {
  const entry = known ?? (await stat(url));
  const archive = archiveAt(url, entry, await storeFor(url));
  const progress = startProgress({ label: `unpacking ${nameOf(url)}`, total: entry.size, unit: 'bytes' });
  try {
    const { files } = await unpack(archive, folder, {
      maxBytes: MOST_BYTES,
      onProgress: (reached) => progress.update(reached.packed, `${reached.files} files`),
    });
    progress.done(`${files} files`);
  } catch (error) {
    progress.fail();
    throw error;
  }
}

import { open } from 'node:fs/promises';
import { systemCode } from '../base/errors.js';
import { readingFailed } from './zip-error.js';
import { isZipStart } from './zip-file.js';

/**
 * Whether a file begins as a zip does; false for a folder. Its name does not matter, nor whether it is whole.
 *
 * @throws ArchiveError `E_ZIP_NOT_FOUND`, `E_ZIP_READ`
 * @example
 * await writeFileAtomic('a.zip', 'not really');
 * await isZip('a.zip'); // false
 */
export async function isZip(path: string): Promise<boolean> {
  try {
    const file = await open(path);
    try {
      const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
      return isZipStart(buffer);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (systemCode(error) === 'EISDIR') return false;
    throw readingFailed(path, error);
  }
}

/** The front door: unpacks whatever archive it is given. */
import { refusalOf } from './archive-error.js';
import { type ArchiveSource, kindOf, withSource } from './archive-source.js';
import type { UnpackOptions, UnpackResult } from './tally.js';
import { untarSource } from './untar.js';
import { unzipSource } from './unzip.js';

/**
 * Unpacks a zip, a tar or a tar.gz into a folder, all of it or nothing, as `unzip` and `untar` do. Which it is is told by its
 * first bytes, whatever it is called.
 *
 * @param archive a path, or where else to read it from
 * @throws ArchiveError `E_ARCHIVE_KIND` for anything else, `E_ARCHIVE_NOT_FOUND`, `E_ARCHIVE_READ`, and those of `unzip` and `untar`
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await makeZip('in', 'data');
 * await unpack('data', 'out'); // { files: 1, bytes: 5 }
 */
export async function unpack(
  archive: string | ArchiveSource,
  folder: string,
  options: UnpackOptions = {},
): Promise<UnpackResult> {
  return withSource('ARCHIVE', archive, async (source) => {
    const refuse = refusalOf('ARCHIVE', source.name);
    const kind = await kindOf(source, refuse, options.signal);
    switch (kind) {
      case 'zip':
        return unzipSource(source, folder, options);
      case 'gzip':
      case 'tar':
        return untarSource(source, folder, { ...options, isGzip: kind === 'gzip' });
      case undefined:
        throw refuse('KIND', source.size === 0 ? 'is empty' : 'is neither a zip nor a tar');
      default:
        return kind satisfies never;
    }
  });
}

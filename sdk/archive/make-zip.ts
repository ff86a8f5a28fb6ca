/** A folder as a zip. */
import { createReadStream } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import { ArchiveError, systemCode, systemReason } from '../base/errors.js';
import { isPartial } from '../base/files.js';
import { quoted, type Refusal, refusalOf } from './archive-error.js';
import { nameFault } from './entry-name.js';
import { type FileToPack, packZip } from './pack-zip.js';

/**
 * Packs the files and folders of a folder; the same content always gives the same bytes, for names come in
 * order, and times and owners are left out. Leftovers of killed writers are not packed.
 *
 * @throws ArchiveError `E_ZIP_SYMLINK`, `E_ZIP_SPECIAL`, `E_ZIP_PATH`,
 * `E_ZIP_TARGET` for an archive in its own folder, `E_ZIP_NOT_FOUND`, `E_ZIP_READ`, `E_ZIP_WRITE`
 * @example
 * await writeFileAtomic('in/a.txt', 'seven');
 * await makeZip('in', 'out/in.zip');
 */
export async function makeZip(folder: string, archive: string): Promise<void> {
  const refuse = refusalOf('ZIP', archive);
  if (resolve(archive).startsWith(join(resolve(folder), sep))) {
    throw refuse('TARGET', `lies in ${folder}, which it is to hold`);
  }
  await packZip(archive, await itemsOf(folder, refuse));
}

/** What is to be packed, in the order of its names. */
async function itemsOf(folder: string, refuse: Refusal): Promise<readonly FileToPack[]> {
  const items: FileToPack[] = [];
  try {
    for (const found of await readdir(folder, { recursive: true, withFileTypes: true })) {
      const path = join(found.parentPath, found.name);
      const name = relative(folder, path).split(sep).join('/');
      if (name.split('/').some(isPartial)) continue;
      const fault = nameFault(name);
      if (fault !== undefined) throw refuse('PATH', `the name ${quoted(name)} ${fault}`);
      if (found.isSymbolicLink()) throw refuse('SYMLINK', `${quoted(name)} is a link`);
      if (found.isDirectory()) {
        items.push({ name: `${name}/`, content: NOTHING });
      } else if (found.isFile()) {
        const isExecutable = ((await stat(path)).mode & 0o100) !== 0;
        items.push({ name, isExecutable, content: contentOf(path, refuse) });
      } else {
        throw refuse('SPECIAL', `${quoted(name)} is a device, pipe or socket`);
      }
    }
  } catch (error) {
    throw unreadable(folder, error, refuse);
  }
  return items.sort((a, b) => (a.name < b.name ? -1 : 1));
}

const NOTHING: FileToPack['content'] = {
  async *[Symbol.asyncIterator]() {},
};

/** Opened when its turn comes. */
function contentOf(path: string, refuse: Refusal): FileToPack['content'] {
  return {
    async *[Symbol.asyncIterator]() {
      try {
        yield* createReadStream(path);
      } catch (error) {
        throw unreadable(path, error, refuse);
      }
    },
  };
}

function unreadable(path: string, error: unknown, refuse: Refusal): ArchiveError {
  if (error instanceof ArchiveError) return error;
  const fault = systemCode(error) === 'ENOENT' ? 'NOT_FOUND' : 'READ';
  return refuse(fault, `cannot pack ${path}: ${systemReason(error)}`, error);
}

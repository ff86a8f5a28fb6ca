/** Small zips, for results and for tests; the whole archive is made in memory. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve, sep } from 'node:path';
import AdmZip from 'adm-zip';
import { ArchiveError, systemCode, systemReason } from '../base/errors.js';
import { isPartial, writeFileAtomic } from '../base/files.js';
import { quoted, type Refusal, refusalOf } from './archive-error.js';
import { nameFault } from './entry-name.js';

/**
 * Packs the files and folders of a folder; the same content always gives the same bytes, for names come in
 * order, and times and owners are left out. Leftovers of killed writers are not packed.
 *
 * @throws ArchiveError `E_ZIP_TOO_LARGE` for more than 1 GiB, `E_ZIP_SYMLINK`, `E_ZIP_SPECIAL`, `E_ZIP_PATH`,
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
  const content = await pack(folder, refuse);
  try {
    await writeFileAtomic(archive, content);
  } catch (error) {
    throw refuse('WRITE', systemReason(error), error);
  }
}

async function pack(folder: string, refuse: Refusal): Promise<Buffer> {
  try {
    const zip = new AdmZip(undefined, { noSort: true });
    for (const { name, mode } of await itemsOf(folder, refuse)) {
      const content = name.endsWith('/') ? Buffer.alloc(0) : await readFile(join(folder, name));
      // The first day that the format knows, in whatever time zone.
      zip.addFile(name, content, '', mode).header.time = new Date(1980, 0, 1);
    }
    return zip.toBuffer();
  } catch (error) {
    if (error instanceof ArchiveError) throw error;
    throw refuse(
      systemCode(error) === 'ENOENT' ? 'NOT_FOUND' : 'READ',
      `cannot pack ${folder}: ${systemReason(error)}`,
      error,
    );
  }
}

interface Item {
  /** Ends in `/` for a folder. */
  readonly name: string;
  readonly mode: number;
}

const MAX_BYTES = 2 ** 30;

/** What is to be packed, in the order of its names. */
async function itemsOf(folder: string, refuse: Refusal): Promise<readonly Item[]> {
  const items: Item[] = [];
  let bytes = 0;
  for (const found of await readdir(folder, { recursive: true, withFileTypes: true })) {
    const path = join(found.parentPath, found.name);
    const name = relative(folder, path).split(sep).join('/');
    if (name.split('/').some(isPartial)) continue;
    const fault = nameFault(name);
    if (fault !== undefined) throw refuse('PATH', `the name ${quoted(name)} ${fault}`);
    if (found.isSymbolicLink()) throw refuse('SYMLINK', `${quoted(name)} is a link`);
    if (found.isDirectory()) {
      items.push({ name: `${name}/`, mode: 0o755 });
    } else if (found.isFile()) {
      const { mode, size } = await stat(path);
      bytes += size;
      items.push({ name, mode: mode & 0o100 ? 0o755 : 0o644 });
    } else {
      throw refuse('SPECIAL', `${quoted(name)} is a device, pipe or socket`);
    }
  }
  if (bytes > MAX_BYTES) {
    throw refuse('TOO_LARGE', `cannot pack ${folder}: ${bytes} bytes are more than ${MAX_BYTES}`);
  }
  return items.sort((a, b) => (a.name < b.name ? -1 : 1));
}

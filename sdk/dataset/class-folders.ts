/** Folders of images, one for each class: what ImageNet and most collections of photos look like. */
import type { Dirent } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { log } from '../base/log.js';

/** The image files of a folder of class folders. */
export interface ClassFolders {
  /** The names of the class folders, sorted; a name's place is the class number. */
  readonly classNames: readonly string[];
  /** Paths from the folder, `n01440764/n01440764_18.JPEG`, class by class and sorted. */
  readonly files: readonly string[];
  /** One class number per file. */
  readonly labels: Int32Array;
}

const EXTENSIONS = /\.(jpe?g|png|webp|gif|tiff?)$/i;

/**
 * Lists the images of a folder of class folders, those in folders below a class folder included. Names sort by code
 * units, as Python's do. Hidden entries, links and other files are passed over; links with one warning.
 *
 * @param options allowEmpty: a class may be without images, default false
 * @throws DatasetError `E_NOT_FOUND`, `E_EMPTY` (no class folders, no images, or classes without, naming them)
 * @throws StorageError `E_READ`
 */
export async function listClassFolders(
  folder: string,
  { allowEmpty = false }: { readonly allowEmpty?: boolean } = {},
): Promise<ClassFolders> {
  const links: string[] = [];
  const { folders: classNames } = await entriesOf(folder, '', links);
  if (classNames.length === 0) {
    throw new DatasetError('E_EMPTY', `${folder}: holds no class folders, such as ${join(folder, 'cat', '1.jpg')}`);
  }
  const files: string[] = [];
  const labels: number[] = [];
  const empty: string[] = [];
  for (const [label, name] of classNames.entries()) {
    const before = files.length;
    await collect(folder, name, { files, links });
    for (let i = before; i < files.length; i++) labels.push(label);
    if (files.length === before) empty.push(name);
  }
  if (links.length > 0) {
    const passed = links.length === 1 ? `the link ${links[0]}` : `${links.length} links, such as ${links[0]}`;
    log.warn(`${folder}: passed over ${passed}`);
  }
  if (files.length === 0) throw new DatasetError('E_EMPTY', `${folder}: its class folders hold no images`);
  if (empty.length > 0 && !allowEmpty) {
    const shown = empty.slice(0, 5).join(', ') + (empty.length > 5 ? `, … (${empty.length} in all)` : '');
    throw new DatasetError(
      'E_EMPTY',
      `${folder}: no images in the class folders ${shown}: fetch them, or remove the folders; in code, allowEmpty lets them be`,
    );
  }
  return { classNames, files, labels: Int32Array.from(labels) };
}

async function collect(
  root: string,
  path: string,
  found: { readonly files: string[]; readonly links: string[] },
): Promise<void> {
  const { files, folders } = await entriesOf(root, path, found.links);
  for (const name of files) if (EXTENSIONS.test(name)) found.files.push(`${path}/${name}`);
  for (const name of folders) await collect(root, `${path}/${name}`, found);
}

/** The names in a folder, sorted. */
async function entriesOf(
  root: string,
  path: string,
  links: string[],
): Promise<{ readonly files: readonly string[]; readonly folders: readonly string[] }> {
  const folder = join(root, path);
  let entries: Dirent[];
  try {
    entries = await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if (systemCode(error) === 'ENOENT') throw new DatasetError('E_NOT_FOUND', `${folder}: there is no such folder`);
    throw new StorageError('E_READ', `cannot read ${folder}: ${systemReason(error)}`, { cause: error });
  }
  const shown = entries.filter(({ name }) => !name.startsWith('.'));
  for (const entry of shown) if (entry.isSymbolicLink()) links.push(join(folder, entry.name));
  const names = (kind: (entry: Dirent) => boolean): string[] =>
    shown
      .filter(kind)
      .map(({ name }) => name)
      .sort();
  return { files: names((entry) => entry.isFile()), folders: names((entry) => entry.isDirectory()) };
}

/** Brings a job's data set to where it can be read: copied, unpacked, once. */
import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { writeDigits } from '../../datasets/digits.js';
import type { ArchiveSource } from '../archive/archive-source.js';
import { replaceFolder } from '../archive/replace-folder.js';
import { unpack } from '../archive/unpack.js';
import { ArchiveError, DatasetError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { startProgress } from '../base/progress.js';
import { parseModelJson } from '../checkpoint/tfjs-json.js';
import { theseRanks } from '../parallel/ranks.js';
import { stat as fileAt } from '../storage/calls.js';
import { copy, copyParallel } from '../storage/copy.js';
import { showCopy } from '../storage/show-copy.js';
import type { Store } from '../storage/store.js';
import { localPathOf, storeFor } from '../storage/stores.js';
import { joinUrl, nameOf, shownUrl } from '../storage/url.js';
import { archiveAt } from './archive-source.js';
import { flushDisk } from './flush-disk.js';
import { onPlatform, workFolder } from './work-folders.js';

/** The URL that stands for the digits this package draws itself. */
export const BUILTIN_DIGITS = 'builtin:digits';

/**
 * Makes a data set readable on this machine and says where it lies. Of several ranks the first of each machine does it, and the others
 * wait for its word.
 *
 * A local folder is read where it is; one in any other store is copied first. An archive (a zip, tar or tar.gz), or a folder
 * holding one archive and nothing else, is unpacked into the work folder while it comes, without a copy of its own, and kept
 * there for the next run. Where all lies in one inner folder, as `MNISTData/` in some archives, that folder is meant.
 *
 * @param dataUrl a folder, an archive, a folder holding one archive, or `builtin:digits`
 * @param options name: of a folder of its own in the work folder, for one of several data sets
 * @throws StorageError `E_NOT_FOUND`, …; DatasetError `E_EMPTY`, `E_DATA_URL`; ArchiveError for a damaged or hostile archive
 */
export async function prepareData(
  dataUrl: string,
  { name }: { readonly name?: string | undefined } = {},
): Promise<string> {
  return theseRanks().onFirstOfNode(() => prepareHere(dataUrl, name));
}

async function prepareHere(dataUrl: string, name: string | undefined): Promise<string> {
  if (dataUrl === BUILTIN_DIGITS) return drawDigits();
  if (dataUrl.startsWith('builtin:')) {
    throw new DatasetError('E_DATA_URL', `${called(dataUrl, name)}: there is only ${BUILTIN_DIGITS}`);
  }
  const store = await storeFor(dataUrl);
  const entry = await store.stat(dataUrl);
  if (entry === undefined) throw new StorageError('E_NOT_FOUND', `${called(dataUrl, name)}: no such file or folder`);
  if (entry.kind === 'file') {
    const folder = workFolder('data', dataUrl, { name });
    // Not as it stands: a URL may hold a password or a signature.
    const origin = createHash('sha256').update(`${dataUrl} ${entry.size} ${entry.modified}`).digest('hex');
    if (!(await isPreparedFrom(folder, origin))) {
      await unpackData(archiveAt(dataUrl, entry, store), { folder, origin, size: entry.size, dataUrl, name });
    }
    return innermost(folder);
  }
  const archive = await onlyArchive(dataUrl, store, name);
  if (archive !== undefined) return prepareHere(archive, name);
  return innermost(localPathOf(dataUrl) ?? (await copyHere(dataUrl, name)));
}

/**
 * A file as a local path: where it is when it is local, else copied into the work folder.
 *
 * @throws StorageError `E_NOT_FOUND`, `E_NOT_FILE` for a folder, …
 */
export async function fetchFile(url: string): Promise<string> {
  const local = localPathOf(url);
  if (local !== undefined) return local;
  return theseRanks().onFirstOfNode(() => copyFileHere(url));
}

async function copyFileHere(url: string): Promise<string> {
  const { kind } = await fileAt(url);
  if (kind === 'folder') throw new StorageError('E_NOT_FILE', `${shownUrl(url)} is a folder: name a checkpoint in it`);
  // A name like %2e%2e%2fx leads out of the folder, and is refused.
  const path = joinUrl(workFolder('checkpoint', url), nameOf(url));
  log.info(`copied ${await showCopy(url, (onProgress) => copy(url, path, { onProgress }))}`);
  return path;
}

/**
 * A checkpoint as a local path, as {@link fetchFile} gives it; with a TensorFlow.js `model.json` come the files of weights that it names.
 *
 * @throws StorageError `E_NOT_FOUND`, …; CheckpointError `E_CKPT_FORMAT` for a `.json` that is no such model
 */
export async function fetchCheckpoint(url: string): Promise<string> {
  const path = await fetchFile(url);
  if (localPathOf(url) !== undefined || !url.endsWith('.json')) return path;
  return theseRanks().onFirstOfNode(() => copyWeightsOf(url, path));
}

/** The files of weights that a copied `model.json` names, to where it lies. */
async function copyWeightsOf(url: string, path: string): Promise<string> {
  const folder = url.slice(0, url.lastIndexOf('/'));
  const { manifest } = parseModelJson(await readFile(path), shownUrl(url));
  for (const name of manifest.flatMap(({ paths }) => paths))
    await copy(joinUrl(folder, name), join(dirname(path), name));
  return path;
}

async function drawDigits(): Promise<string> {
  const folder = workFolder('data', BUILTIN_DIGITS);
  const origin = `${BUILTIN_DIGITS} seed 1`;
  if (!(await isPreparedFrom(folder, origin))) {
    await rm(markerOf(folder), { force: true });
    await replaceFolder(folder, (fresh) => writeDigits(fresh));
    await writeFileAtomic(markerOf(folder), origin);
    log.info('drew 10000 training and 2000 test digits');
  }
  return folder;
}

async function copyHere(url: string, name: string | undefined): Promise<string> {
  const folder = workFolder('data', url, { name });
  // On a platform the folder is every data set's, and as new as its container.
  const mirror = !onPlatform();
  let files = 0;
  const said = await showCopy(url, async (onProgress) => {
    ({ files } = await copyParallel(url, folder, { onProgress, mirror }));
  });
  if (files > 0) log.info(`copied ${said}`);
  return folder;
}

/** As much as a folder may come to. What bounds it besides is the disk, and how far an archive may grow. */
const MOST_BYTES = 2 ** 40;

async function unpackData(
  archive: string | ArchiveSource,
  {
    folder,
    origin,
    size,
    dataUrl,
    name,
  }: { folder: string; origin: string; size: number; dataUrl: string; name: string | undefined },
): Promise<void> {
  // While the folder is not what the marker says, there is no marker.
  await rm(markerOf(folder), { force: true });
  const progress = startProgress({ label: `unpacking ${nameOf(dataUrl)}`, total: size, unit: 'bytes' });
  try {
    const { files } = await unpack(archive, folder, {
      maxBytes: MOST_BYTES,
      onProgress: (reached) => progress.update(reached.packed, `${reached.files} files`),
    });
    // A marker that outlived a power cut, and its files not, would be a lie.
    await flushDisk(folder);
    progress.done(`${files} files`);
  } catch (error) {
    progress.fail();
    if (error instanceof ArchiveError && error.code === 'E_ARCHIVE_KIND') {
      const what = 'neither a folder nor a zip nor a tar';
      throw new DatasetError('E_DATA_URL', `${called(dataUrl, name)}: ${what}`, { cause: error });
    }
    throw error;
  }
  await writeFileAtomic(markerOf(folder), origin);
}

/** What errors call a data set: by its flag, or by its name among several. */
function called(url: string, name: string | undefined): string {
  return name === undefined ? `--data_url ${shownUrl(url)}` : `data set ${name}, ${shownUrl(url)}`;
}

/** The URL of the archive that is all a folder holds, hidden files aside. */
async function onlyArchive(folder: string, store: Store, dataSet: string | undefined): Promise<string | undefined> {
  const archives: string[] = [];
  let isEmpty = true;
  for await (const { kind, name } of store.list(folder, { recursive: false })) {
    if (name.startsWith('.')) continue;
    isEmpty = false;
    if (kind === 'folder' || !/\.(zip|tar|tar\.gz|tgz)$/i.test(name)) return undefined;
    archives.push(name);
  }
  if (isEmpty) throw new DatasetError('E_EMPTY', `${called(folder, dataSet)}: the folder is empty`);
  if (archives.length > 1) {
    throw new DatasetError(
      'E_DATA_URL',
      `${called(folder, dataSet)}: holds ${archives.length} archives; name one of ${archives.sort().join(', ')}`,
    );
  }
  const local = localPathOf(folder);
  return local === undefined ? joinUrl(folder, archives[0]) : join(local, archives[0]);
}

/** Follows a folder that holds one folder and nothing else. */
export async function innermost(folder: string): Promise<string> {
  // macOS puts a folder of its own into every zip.
  const entries = (await entriesOf(folder)).filter(({ name }) => !name.startsWith('.') && name !== '__MACOSX');
  const [only] = entries;
  const isDataFolder = ['train', 'test', 'val'].includes(only?.name);
  if (entries.length !== 1 || !only.isDirectory() || isDataFolder) return folder;
  return innermost(join(folder, only.name));
}

/** Beside the folder, not in it: the folder holds the user's files alone. */
function markerOf(folder: string): string {
  return `${folder}.prepared`;
}

async function isPreparedFrom(folder: string, origin: string): Promise<boolean> {
  try {
    await stat(folder);
    return (await readFile(markerOf(folder), 'utf8')) === origin;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw new StorageError('E_READ', `cannot read ${folder}: ${systemReason(error)}`, { cause: error });
  }
}

async function entriesOf(folder: string): Promise<readonly Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw new StorageError('E_READ', `cannot read ${folder}: ${systemReason(error)}`, { cause: error });
  }
}

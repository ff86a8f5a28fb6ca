/** Brings a job's data set to where it can be read: copied, unzipped, once. */
import type { Dirent } from 'node:fs';
import { readdir, readFile, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { writeDigits } from '../../datasets/digits.js';
import { isZip } from '../archive/is-zip.js';
import { replaceFolder } from '../archive/replace-folder.js';
import { unzip } from '../archive/unzip.js';
import { DatasetError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { writeFileAtomic } from '../base/files.js';
import { log } from '../base/log.js';
import { startProgress } from '../base/progress.js';
import { parseModelJson } from '../checkpoint/tfjs-json.js';
import { copyFile, copyFolder } from '../storage/copy.js';
import { localPathOf, storeFor } from '../storage/stores.js';
import { joinUrl, nameOf, shownUrl } from '../storage/url.js';
import { workFolder } from './work-folders.js';

/** The URL that stands for the digits this package draws itself. */
export const BUILTIN_DIGITS = 'builtin:digits';

/**
 * Makes a data set readable on this machine and says where it lies.
 *
 * A local folder is read where it is; any other store is copied first. A zip, or a folder holding one zip and
 * nothing else, is unpacked into the work folder, and kept there for the next run. Where all lies in one inner folder,
 * as `MNISTData/` in some archives, that folder is meant.
 *
 * @param dataUrl a folder, a zip, a folder holding one zip, or `builtin:digits`
 * @throws StorageError `E_NOT_FOUND`, …; DatasetError `E_EMPTY`, `E_DATA_URL`; ArchiveError for a damaged or hostile zip
 */
export async function prepareData(dataUrl: string): Promise<string> {
  if (dataUrl === BUILTIN_DIGITS) return drawDigits();
  if (dataUrl.startsWith('builtin:')) {
    throw new DatasetError('E_DATA_URL', `--data_url ${dataUrl}: there is only ${BUILTIN_DIGITS}`);
  }
  const store = await storeFor(dataUrl);
  const entry = await store.stat(dataUrl);
  if (entry === undefined)
    throw new StorageError('E_NOT_FOUND', `--data_url ${shownUrl(dataUrl)}: no such file or folder`);
  const origin = `${dataUrl} ${entry.size} ${entry.modified}`;
  const local = localPathOf(dataUrl);
  if (entry.kind === 'file') {
    const folder = workFolder('data', dataUrl);
    if (await isPreparedFrom(folder, origin)) return innermost(folder);
    const archive = local ?? (await fetchFile(dataUrl));
    await unpack(archive, folder, origin);
    return innermost(folder);
  }
  const folder = local ?? (await copyHere(dataUrl));
  const archive = await onlyZip(folder, dataUrl);
  return archive === undefined ? innermost(folder) : prepareData(archive);
}

/**
 * A file as a local path: where it is when it is local, else copied into the work folder.
 *
 * @throws StorageError `E_NOT_FOUND`, …
 */
export async function fetchFile(url: string): Promise<string> {
  const local = localPathOf(url);
  if (local !== undefined) return local;
  const path = join(workFolder('checkpoint', url), nameOf(url));
  await copyFile(url, path);
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
  const folder = url.slice(0, url.lastIndexOf('/'));
  const { manifest } = parseModelJson(await readFile(path), shownUrl(url));
  for (const name of manifest.flatMap(({ paths }) => paths))
    await copyFile(joinUrl(folder, name), join(dirname(path), name));
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

async function copyHere(url: string): Promise<string> {
  const folder = workFolder('data', url);
  const progress = startProgress({ label: `copying ${shownUrl(url)}`, unit: 'bytes' });
  try {
    const { files } = await copyFolder(url, folder, {
      onProgress: ({ bytes }) => progress.update(bytes),
    });
    progress.done(`${files} files`);
  } catch (error) {
    progress.fail();
    throw error;
  }
  return folder;
}

async function unpack(archive: string, folder: string, origin: string): Promise<void> {
  if (!(await isZip(archive))) {
    throw new DatasetError('E_DATA_URL', `--data_url ${archive}: neither a folder nor a zip`);
  }
  // While the folder is not what the marker says, there is no marker.
  await rm(markerOf(folder), { force: true });
  const progress = startProgress({ label: `unpacking ${basename(archive)}`, unit: 'bytes' });
  try {
    const { files } = await unzip(archive, folder, { onProgress: ({ bytes }) => progress.update(bytes) });
    progress.done(`${files} files`);
  } catch (error) {
    progress.fail();
    throw error;
  }
  await writeFileAtomic(markerOf(folder), origin);
}

/** The zip that is all a folder holds, hidden files aside. */
async function onlyZip(folder: string, url: string): Promise<string | undefined> {
  const names = (await entriesOf(folder)).filter(({ name }) => !name.startsWith('.')).map(({ name }) => name);
  if (names.length === 0) throw new DatasetError('E_EMPTY', `--data_url ${shownUrl(url)}: the folder is empty`);
  const zips = names.filter((name) => name.toLowerCase().endsWith('.zip'));
  if (zips.length === 0 || zips.length < names.length) return undefined;
  if (zips.length > 1) {
    throw new DatasetError(
      'E_DATA_URL',
      `--data_url ${shownUrl(url)}: holds ${zips.length} archives; name one of ${zips.sort().join(', ')}`,
    );
  }
  return join(folder, zips[0]);
}

/** Follows a folder that holds one folder and nothing else. */
async function innermost(folder: string): Promise<string> {
  const entries = (await entriesOf(folder)).filter(({ name }) => !name.startsWith('.'));
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

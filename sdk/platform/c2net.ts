/** `prepare()` and `uploadOutput()`, as the platform's Python package `c2net` has them; docs/platforms.md says what differs. */
import { createHash } from 'node:crypto';
import { readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { DatasetError, MindtsError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { exists, makeFolder, writeFileAtomic } from '../base/files.js';
import { log, redactUrl } from '../base/log.js';
import { theseRanks } from '../parallel/ranks.js';
import { stat } from '../storage/calls.js';
import { copy, copyParallel } from '../storage/copy.js';
import { showCopy } from '../storage/show-copy.js';
import { joinUrl, nameOf } from '../storage/url.js';
import { type C2netSettings, readC2netSettings, type Supply, wrongVariable } from './c2net-settings.js';
import { flushDisk } from './flush-disk.js';
import { unpackHere } from './unpack-here.js';
import { folderNameOf, type NamedUrl } from './url-list.js';

/** Where a task's files lie on this machine. */
export interface C2netContext {
  /** Undefined where the task has none, as in the next two. */
  readonly codePath: string | undefined;
  /** Holds a folder for each data set. */
  readonly datasetPath: string | undefined;
  /** Holds a folder for each model. */
  readonly pretrainModelPath: string | undefined;
  /** Where to write results. */
  readonly outputPath: string;
  readonly tensorboardPath: string | undefined;
}

/**
 * Brings a task's code, data sets and models to this machine, as the platform's variables say. The first rank of each machine does it,
 * the others wait. What was brought before is known by a marker and costs nothing; that of another task does not count.
 *
 * @throws ArgumentError `E_ENVIRONMENT` naming the variable that is missing or wrong; DatasetError `E_DATA_SETS` naming what could not
 * be brought, and why: the rest is kept
 * @example
 * Object.assign(process.env, { DATA_DOWNLOAD_METHOD: 'MOUNT', LOCAL_OUTPUT_PATH: 'output' });
 * const { outputPath } = await prepare();
 */
export async function prepare(): Promise<C2netContext> {
  const settings = readC2netSettings();
  const { code, dataset, pretrainModel, outputPath, tensorboardPath } = settings;
  await theseRanks().onFirstOfNode(async () => {
    for (const supply of [code, dataset, pretrainModel]) await bring(supply, settings);
    for (const path of [outputPath, tensorboardPath]) if (path !== undefined) await made(path);
    return null;
  });
  return {
    codePath: await pathOf(code, settings),
    datasetPath: await pathOf(dataset, settings),
    pretrainModelPath: await pathOf(pretrainModel, settings),
    outputPath,
    tensorboardPath,
  };
}

/**
 * Copies what is in the output folder to `OUTPUT_URL`, from rank 0 alone; where the platform has mounted that folder there is nothing to do.
 *
 * @returns the output folder
 * @throws ArgumentError `E_ENVIRONMENT` when `OUTPUT_URL` is not set; StorageError as `copyParallel` does
 */
export async function uploadOutput(): Promise<string> {
  const { method, outputPath, outputUrl } = readC2netSettings();
  if (method === 'MOUNT') return outputPath;
  if (outputUrl === undefined)
    throw wrongVariable('OUTPUT_URL', `is not set: it says where to copy what is in ${outputPath}`);
  await theseRanks().onFirst(async () => {
    const said = await showCopy(outputPath, (onProgress) => copyParallel(outputPath, outputUrl, { onProgress }));
    log.info(`copied ${said}`);
    return null;
  });
  return outputPath;
}

/** Where something is that the task has: what the platform did not mount, it has not. */
async function pathOf({ path }: Supply, { method }: C2netSettings): Promise<string | undefined> {
  const isThere = path !== undefined && (method !== 'MOUNT' || (await exists(path)));
  return isThere ? path : undefined;
}

async function bring({ kind, path, needsUnzip, ...supply }: Supply, { method }: C2netSettings): Promise<void> {
  if (path === undefined) return;
  if (method === 'MOUNT') {
    if (!needsUnzip || !(await exists(path))) return;
  }
  const sources: readonly Source[] = method === 'MOUNT' ? await archivesIn(path) : supply.sources;
  const targets = sources.map((source) => targetOf(source, { kind, path, needsUnzip }));
  // A hash, and of URLs without what may be secret in them.
  const named = sources.map(({ name, url, version }) => [name, redactUrl(url), version]);
  const origin = createHash('sha256')
    .update(JSON.stringify([method, needsUnzip, named]))
    .digest('hex');
  const marker = join(path, `.${kind}_cache_file`);
  if ((await contentOf(marker)) === origin && (await Promise.all(targets.map(exists))).every(Boolean)) return;

  await made(path);
  await rm(marker, { force: true });
  const failures: string[] = [];
  for (const [i, { name, url }] of sources.entries()) {
    try {
      await bringOne(url, targets[i], needsUnzip);
    } catch (error) {
      if (!(error instanceof MindtsError)) throw error;
      failures.push(`${name}: ${error.message}`);
    }
  }
  if (failures.length > 0) {
    const kept = failures.length < sources.length ? ' (the rest is kept)' : '';
    throw new DatasetError('E_DATA_SETS', `${kind} could not be brought${kept}: ${failures.join('; ')}`);
  }
  // A marker that outlived a power cut, and its files not, would be a lie.
  await flushDisk(path);
  await writeFileAtomic(marker, origin);
}

/** Code lies in its folder as it is; data sets and models in folders of their names. */
function targetOf(
  { name, url }: NamedUrl,
  { kind, path, needsUnzip }: { kind: Supply['kind']; path: string; needsUnzip: boolean },
): string {
  const isArchive = folderNameOf(nameOf(url)) !== nameOf(url);
  if (kind === 'code' && !(needsUnzip && isArchive)) return path;
  return joinUrl(path, needsUnzip ? folderNameOf(name) : name);
}

async function bringOne(url: string, target: string, needsUnzip: boolean): Promise<void> {
  const entry = await stat(url);
  const { kind } = entry;
  if (kind === 'file' && needsUnzip) return unpackHere(url, target, entry);
  const said = await showCopy(url, (onProgress) => {
    if (kind === 'folder') return copyParallel(url, target, { onProgress });
    const file = target.endsWith(`/${nameOf(url)}`) ? target : joinUrl(target, nameOf(url));
    return copy(url, file, { onProgress });
  });
  log.info(`copied ${said}`);
  if (!needsUnzip) return;
  for (const archive of await archivesIn(target)) {
    await unpackHere(archive.url, join(target, folderNameOf(archive.name)));
    await rm(archive.url);
  }
}

/** A source that may change under its name. */
interface Source extends NamedUrl {
  readonly version?: string;
}

/** The archives that lie in a folder of this machine. */
async function archivesIn(folder: string): Promise<readonly Source[]> {
  const names = (await readdir(folder)).filter((name) => folderNameOf(name) !== name).sort();
  return Promise.all(
    names.map(async (name) => {
      const { size, modified } = await stat(join(folder, name));
      return { name, url: join(folder, name), version: `${size} ${modified}` };
    }),
  );
}

async function made(path: string): Promise<void> {
  try {
    await makeFolder(path);
  } catch (cause) {
    throw new StorageError('E_WRITE', `cannot make ${path}: ${systemReason(cause)}`, { cause });
  }
}

async function contentOf(marker: string): Promise<string | undefined> {
  try {
    return await readFile(marker, 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return undefined;
    throw new StorageError('E_READ', `cannot read ${marker}: ${systemReason(error)}`, { cause: error });
  }
}

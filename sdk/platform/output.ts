/** The folder a run writes into before its results are copied to where the user wants them. */
import { readFileSync, rmSync } from 'node:fs';
import { cp, link, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { CheckpointError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { isPartial, makeFolder, partialName } from '../base/files.js';
import { log } from '../base/log.js';
import { isRunning, processMark } from '../base/process-mark.js';
import { type Checkpoint, loadCheckpoint } from '../checkpoint/checkpoint.js';
import { type CheckpointName, compareCheckpoints, parseCheckpointName } from '../checkpoint/name.js';
import { theseRanks } from '../parallel/ranks.js';
import { copy } from '../storage/copy.js';
import { storeFor } from '../storage/stores.js';
import { joinUrl, shownUrl } from '../storage/url.js';
import { workFolder } from './work-folders.js';

/** A run's output folder, held against other runs until this process ends. */
export interface Output {
  readonly folder: string;
  /** The newest whole checkpoint of the run that is resumed; undefined when there is none, or nothing is resumed. */
  readonly resume: Checkpoint | undefined;
}

/**
 * Makes the output folder of a run ready. A run that begins anew finds it empty: what an earlier run left is
 * kept beside it as `<folder>.previous`. A run that resumes finds the newest whole checkpoint, be it in the folder
 * or where the earlier run had copied its results. Of several ranks rank 0 does all this, and alone has the checkpoint.
 *
 * @param options url: where results will be copied; kind: which work folder, default `output`; resume: go on with an earlier run;
 *   files: what a run that keeps no checkpoints goes on from, instead of one
 * @throws StorageError `E_BUSY` when another process is at work on the same folder, `E_WRITE` when it or `url`
 *   cannot be written
 */
export async function prepareOutput({
  url,
  kind = 'output',
  resume = false,
  files,
}: {
  readonly url: string;
  readonly kind?: 'output' | 'result';
  readonly resume?: boolean;
  readonly files?: readonly string[];
}): Promise<Output> {
  const folder = workFolder(kind, url);
  let resumed: Checkpoint | undefined;
  await theseRanks().onFirst(async () => {
    resumed = await prepareFolder(folder, { url, kind, resume, files });
    return null;
  });
  return { folder, resume: resumed };
}

async function prepareFolder(
  folder: string,
  {
    url,
    kind,
    resume,
    files,
  }: {
    readonly url: string;
    readonly kind: 'output' | 'result';
    readonly resume: boolean;
    readonly files: readonly string[] | undefined;
  },
): Promise<Checkpoint | undefined> {
  await requireWritable(url);
  const [there, here] = [await (await storeFor(url)).locate(url), await (await storeFor(folder)).locate(folder)];
  if (there.startsWith(`${here}/`)) {
    throw new StorageError(
      'E_INTO_ITSELF',
      `${shownUrl(url)} lies inside the work folder ${folder}: name it, or a place outside`,
    );
  }
  try {
    await makeFolder(dirname(folder));
    await hold(folder);
    if (!resume) await begin();
    await makeFolder(folder);
    for (const name of await readdir(folder)) if (isPartial(name)) await rm(join(folder, name), { force: true });
  } catch (error) {
    if (error instanceof StorageError) throw error;
    throw new StorageError('E_WRITE', `cannot write ${folder}: ${systemReason(error)}`, { cause: error });
  }
  if (!resume) return undefined;
  if (files) {
    await bringBack(folder, url, files);
    return undefined;
  }
  const checkpoint = await newestCheckpoint(folder, url);
  if (checkpoint === undefined) {
    await begin();
    await makeFolder(folder);
  }
  return checkpoint;

  async function begin(): Promise<void> {
    // Where results go to the work folder itself, what lies there is the user's.
    if (there !== here) await setAside(folder);
    if (kind === 'output') await markBeginning(url);
  }
}

/** Files that a run goes on from, where they lie in the work folder, else from where they had been copied; all or none. */
async function bringBack(folder: string, url: string, files: readonly string[]): Promise<void> {
  if (await isThere(folder, files)) return;
  if (!(await isThere(url, files))) return;
  for (const name of files) await copy(joinUrl(url, name), join(folder, name));
}

async function isThere(url: string, files: readonly string[]): Promise<boolean> {
  const store = await storeFor(url);
  for (const name of files) if ((await store.stat(joinUrl(url, name))) === undefined) return false;
  return true;
}

/** Checkpoints there that are older than this file are of earlier runs: no run that began after them goes on with one. */
const BEGINNING = 'run.json';

async function markBeginning(url: string): Promise<void> {
  const store = await storeFor(url);
  await store.write(joinUrl(url, BEGINNING), Buffer.from(`${JSON.stringify({ began: new Date().toISOString() })}\n`));
}

/** Finds out now, not after the first epoch, that results cannot be copied there. */
async function requireWritable(url: string): Promise<void> {
  const store = await storeFor(url);
  const probe = joinUrl(url, `.mindts-${process.pid}`);
  await store.write(probe, new Uint8Array());
  await store.remove(probe);
}

/** Keeps other processes out of a folder while this one lives; the lock of a dead process does not count. */
async function hold(folder: string): Promise<void> {
  const lock = `${folder}.lock`;
  const mine = partialName(lock);
  await writeFile(mine, processMark());
  try {
    // A link appears with its content, and only where nothing is.
    while (!(await links(mine, lock))) {
      const holder = await readFile(lock, 'utf8').catch(unlessMissing);
      if (holder === processMark()) return;
      if (holder !== undefined && isRunning(holder)) {
        const [pid] = holder.split(' ');
        throw new StorageError('E_BUSY', `process ${pid} is at work on ${folder}: wait for it, or give another URL`);
      }
      // Moved away rather than removed: of several that find it dead, one moves it, and none a newer one unseen.
      const dead = partialName(lock);
      await rename(lock, dead).catch(unlessMissing);
      const moved = await readFile(dead, 'utf8').catch(unlessMissing);
      if (moved !== undefined && moved !== holder) await links(dead, lock);
      await rm(dead, { force: true });
    }
    process.on('exit', () => release(lock));
  } finally {
    await rm(mine);
  }
}

/** At exit nobody is left to tell: a lock that cannot be removed is that of a dead process. */
function release(lock: string): void {
  try {
    if (readFileSync(lock, 'utf8') === processMark()) rmSync(lock);
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
  }
}

async function links(file: string, place: string): Promise<boolean> {
  try {
    await link(file, place);
    return true;
  } catch (error) {
    if (systemCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function unlessMissing(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
}

async function setAside(folder: string): Promise<void> {
  try {
    if ((await readdir(folder)).length === 0) return;
    await rm(`${folder}.previous`, { recursive: true, force: true });
    await moveFolder(folder, `${folder}.previous`);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

/** Renames a folder, or copies it where it comes from a container's image: overlay file systems rename no such folder. */
async function moveFolder(from: string, to: string): Promise<void> {
  try {
    await rename(from, to);
  } catch (error) {
    if (systemCode(error) !== 'EXDEV') throw error;
    await cp(from, to, { recursive: true, preserveTimestamps: true, verbatimSymlinks: true });
    await rm(from, { recursive: true });
  }
}

interface Found extends CheckpointName {
  readonly url: string;
  readonly file: string;
  readonly modified: number;
}

/** Of the newest run's checkpoints the furthest; one that is damaged is passed over with a warning. */
async function newestCheckpoint(folder: string, trainUrl: string): Promise<Checkpoint | undefined> {
  const found = [...(await checkpointsIn(folder)), ...(await checkpointsIn(trainUrl))];
  // A copy keeps its file's time, so that the same checkpoint in both places counts as equally new, this folder's first.
  found.sort((a, b) => b.modified - a.modified || compareCheckpoints(b, a));
  for (const { url, file } of found) {
    try {
      const checkpoint = await loadInto(folder, url, file);
      log.info(`resuming from ${shownUrl(url)}`);
      return checkpoint;
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      log.warn(`${error.message}; passed over`);
    }
  }
  log.warn(`--resume: no whole checkpoint in ${shownUrl(trainUrl)} or ${folder}: training begins at the beginning`);
  return undefined;
}

async function checkpointsIn(url: string): Promise<readonly Found[]> {
  const store = await storeFor(url);
  if ((await store.stat(url))?.kind !== 'folder') return [];
  const beginning = (await store.stat(joinUrl(url, BEGINNING)))?.modified ?? 0;
  const found: Found[] = [];
  for await (const { name, kind } of store.list(url, { recursive: false })) {
    const parsed = kind === 'file' ? parseCheckpointName(name) : undefined;
    if (parsed === undefined) continue;
    // Its own time: in the listing of an object store stands when it was copied there, by another clock.
    const modified = (await store.stat(joinUrl(url, name)))?.modified ?? 0;
    if (modified >= beginning) found.push({ ...parsed, url: joinUrl(url, name), file: name, modified });
  }
  return found;
}

/** Loads a checkpoint; one from elsewhere is brought here, and the history beside it, once it is known to be whole. */
async function loadInto(folder: string, url: string, file: string): Promise<Checkpoint> {
  const path = join(folder, file);
  if (path === url) return loadCheckpoint(path);
  const fetched = join(folder, `fetched-${file}`);
  try {
    await copy(url, fetched);
    const checkpoint = await loadCheckpoint(fetched);
    await rename(fetched, path);
    const history = joinUrl(url.slice(0, url.lastIndexOf('/')), 'history.json');
    if (await (await storeFor(history)).stat(history)) await copy(history, join(folder, 'history.json'));
    return checkpoint;
  } catch (error) {
    await rm(fetched, { force: true });
    if (!(error instanceof CheckpointError)) throw error;
    throw new CheckpointError(error.code, error.message.replaceAll(fetched, shownUrl(url)), { cause: error });
  }
}

/**
 * Folders that are whole or absent. Beside the target a work folder holds `new`, which grows, `old`, which is
 * the target while it is exchanged, and `owner`, which says who works there. A killed process leaves it
 * behind, and the next one to write the same target puts `old` back if need be and removes it.
 */
import { mkdir, readdir, readFile, realpath, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { ArchiveError, systemCode } from '../base/errors.js';
import { exists, isPartial, makeFolder, partialName, partialPrefix, syncFolder } from '../base/files.js';
import { isRunning, processMark } from '../base/process-mark.js';

/**
 * Lets `fill` write a new folder and, when it has returned, puts it in the place of `target`; when it throws,
 * removes it. Whatever was in the target before is gone after success and untouched after failure. What `fill` does not
 * flush is not flushed: who says elsewhere that the folder is whole flushes it first.
 *
 * @throws what `fill` throws, Node's system errors, or ArchiveError `E_ARCHIVE_WRITE` when another process interfered
 */
export async function replaceFolder<T>(target: string, fill: (folder: string) => Promise<T>): Promise<T> {
  await makeFolder(dirname(target));
  await clearLeftovers(target);
  const work = partialName(target);
  inWork.add(work);
  try {
    // Under a name that nobody takes for a leftover until it says whose it is.
    const unnamed = `${work}.new`;
    await mkdir(unnamed);
    await writeFile(join(unnamed, 'owner'), processMark());
    await rename(unnamed, work);
    const fresh = join(work, 'new');
    await mkdir(fresh);
    const result = await fill(fresh);
    // Whoever took this for a leftover took the owner with it, and maybe files.
    if (!(await exists(join(work, 'owner')))) {
      throw new ArchiveError(
        'E_ARCHIVE_WRITE',
        `${target}: another process writes it too; let one of them finish first`,
      );
    }
    await exchange(fresh, target, work);
    await syncFolder(dirname(target));
    return result;
  } finally {
    await clear(work, target);
    inWork.delete(work);
  }
}

/** Another process may do the same at the same moment: the last one's folder stays. */
async function exchange(fresh: string, target: string, work: string): Promise<void> {
  for (let turn = 0; ; turn++) {
    try {
      if (await exists(target)) {
        // What was there before the other process's.
        await rm(join(work, 'old'), { recursive: true, force: true });
        await rename(target, join(work, 'old'));
      }
      await rename(fresh, target);
      return;
    } catch (error) {
      if (turn === MOST_TURNS || !EXCHANGED.has(systemCode(error) ?? '')) throw error;
    }
  }
}

/** What a rename says when another process was there first. */
const EXCHANGED: ReadonlySet<string> = new Set(['ENOENT', 'ENOTEMPTY', 'EEXIST']);
const MOST_TURNS = 100;

/** Where `path` is or would be: links resolved, so that what a link points to is replaced and not the link. */
export async function trueFolder(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT' || dirname(path) === path) throw error;
    return join(await trueFolder(dirname(path)), basename(path));
  }
}

/** The work folders of this process. */
const inWork = new Set<string>();

async function clearLeftovers(target: string): Promise<void> {
  const [folder, prefix] = [dirname(target), partialPrefix(target)];
  for (const item of await readdir(folder, { withFileTypes: true })) {
    const isOurs = item.isDirectory() && isPartial(item.name) && item.name.replace(/[^.]*\.partial$/, '') === prefix;
    const work = join(folder, item.name);
    if (!isOurs || (await isAtWork(work))) continue;
    // At one stroke, so that somebody who does work there, on another machine, cannot but notice.
    const doomed = partialName(target);
    try {
      await rename(work, doomed);
    } catch (error) {
      // Whoever worked there has cleared it.
      if (systemCode(error) === 'ENOENT') continue;
      throw error;
    }
    await clear(doomed, target);
  }
}

/** Whether the process that made a work folder still runs. Of those on other machines none is believed to. */
async function isAtWork(work: string): Promise<boolean> {
  let owner: string;
  try {
    owner = await readFile(join(work, 'owner'), 'utf8');
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return false;
    throw error;
  }
  return owner === processMark() ? inWork.has(work) : isRunning(owner);
}

async function clear(work: string, target: string): Promise<void> {
  const old = join(work, 'old');
  if ((await exists(old)) && !(await exists(target))) await putBack(old, target);
  await rm(work, { recursive: true, force: true });
}

/** Unless another process has put something there, or back, since. */
async function putBack(old: string, target: string): Promise<void> {
  try {
    await rename(old, target);
  } catch (error) {
    if (!EXCHANGED.has(systemCode(error) ?? '')) throw error;
  }
}

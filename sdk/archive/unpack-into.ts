/** What unpacking is, whatever the format: a folder is replaced whole, by what is in an archive, or stays as it was. */
import { stat } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { MindtsError, systemCode, systemReason } from '../base/errors.js';
import type { Refusal } from './archive-error.js';
import type { ArchiveSource } from './archive-source.js';
import { FolderWriter } from './folder-writer.js';
import { replaceFolder, trueFolder } from './replace-folder.js';
import type { UnpackOptions, UnpackResult } from './tally.js';

/**
 * Lets `extract` write what is in an archive, and puts it in the place of a folder.
 *
 * @throws ArchiveError `…_TARGET`, `…_WRITE`, `…_ABORTED`, and what `extract` throws
 */
export async function unpackInto(
  folder: string,
  { source, refuse, options }: { source: ArchiveSource; refuse: Refusal; options: UnpackOptions },
  extract: (writer: FolderWriter) => Promise<UnpackResult>,
): Promise<UnpackResult> {
  try {
    const target = await trueFolder(resolve(folder));
    await checkTarget(source, target, refuse);
    return await replaceFolder(target, async (fresh) => {
      const writer = new FolderWriter(fresh, refuse);
      try {
        return await extract(writer);
      } finally {
        await writer.settle();
      }
    });
  } catch (error) {
    if (error instanceof MindtsError) throw error;
    if (options.signal?.aborted) throw refuse('ABORTED', 'unpacking was stopped', error);
    if (!(error instanceof Error && 'syscall' in error)) throw error;
    throw refuse('WRITE', `cannot be unpacked into ${folder}: ${systemReason(error)}`, error);
  }
}

/** Replacing a folder must not remove the archive, or the place where somebody stands. */
async function checkTarget({ path }: ArchiveSource, target: string, refuse: Refusal): Promise<void> {
  const kept = [[process.cwd(), 'the current folder is, or lies in,']];
  if (path !== undefined) kept.unshift([await trueFolder(path), 'the archive itself lies in']);
  for (const [place, what] of kept) {
    if (`${place}${sep}`.startsWith(`${target.replace(/\/$/, '')}${sep}`)) {
      throw refuse('TARGET', `${what} ${target}, which would be replaced`);
    }
  }
  try {
    if (!(await stat(target)).isDirectory()) throw refuse('TARGET', `${target} is not a folder`);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

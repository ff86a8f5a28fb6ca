/**
 * The journal of a run: every candidate with what came of it, one generation a line. With the settings it is all that a run's searches are, so
 * that a killed run goes on from it, and anyone can replay it.
 */
import { open, truncate } from 'node:fs/promises';
import { PruningError, StorageError, systemCode, systemReason } from '../base/errors.js';
import { readRegular } from '../base/files.js';
import { type Generation, generationSchema } from './round.js';

/** A journal that is written. */
export interface Journal {
  /** What it held when it was opened. */
  readonly generations: readonly Generation[];
  /** Adds a line, and waits until it is on the disk. */
  add(generation: Generation): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a journal, or begins one. A last line that was cut off by a kill is taken away.
 *
 * @throws PruningError `E_JOURNAL` for a line that is none; StorageError `E_WRITE`
 */
export async function openJournal(path: string): Promise<Journal> {
  const text = await readText(path);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  const generations = whole
    .split('\n')
    .slice(0, -1)
    .map((line, i) => parsedLine(line, `${path}:${i + 1}`));
  const writing = async <T>(write: () => Promise<T>): Promise<T> => {
    try {
      return await write();
    } catch (error) {
      throw new StorageError('E_WRITE', `cannot write ${path}: ${systemReason(error)}`, { cause: error });
    }
  };
  const file = await writing(async () => {
    if (whole.length < text.length) await truncate(path, Buffer.byteLength(whole));
    return open(path, 'a');
  });
  return {
    generations,
    add: (generation) =>
      writing(async () => {
        await file.writeFile(`${JSON.stringify(generation)}\n`);
        await file.sync();
      }),
    close: () => file.close(),
  };
}

async function readText(path: string): Promise<string> {
  try {
    return (await readRegular(path)).toString();
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return '';
    throw new StorageError('E_READ', `cannot read ${path}: ${systemReason(error)}`, { cause: error });
  }
}

function parsedLine(line: string, where: string): Generation {
  try {
    const parsed = generationSchema.safeParse(JSON.parse(line));
    if (parsed.success) return parsed.data;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new PruningError(
    'E_JOURNAL',
    `${where}: is no line of a journal. Remove the file, here and at --train_url, or begin anew without --resume`,
  );
}

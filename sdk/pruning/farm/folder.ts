/**
 * A run's folder at any URL: whole files by name, and messages.
 *
 *     run.json                                what is run, and how
 *     stop.json                               all shall end, and why
 *     roles/<role>/<epoch>.<session>.<what>   claim, open, left: written once; beat: a sign of life, and how far it is (roles.ts)
 *     journal/<role>/<topic>/<number>.<epoch> what a role has decided, for ever (journal.ts)
 *     board/<generation>.<what>               what is to be evaluated, by whom, and what came of it (board.ts)
 *     data/<SHA-256>                          arrays that messages name (data.ts)
 *     quarantine/<name>.<hash>                what was no message of this run
 *
 * Nothing but a beat is ever written twice with another content, and every file has one writer: so it does not matter that stores
 * have no conditional writes, and who comes second sees what the first one saw.
 */
import { createHash } from 'node:crypto';
import type { z } from 'zod';
import { PruningError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { localPath } from '../../storage/local.js';
import { joinUrl, schemeOf, shownUrl } from '../../storage/url.js';
import { type Bell, bellOn } from './bell.js';
import { type Files, filesAt } from './files.js';
import { opened, sealed } from './message.js';
import { type Pace, paceOf } from './pace.js';

/** The folder of one run. */
export interface RunFolder extends Files {
  readonly run: string;
  /** A message's body, or undefined where there is none. One that is truncated, foreign or not as it should be goes into quarantine and counts as none. */
  take<T>(name: string, schema: z.ZodType<T>): Promise<T | undefined>;
  /** Writes a message, whole or not at all. */
  put(name: string, body: unknown): Promise<void>;
  /** A bell for new files directly in a folder; undefined where nobody would ring it: the folder is not there yet, or not on this machine. */
  listen(name: string, isNews: (file: string) => boolean): Bell | undefined;
  /** Moves a file aside. */
  quarantine(name: string, why: string): Promise<void>;
}

/**
 * The folder of a run below a work URL; nothing is written yet.
 *
 * @param run letters, digits, `.`, `_` and `-`
 * @throws PruningError `E_RUN_ID`, `E_PACE`; StorageError for a URL of no store
 * @example
 * const folder = await runFolder('out/work', 'seed-1');
 * await folder.put('board/note', { candidates: 10 });
 * await folder.list('board'); // ['note']
 */
export async function runFolder(workUrl: string, run: string, given: Partial<Pace> = {}): Promise<RunFolder> {
  if (!RUN_ID.test(run)) {
    const expected = 'expected up to 64 letters, digits, ".", "_" and "-", the first a letter or digit';
    throw new PruningError('E_RUN_ID', `the run is called ${JSON.stringify(run)}; ${expected}`);
  }
  const files = await filesAt(joinUrl(workUrl, run), paceOf(workUrl, given));
  const folder: RunFolder = {
    ...files,
    run,
    async take(name, schema) {
      const bytes = await folder.read(name);
      if (bytes === undefined) return undefined;
      const message = opened(bytes, { run, name, schema });
      if ('body' in message) return message.body;
      await setAside(name, bytes, message.damage);
      return undefined;
    },
    put: (name, body) => folder.write(name, sealed({ run, name, body })),
    listen: (name, isNews) =>
      schemeOf(files.url) === 'file' ? bellOn(localPath(joinUrl(files.url, name)), isNews) : undefined,
    async quarantine(name, why) {
      const bytes = await folder.read(name);
      if (bytes !== undefined) await setAside(name, bytes, why);
    },
  };

  /** Under a name that depends on the content, so that two who find it count it once. */
  async function setAside(name: string, bytes: Buffer, why: string): Promise<void> {
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 8);
    await folder.write(`quarantine/${name.replaceAll('/', '~').slice(0, 150)}.${hash}`, bytes);
    await folder.remove(name);
    log.warn(`${shownUrl(joinUrl(files.url, name))} ${why}: moved into quarantine`);
  }
  return folder;
}

const RUN_ID = /^[a-z0-9][\w.-]{0,63}$/i;

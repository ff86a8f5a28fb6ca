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
import { buffer } from 'node:stream/consumers';
import type { z } from 'zod';
import { PruningError, StorageError } from '../../base/errors.js';
import { isPartial } from '../../base/files.js';
import { log } from '../../base/log.js';
import { localPath } from '../../storage/local.js';
import type { Store } from '../../storage/store.js';
import { writableStoreFor } from '../../storage/stores.js';
import { joinUrl, schemeOf, shownUrl } from '../../storage/url.js';
import { type Bell, bellOn } from './bell.js';
import { opened, sealed } from './message.js';
import { type Pace, paceOf } from './pace.js';
import { Patience } from './patience.js';

/** The files of a folder by their names. Every call waits for a store that fails for a while, see {@link Pace.patienceMs}. */
export interface Files {
  readonly url: string;
  readonly pace: Pace;
  /** Undefined where there is nothing. */
  read(name: string): Promise<Buffer | undefined>;
  write(name: string, bytes: Uint8Array): Promise<void>;
  has(name: string): Promise<boolean>;
  /** Nothing there is fine. */
  remove(name: string): Promise<void>;
  /** The names of the files directly in a folder; those of folders too, for the folder itself, `''`. */
  list(folder: string): Promise<readonly string[]>;
}

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

/**
 * The files of a folder; nothing is written yet.
 *
 * @throws StorageError for a URL of no store
 */
export async function filesAt(url: string, pace: Pace): Promise<Files> {
  const store = await writableStoreFor(url);
  const at = (name: string): string => joinUrl(url, name);
  const patience = new Patience(shownUrl(url), pace);
  return {
    url,
    pace,
    read: (name) =>
      patience.with(async () => {
        try {
          return await buffer(store.read(at(name)));
        } catch (error) {
          if (error instanceof StorageError && error.code === 'E_NOT_FOUND') return undefined;
          throw error;
        }
      }),
    write: (name, bytes) => patience.with(() => store.write(at(name), bytes)),
    has: (name) => patience.with(async () => (await store.stat(at(name)))?.kind === 'file'),
    remove: (name) => patience.with(() => store.remove(at(name))),
    list: (name) => patience.with(() => namesIn(store, name === '' ? url : at(name), { folders: name === '' })),
  };
}

const RUN_ID = /^[a-z0-9][\w.-]{0,63}$/i;

async function namesIn(
  store: Store,
  url: string,
  { folders }: { readonly folders: boolean },
): Promise<readonly string[]> {
  const names: string[] = [];
  try {
    for await (const { name, kind } of store.list(`${url}/`, { recursive: false })) {
      if (!isPartial(name) && (folders || kind === 'file')) names.push(name);
    }
  } catch (error) {
    if (error instanceof StorageError && error.code === 'E_NOT_FOUND') return [];
    throw error;
  }
  return names;
}

/**
 * The work folder as the seed's four Python roles use it: files under fixed names, which appear and go. What is written here is written whole; what
 * Python writes is not, so a file that cannot be read yet is looked at again for a while.
 */
import { randomBytes } from 'node:crypto';
import { CheckpointError, PruningError, StorageError } from '../../base/errors.js';
import { log } from '../../base/log.js';
import { writableStoreFor } from '../../storage/stores.js';
import { joinUrl, shownUrl } from '../../storage/url.js';
import { type Files, filesAt } from '../farm/files.js';
import { type Pace, paceOf, Waits } from '../farm/pace.js';

/** The seed's names, and two that it does not know. */
export const SEED_FILES = {
  /** main → trainer: a number of iterations, or `over`. */
  turn: 'new_itr.txt',
  /** trainer → main: iterations done. */
  report: 'report.txt',
  /** trainer → evaluators: the network with its masks, a batch of images, the accuracy to hold. */
  model: 'tmp_model.caffemodel',
  images: 'data.npy',
  accuracy: 'accuracy.npy',
  /** trainer → search: see texts.ts. */
  start: 'ncs_start.txt',
  /** search → trainer: the rates of all layers, then `complete!`. */
  rates: 'crates_list.npy',
  over: 'ncs_over.txt',
  /** All of mindts end; the seed's evaluators know no end. */
  exit: 'exit.txt',
  /** What a trainer of mindts goes on from. */
  state: 'mindts_state.safetensors',
} as const;

/** search → evaluators, and back: `solution_7.npy`, `fit_solution_7.npy`. */
export const solutionFile = (number: number): string => `solution_${number}.npy`;
export const answerFile = (number: number): string => `fit_${solutionFile(number)}`;

/** The work folder of a run. */
export interface SeedFolder extends Files {
  /** Waits for a message, and reads it. It stays where `keep` says so. */
  receive<T>(name: string, read: Read<T>, how: Receiving): Promise<T>;
  /** Reads a file if it is there, and whole by now. */
  look<T>(name: string, read: Read<T>): Promise<T | undefined>;
  /** Takes a file away that others want as well; false where another was there first. */
  claim(name: string): Promise<boolean>;
  /** Has all of mindts end. */
  end(): Promise<void>;
  /** Throws `E_STOPPED` where they shall. */
  requireGoing(): Promise<void>;
  /** Removes all that an earlier run left, and nothing else. */
  clear(): Promise<void>;
}

/** Makes something of a file's content, or throws. */
export type Read<T> = (bytes: Buffer, source: string) => T;

/** How a message is waited for. */
export interface Receiving {
  /** Which role it comes from. */
  readonly from: string;
  readonly signal?: AbortSignal | undefined;
  readonly keep?: boolean;
}

/**
 * The folder at a work URL; nothing is written yet.
 *
 * @throws PruningError `E_PACE`; StorageError for a URL of no store
 */
export async function seedFolder(workUrl: string, given: Partial<Pace> = {}): Promise<SeedFolder> {
  const pace = paceOf(workUrl, given);
  const [files, store] = [await filesAt(workUrl, pace), await writableStoreFor(workUrl)];
  const at = (name: string): string => joinUrl(workUrl, name);
  /** Since when files cannot be read. */
  const unread = new Map<string, number>();

  const folder: SeedFolder = {
    ...files,
    async receive(name, read, { from, signal, keep = false }) {
      const advice = `is the ${from} running? Start it, or give a longer --patience`;
      const waits = new Waits({ pace, signal, what: `${shownUrl(at(name))} from the ${from}`, advice });
      for (;;) {
        signal?.throwIfAborted();
        // Asked first: who ends a run may have left a last message before.
        const isOver = await files.has(SEED_FILES.exit);
        const message = await folder.look(name, read);
        if (message !== undefined) {
          if (!keep) await files.remove(name);
          return message;
        }
        if (isOver) await folder.requireGoing();
        await waits.wait();
      }
    },
    async look(name, read) {
      const bytes = await files.read(name);
      if (bytes === undefined) {
        unread.delete(name);
        return undefined;
      }
      try {
        const message = read(bytes, shownUrl(at(name)));
        unread.delete(name);
        return message;
      } catch (error) {
        if (!mayBeHalf(error)) throw error;
        const since = unread.get(name) ?? performance.now();
        unread.set(name, since);
        if (performance.now() - since >= Math.min(HALF_MS, pace.patienceMs)) throw error;
        return undefined;
      }
    },
    async claim(name) {
      const taken = `${TAKEN}${randomBytes(6).toString('hex')}_${name}`;
      try {
        // Where the store has no names to change, two evaluators may do the same work.
        if (store.rename === undefined || !(await store.rename(at(name), at(taken)))) await files.remove(name);
        else await files.remove(taken);
        return true;
      } catch (error) {
        if (error instanceof StorageError && !(await files.has(name))) return false;
        throw error;
      }
    },
    end: () => files.write(SEED_FILES.exit, Buffer.from('exit')),
    async requireGoing() {
      if (!(await files.has(SEED_FILES.exit))) return;
      const where = `${shownUrl(workUrl)} has ${SEED_FILES.exit}: the run there is over`;
      throw new PruningError('E_STOPPED', `${where}; prune_main --compat_files begins another`);
    },
    async clear() {
      const ours = (await files.list('')).filter(isSeedFile);
      for (const name of ours) await files.remove(name);
      if (ours.length > 0) log.info(`${shownUrl(workUrl)}: removed what an earlier run left, ${ours.length} in number`);
    },
  };
  return folder;
}

/** How long a file may be half there. */
const HALF_MS = 30_000;

/** Begins neither as a solution nor as an answer, which is all that the seed's roles look at. */
const TAKEN = 'taken_';

const FIXED: ReadonlySet<string> = new Set(Object.values(SEED_FILES));

function isSeedFile(name: string): boolean {
  return FIXED.has(name) || /^(taken_[0-9a-f]{12}_|fit_)?solution_\d+\.npy$/.test(name);
}

/** Whether more of a file would help. */
function mayBeHalf(error: unknown): boolean {
  if (error instanceof CheckpointError) return error.code === 'E_CKPT_TRUNCATED' || error.code === 'E_CKPT_NETWORK';
  return error instanceof PruningError && (error.code === 'E_NPY_TRUNCATED' || error.code === 'E_SEED_TEXT');
}

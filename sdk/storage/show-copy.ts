/** A copy with its progress on stderr, for commands: bytes, files, rate and time left. */
import { amount, duration, rate } from '../base/amounts.js';
import { MindtsError } from '../base/errors.js';
import { isFirstRank } from '../base/log.js';
import { type Surroundings, startProgress } from '../base/progress.js';
import { stat } from './calls.js';
import type { CopyProgress } from './copy.js';
import { list } from './list.js';
import { shownUrl } from './url.js';

interface Shown {
  /** What is done to it; default `copying`. */
  readonly doing?: string;
  /** Whether all of it is copied, so that its size says how much there is to do; default true. */
  readonly isWhole?: boolean;
  /** For tests: where to show it, and a clock in milliseconds. */
  readonly surroundings?: Surroundings;
}

/** What is to be copied is added up when the copy has taken so long that its progress is shown. */
const SOON_MS = 1000;

/**
 * Runs a copy, shows how far it is, and says in a line what it did: `12 files (3 there already), 1.2 GB in 8.0 s, 150.0 MB/s`.
 *
 * @param run makes the copy and reports to what it is given
 * @throws what `run` throws
 * @example
 * await write('in/a.txt', '');
 * await showCopy('in', (onProgress) => copyParallel('in', 'copies', { onProgress })).then((line) => line.slice(0, 6)); // '1 file'
 */
export async function showCopy(
  source: string,
  run: (onProgress: (progress: CopyProgress) => void) => Promise<unknown>,
  { doing = 'copying', isWhole = true, surroundings = {} }: Shown = {},
): Promise<string> {
  const { now = () => performance.now() } = surroundings;
  const start = now();
  const progress = startProgress({ label: `${doing} ${shownUrl(source)}`, unit: 'bytes' }, surroundings);
  let latest: CopyProgress = { files: 0, skipped: 0, bytes: 0, present: 0 };
  const seconds = (): number => (now() - start) / 1000;
  let isCounted = !isWhole || !isFirstRank();
  let isOver = false;
  try {
    await run((reached) => {
      latest = reached;
      const { files, bytes, present } = reached;
      progress.credit(present);
      progress.update(bytes + present, `${amount(files, 'files')}, ${rate(bytes, seconds(), 'bytes')}`);
      if (isCounted || now() - start < SOON_MS) return;
      isCounted = true;
      void totalOf(source, () => !isOver).then(progress.expect, unlessOurs);
    });
  } catch (error) {
    progress.fail();
    throw error;
  } finally {
    isOver = true;
  }
  progress.clear();
  return summary(latest, seconds());
}

/** The bytes to copy; whatever comes when nobody wants it any more. */
async function totalOf(source: string, isWanted: () => boolean): Promise<number> {
  const entry = await stat(source);
  if (entry.kind === 'file') return entry.size;
  let bytes = 0;
  for await (const file of list(source, { recursive: true })) {
    if (!isWanted()) break;
    bytes += file.size;
  }
  return bytes;
}

function summary({ files, skipped, bytes, present }: CopyProgress, seconds: number): string {
  const before =
    skipped > 0 ? ` (${skipped} there already)` : present > 0 ? ` (${amount(present, 'bytes')} there already)` : '';
  const speed = bytes > 0 ? `, ${rate(bytes, seconds, 'bytes')}` : '';
  return `${amount(files, 'files')}${before}, ${amount(bytes, 'bytes')} in ${duration(seconds)}${speed}`;
}

/** What cannot be listed is an error of the copy itself, which says so. */
function unlessOurs(error: unknown): void {
  if (!(error instanceof MindtsError)) throw error;
}

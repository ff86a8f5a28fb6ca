/**
 * Where a job keeps its files. On the platforms that is `/cache`, a disk of the container's own; elsewhere
 * `MINDTS_CACHE`, or the user's cache folder. There several jobs share the place, so that each gets a folder named
 * after what it works on.
 */
import { createHash } from 'node:crypto';
import { accessSync, constants } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { systemCode } from '../base/errors.js';

/** The kinds of files a job keeps. */
export type WorkFolder = 'data' | 'output' | 'result' | 'checkpoint' | 'download';

/**
 * The folder for one kind of file.
 *
 * @param kind `data`, `output`, …
 * @param subject what it is for, a path or URL; the same subject always gets the same folder, and a work folder is its own
 * @param options name: of a folder in it, where one job has several of a kind
 * @example
 * const folder = workFolder('output', './out'); // '/cache/output' on a platform, else '~/.cache/mindts/output/out-1f3870be'
 */
export function workFolder(
  kind: WorkFolder,
  subject: string,
  { name: given }: { readonly name?: string | undefined } = {},
): string {
  if (onPlatform()) return join('/cache', kind, given ?? '');
  const whole = subject.includes('://') ? subject : resolve(subject);
  const place = join(cacheRoot(), kind);
  if (dirname(whole) === place) return whole;
  const name = given ?? whole.replace(/^.*[/\\](?=[^/\\])/, '').replaceAll(/[^\w.-]+/g, '_');
  const hash = createHash('sha256').update(whole).digest('hex').slice(0, 8);
  return join(place, `${name.slice(0, 40)}-${hash}`);
}

/** Whether the work folders are those of a platform's container. */
export function onPlatform(): boolean {
  if (process.env['MINDTS_CACHE']) return false;
  try {
    accessSync('/cache', constants.W_OK | constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

function cacheRoot(): string {
  return process.env['MINDTS_CACHE'] || join(process.env['XDG_CACHE_HOME'] || join(home(), '.cache'), 'mindts');
}

function home(): string {
  try {
    return homedir();
  } catch (error) {
    // A user without a home, as containers have them.
    if (systemCode(error) === undefined) throw error;
    return tmpdir();
  }
}

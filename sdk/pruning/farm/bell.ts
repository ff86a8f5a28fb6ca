/**
 * Hears of new files in a folder of this machine at once, where looks every few milliseconds would come late and cost the processor that
 * evaluators need. It only saves time: no system tells of everything, such as what another machine writes into a network file system,
 * so that whoever waits looks at intervals as well.
 */
import { type FSWatcher, watch } from 'node:fs';
import { systemCode } from '../../base/errors.js';

export interface Bell {
  /** Waits for news, or for so long; not at all when there has been news since it was last taken. Ends at once with the signal's reason. */
  wait(ms: number, signal?: AbortSignal): Promise<void>;
  /** The names of new files since it was last asked; none when one has to look oneself. */
  take(): readonly string[];
  close(): void;
}

/**
 * A bell on a folder.
 *
 * @param isNews tells from a new file's name whether it matters
 * @returns undefined where nobody would ring it: there is no such folder, Linux has no more watches for this user, the file system has none
 * @example
 * const folder = await runFolder('out/work', 'seed-1');
 * await folder.put('board/1.tasks', [1]);
 * const bell = bellOn('out/work/seed-1/board', (name) => name.endsWith('.tasks'));
 * await folder.put('board/2.tasks', [2]);
 * await bell?.wait(60_000);
 * bell?.take(); // ['2.tasks']
 * bell?.close();
 */
export function bellOn(path: string, isNews: (name: string) => boolean): Bell | undefined {
  let watcher: FSWatcher;
  try {
    watcher = watch(path, { persistent: false });
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
  const news = new Set<string>();
  let isVague = false;
  let wake: (() => void) | undefined;
  watcher.on('change', (_, name) => {
    if (name === null) isVague = true;
    else if (isNews(String(name))) news.add(String(name));
    else return;
    wake?.();
  });
  // What is wrong with a folder is found out, and told, by whoever looks into it.
  watcher.on('error', () => {
    isVague = true;
    wake?.();
  });
  return {
    async wait(ms, signal) {
      signal?.throwIfAborted();
      if (news.size === 0 && !isVague) {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(end, ms);
          function end(): void {
            clearTimeout(timer);
            signal?.removeEventListener('abort', end);
            resolve();
          }
          wake = end;
          signal?.addEventListener('abort', end, { once: true });
        });
      }
      signal?.throwIfAborted();
    },
    take() {
      const names = isVague ? [] : [...news];
      news.clear();
      isVague = false;
      return names;
    },
    close: () => watcher.close(),
  };
}

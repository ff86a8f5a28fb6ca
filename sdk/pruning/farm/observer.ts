/** A run's folder for somebody who looks on: a message that is damaged is told of, and stays where it is for the roles to move aside. */
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';
import { opened } from './message.js';

/** What cannot be read as a message of this run. */
export interface Damaged {
  /** In the run's folder. */
  readonly name: string;
  readonly why: string;
}

/** A folder that is only read. */
export interface ObservedFolder extends RunFolder {
  /** What was found damaged until now. */
  readonly damaged: readonly Damaged[];
}

/**
 * The same folder, which nothing is done to: `take` leaves what is damaged, all that writes or removes is refused with `E_READ_ONLY`.
 *
 * @example
 * import { z } from 'zod';
 * const folder = await runFolder('out/work', 'seed-1');
 * await folder.write('board/note', Buffer.from('half a mess'));
 * const seen = observed(folder);
 * await seen.take('board/note', z.unknown()); // undefined
 * seen.damaged; // [{ name: 'board/note', why: 'is truncated, or no message' }]
 * await folder.list('board'); // ['note']
 */
export function observed(folder: RunFolder): ObservedFolder {
  const damaged = new Map<string, Damaged>();
  async function refuse(name: string): Promise<never> {
    throw new PruningError('E_READ_ONLY', `${shownUrl(folder.url)}/${name} is only looked at here`);
  }
  return {
    ...folder,
    get damaged() {
      return [...damaged.values()];
    },
    async take(name, schema) {
      const bytes = await folder.read(name);
      if (bytes === undefined) return undefined;
      const message = opened(bytes, { run: folder.run, name, schema });
      if ('body' in message) return message.body;
      damaged.set(name, { name, why: message.damage });
      return undefined;
    },
    put: refuse,
    write: refuse,
    remove: refuse,
    quarantine: refuse,
  };
}

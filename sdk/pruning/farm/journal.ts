/**
 * What the sole roles have decided: one sequence of messages for each topic, written by the one that has the role, read by anyone, kept
 * for ever. A role that is killed and started anywhere begins with what its journal says.
 *
 * Which message number n of a topic is, all readers agree upon, though a store has no conditional writes and a holder may be stopped for
 * any time. A file's name has the epoch of its writer. A new holder first claims a higher epoch, then reads what is there, then opens
 * with a *chain*: from which number on which epoch writes. A reader reads a message first, and then looks who has claimed the role:
 * was no higher epoch claimed, the message was there before the next holder began to read, so that this one keeps it; was one
 * claimed, the next chain tells. The writer looks in the same way before it believes that it has written.
 */
import { z } from 'zod';
import { PruningError } from '../../base/errors.js';
import { isPartial } from '../../base/files.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';
import { until } from './pace.js';
import { anybodyLives, fileOf, type Member, type Seen, type SoleRole, seen } from './roles.js';
import { type Seat, takeSoleRole } from './seat.js';

/** From which number of each topic on the holder of an epoch writes. */
const Reign = z.strictObject({ epoch: z.int(), starts: z.record(z.string(), z.int().min(0)) });
const Open = z.strictObject({ chain: z.array(Reign) });
type Chain = z.infer<typeof Open>['chain'];

/** A sole role, and its journal. */
export interface Office extends Seat {
  readonly role: SoleRole;
  /**
   * What is in a topic: what earlier holders wrote, then what this one did.
   *
   * @throws PruningError `E_JOURNAL` for what does not fit the schema
   */
  entries<T>(topic: string, schema: z.ZodType<T>): readonly T[];
  /**
   * Adds a message to the end of a topic, and returns its number. When it has returned, the message is there for good.
   *
   * @throws PruningError `E_LEASE_LOST` when another process has the role now: then it counts for nothing
   */
  append(topic: string, body: unknown): Promise<number>;
}

/**
 * Takes a role and reads its journal.
 *
 * @param topics letters, digits and `-`; the same ones whenever the role is taken
 * @throws PruningError `E_TAKEN`, `E_STOPPED`
 * @example
 * import { z } from 'zod';
 * const folder = await runFolder('out/work', 'seed-1');
 * const search = await takeOffice(folder, 'search', ['rates']);
 * await search.append('rates', [0.5, 0.25]); // 0
 * await search.leave();
 * await readEntry(folder, 'search', { topic: 'rates', number: 0, schema: z.array(z.number()) }); // [0.5, 0.25]
 */
export async function takeOffice(folder: RunFolder, role: SoleRole, topics: readonly string[]): Promise<Office> {
  const written = new Map<string, unknown[]>();

  async function prepare({ epoch }: Member, others: readonly Seen[]): Promise<z.infer<typeof Open>> {
    const chain =
      (await chainOf(
        folder,
        others.find(({ isOpen }) => isOpen),
      )) ?? [];
    for (const topic of topics) written.set(topic, await readAll(folder, role, { topic, chain }));
    const starts = Object.fromEntries([...written].map(([topic, entries]) => [topic, entries.length]));
    return { chain: [...chain, { epoch, starts }] };
  }
  /** What a reader found damaged went into quarantine: whoever waits for the newest message shall have it. */
  async function mend({ epoch }: Member): Promise<void> {
    for (const [topic, entries] of written) {
      const number = entries.length - 1;
      const name = nameOf(role, { topic, number, epoch });
      if (appended.has(name) && !(await folder.has(name))) await folder.put(name, entries[number]);
    }
  }
  const appended = new Set<string>();
  const seat = await takeSoleRole(folder, role, { prepare, onBeat: mend });

  function of(topic: string): unknown[] {
    const entries = written.get(topic);
    if (entries === undefined) throw new PruningError('E_JOURNAL', `the ${role} has no topic ${topic}`);
    return entries;
  }
  return {
    ...seat,
    role,
    entries(topic, schema) {
      return of(topic).map((body, number) => {
        const fits = schema.safeParse(body);
        if (fits.success) return fits.data;
        const where = `${shownUrl(folder.url)}: number ${number} of ${role}/${topic}`;
        throw new PruningError('E_JOURNAL', `${where} is of another program: begin another run`);
      });
    },
    async append(topic, body) {
      const entries = of(topic);
      const number = entries.length;
      seat.signal.throwIfAborted();
      const name = nameOf(role, { topic, number, epoch: seat.epoch });
      // Else a folder that somebody has removed would be made anew; and after it, since it counts only if nobody else had the role by then.
      await seat.requireHeld();
      await folder.put(name, body);
      await seat.requireHeld();
      entries.push(body);
      appended.add(name);
      return number;
    },
  };
}

/** A message of a journal. */
export interface Place<T> {
  readonly topic: string;
  /** Counted from 0. */
  readonly number: number;
  readonly schema: z.ZodType<T>;
}

/** A message that is there for good, or undefined. */
export async function readEntry<T>(folder: RunFolder, role: SoleRole, place: Place<T>): Promise<T | undefined> {
  return reader(folder, role, place)();
}

/**
 * Waits for a message.
 *
 * @param options signal: as a seat's, so that a stop ends the waiting
 * @throws PruningError `E_FARM_SILENT` when it has not come for `patienceMs` and nobody has the role; the signal's reason
 */
export async function waitForEntry<T>(
  folder: RunFolder,
  role: SoleRole,
  place: Place<T> & { readonly signal?: AbortSignal },
): Promise<T> {
  const what = `number ${place.number} of ${role}/${place.topic} in ${shownUrl(folder.url)}`;
  const bell = folder.listen(topicOf(role, place.topic), (name) => !isPartial(name));
  try {
    return await until(reader(folder, role, place), {
      pace: folder.pace,
      what,
      signal: place.signal,
      isHopeful: () => anybodyLives(folder, [role]),
      bell,
    });
  } finally {
    bell?.close();
  }
}

/** Looks for a message, again and again: two requests for each look. */
function reader<T>(
  folder: RunFolder,
  role: SoleRole,
  { topic, number, schema }: Place<T>,
): () => Promise<T | undefined> {
  let [holder, chain]: [Seen | undefined, Chain | undefined] = [undefined, undefined];
  async function learn(): Promise<boolean> {
    const now = (await seen(folder, role)).at(0);
    const isSame = now?.session === holder?.session && now?.epoch === holder?.epoch && now?.isOpen === holder?.isOpen;
    if (!isSame) [holder, chain] = [now, now?.isOpen ? await chainOf(folder, now) : undefined];
    return isSame;
  }
  return async () => {
    if (holder === undefined) await learn();
    for (;;) {
      const epoch = chain?.findLast(({ starts }) => (starts[topic] ?? Infinity) <= number)?.epoch;
      const body = epoch === undefined ? undefined : await folder.take(nameOf(role, { topic, number, epoch }), schema);
      const isSame = await learn();
      if (body === undefined) return undefined;
      if (isSame) return body;
    }
  };
}

async function chainOf(folder: RunFolder, holder: Member | undefined): Promise<Chain | undefined> {
  if (holder === undefined) return undefined;
  return (await folder.take(fileOf(holder, 'open'), Open))?.chain;
}

/** All that a chain of epochs has written, up to the first message that is missing or damaged: from there on it is written anew. */
async function readAll(
  folder: RunFolder,
  role: SoleRole,
  { topic, chain }: { readonly topic: string; readonly chain: Chain },
): Promise<unknown[]> {
  const entries: unknown[] = [];
  for (;;) {
    const from = entries.length;
    const numbers = Array.from({ length: AT_ONCE }, (_, i) => from + i);
    const bodies = await Promise.all(
      numbers.map(async (number) => {
        const epoch = chain.findLast(({ starts }) => (starts[topic] ?? Infinity) <= number)?.epoch;
        return epoch === undefined ? undefined : folder.take(nameOf(role, { topic, number, epoch }), Something);
      }),
    );
    for (const body of bodies) {
      if (body === undefined) return entries;
      entries.push(body);
    }
  }
}

/** Messages read side by side. */
const AT_ONCE = 16;
/** What a message of a journal may be: not nothing. */
const Something = z.unknown().refine((body) => body !== undefined);

function topicOf(role: SoleRole, topic: string): string {
  return `journal/${role}/${topic}`;
}

function nameOf(
  role: SoleRole,
  { topic, number, epoch }: { readonly topic: string; readonly number: number; readonly epoch: number },
): string {
  return `${topicOf(role, topic)}/${String(number).padStart(8, '0')}.${String(epoch).padStart(6, '0')}`;
}

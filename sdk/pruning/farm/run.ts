/** Beginning a run, and joining one: what is run stands in its folder, and a folder of anything else is refused by name. */
import { z } from 'zod';
import { PruningError } from '../../base/errors.js';
import { shownUrl } from '../../storage/url.js';
import type { RunFolder } from './folder.js';
import { type Office, takeOffice } from './journal.js';
import { FARM_VERSION } from './message.js';
import { until } from './pace.js';
import { requireGoing } from './stop.js';

/**
 * Begins a run as its main role, or takes it up again.
 *
 * @param options settings: plain data that the other roles read; topics: of main's journal
 * @throws PruningError `E_RUN` for the folder of a run with other settings, of another version, or of something else; `E_TAKEN` when the
 * run has a main already; `E_STOPPED`
 * @example
 * const folder = await runFolder('out/work', 'seed-1');
 * const main = await beginRun(folder, { settings: { seed: 1 }, topics: ['rounds'] });
 * await main.leave();
 */
export async function beginRun(
  folder: RunFolder,
  { settings, topics }: { readonly settings: unknown; readonly topics: readonly string[] },
): Promise<Office> {
  await requireOurs(folder);
  const main = await takeOffice(folder, 'main', topics);
  try {
    if (!(await isBegun(folder, settings))) await folder.put(NAME, { settings });
    return main;
  } catch (error) {
    await main.leave();
    throw error;
  }
}

/**
 * Whether a run with these settings has been begun.
 *
 * @throws PruningError `E_RUN` for the folder of a run with other settings
 */
export async function isBegun(folder: RunFolder, settings: unknown): Promise<boolean> {
  const there = await folder.take(NAME, Settings);
  if (there === undefined) return false;
  if (canonical(there.settings) === canonical(settings)) return true;
  const where = `${shownUrl(folder.url)} holds a run with other settings`;
  throw new PruningError(
    'E_RUN',
    `${where} (${differing(there.settings, settings)}): name another run, or another folder`,
  );
}

/**
 * The settings of a run, as soon as its main role has begun it.
 *
 * @throws PruningError `E_RUN`; `E_FARM_SILENT` when it is not begun for `patienceMs`; `E_STOPPED`
 */
export async function joinRun<T>(
  folder: RunFolder,
  schema: z.ZodType<T>,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<T> {
  const what = `${shownUrl(folder.url)} to be begun by its main role`;
  const { settings } = await until(
    async () => {
      await requireOurs(folder);
      await requireGoing(folder);
      return folder.take(NAME, Settings);
    },
    { pace: folder.pace, what, signal },
  );
  const fits = schema.safeParse(settings);
  if (fits.success) return fits.data;
  const { path, message } = fits.error.issues[0];
  const why = `its settings are not those of this command (${path.join('.')}: ${message})`;
  throw new PruningError('E_RUN', `${shownUrl(folder.url)} is another kind of run, ${why}: name another run`);
}

const NAME = 'run.json';
const Settings = z.strictObject({ settings: z.unknown() });
const Any = z.looseObject({ format: z.literal('mindts farm'), version: z.number(), run: z.string() });
/** What a run's folder may hold before it has a `run.json`: also what a role had in hand when somebody removed the folder, which is named by its content. */
const OURS: ReadonlySet<string> = new Set(['roles', 'stop.json', 'quarantine', 'board', 'data']);

/** @throws PruningError `E_RUN` for a folder of another version or run, or of something else */
async function requireOurs(folder: RunFolder): Promise<void> {
  const bytes = await folder.read(NAME);
  if (bytes === undefined) {
    const other = (await folder.list('')).find((name) => !OURS.has(name));
    // It may have been begun between the two looks.
    if (other === undefined || (await folder.has(NAME))) return;
    const holds = `${shownUrl(folder.url)} holds ${JSON.stringify(other)} and no ${NAME}`;
    throw new PruningError('E_RUN', `${holds}: it is the folder of something else, name another`);
  }
  const found = Any.safeParse(json(bytes));
  if (found.success && found.data.version === FARM_VERSION && found.data.run === folder.run) return;
  const whose = found.success
    ? `was written for the run ${JSON.stringify(found.data.run)} by version ${found.data.version} of the farm, not for ${JSON.stringify(folder.run)} by version ${FARM_VERSION}`
    : 'is no file of mindts';
  throw new PruningError('E_RUN', `${shownUrl(folder.url)}/${NAME} ${whose}: name another run or folder`);
}

function json(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** The names of the settings that differ, for people. */
function differing(a: unknown, b: unknown): string {
  const [before, now] = [a, b].map((settings) => new Map(leavesOf(settings)));
  const names = [...new Set([...before.keys(), ...now.keys()])];
  return names.filter((name) => canonical(before.get(name)) !== canonical(now.get(name))).join(', ');
}

/** Settings within settings, by their paths. */
function leavesOf(settings: unknown, path: readonly string[] = []): readonly (readonly [string, unknown])[] {
  if (typeof settings !== 'object' || settings === null || Array.isArray(settings)) {
    return [[path.join('.'), settings]];
  }
  return Object.entries(settings).flatMap(([name, value]) => leavesOf(value, [...path, name]));
}

/** As it comes back from a file, its keys in one order. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, one: unknown) =>
    typeof one === 'object' && one !== null && !Array.isArray(one)
      ? Object.fromEntries(Object.entries(one).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : one,
  );
}

/** Full runs whose logs are kept: a folder for each, and a table of them all. */
import { copyFile, mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { writeFileAtomic } from '../../sdk/base/files.js';
import { PRUNED_FILES } from '../../sdk/pruning/finish.js';
import { deviation, mean } from '../statistics.js';

/** What the bench and the table say of a run, out of its `prune.json`. */
export const outcomeSchema = z.object({
  network: z.string(),
  ratio: z.number(),
  kept: z.int(),
  accuracy: z.number(),
  accuracyBefore: z.number(),
  validation: z.number(),
  bytes: z.object({ dense: z.int(), sparse: z.int() }),
  seconds: z.number(),
  candidates: z.int(),
  seed: z.int(),
  settings: z.object({ target_ratio: z.number(), iterations: z.int(), method: z.string(), schedule: z.string() }),
});
/** The same. */
export type Outcome = z.infer<typeof outcomeSchema>;

/** What a run said, in its folder. */
export const LOG = 'log.txt';

/** Reads what came of a run out of its folder. */
export async function readOutcome(folder: string): Promise<Outcome> {
  const path = join(folder, PRUNED_FILES.report);
  const parsed = outcomeSchema.safeParse(JSON.parse(await readFile(path, 'utf8')));
  if (parsed.success) return parsed.data;
  throw new Error(`${path}: is not what mindts prune writes: ${z.prettifyError(parsed.error)}`);
}

/** `lenet300-100-114-seed1`: what a run is kept under. */
export function keptName({ network, seed, settings }: Pick<Outcome, 'network' | 'seed' | 'settings'>): string {
  return `${network}-${settings.target_ratio}-seed${seed}`;
}

/**
 * Keeps a run's log, report and curves, in place of one that was kept under its name, and writes the table anew.
 *
 * @param run its folder
 * @param results where runs are kept
 */
export async function keepRun(run: string, results: string): Promise<void> {
  const folder = join(results, keptName(await readOutcome(run)));
  await mkdir(folder, { recursive: true });
  for (const name of [LOG, PRUNED_FILES.curves, PRUNED_FILES.report])
    await copyFile(join(run, name), join(folder, name));
  await writeFileAtomic(join(results, 'README.md'), await kept(results));
}

/** The table, from the reports that lie there. */
async function kept(results: string): Promise<string> {
  const folders = (await readdir(results, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const outcomes = await Promise.all(folders.map(({ name }) => readOutcome(join(results, name))));
  const inOrder = outcomes.toSorted(
    (a, b) => compared(a.network, b.network) || a.settings.target_ratio - b.settings.target_ratio || a.seed - b.seed,
  );
  const groups = new Map<string, Outcome[]>();
  for (const outcome of inOrder) {
    const title = `${outcome.network}, target ${outcome.settings.target_ratio}`;
    groups.set(title, [...(groups.get(title) ?? []), outcome]);
  }
  return `# Full runs of pruning

Written by \`npm run bench:prune -- --keep docs/results\` from the reports in the folders. Accuracy is of the test set, which is looked at once, at the end of a run; ± is a standard deviation.

| runs | ratio | accuracy before | accuracy | seconds |
|---|---|---|---|---|
${Array.from(groups, ([title, runs]) => summary(title, runs)).join('\n')}

| run | parameters | ratio | accuracy | validation | bytes | iterations | candidates | seconds | files |
|---|---|---|---|---|---|---|---|---|---|
${inOrder.map(line).join('\n')}
`;
}

function summary(title: string, runs: readonly Outcome[]): string {
  const of = (pick: (run: Outcome) => number, digits: number): string => {
    const values = runs.map(pick);
    return `${mean(values).toFixed(digits)}${runs.length > 1 ? ` ± ${deviation(values).toFixed(digits)}` : ''}`;
  };
  const cells = [
    `${title}, ${runs.length === 1 ? 'one seed' : `${runs.length} seeds`}`,
    `${of(({ ratio }) => ratio, 1)}×`,
    `${of(({ accuracyBefore }) => 100 * accuracyBefore, 2)} %`,
    `${of(({ accuracy }) => 100 * accuracy, 2)} %`,
    of(({ seconds }) => seconds, 0),
  ];
  return `| ${cells.join(' | ')} |`;
}

function line(run: Outcome): string {
  const { ratio, accuracy, validation, bytes, settings, candidates, seconds } = run;
  const name = keptName(run);
  const cells = [
    name,
    run.kept,
    `${ratio.toFixed(1)}×`,
    percent(accuracy),
    percent(validation),
    bytes.sparse,
    settings.iterations,
    `${candidates} (${settings.method})`,
    seconds.toFixed(0),
    `[log](${name}/${LOG}), [report](${name}/${PRUNED_FILES.report}), [curves](${name}/${PRUNED_FILES.curves})`,
  ];
  return `| ${cells.join(' | ')} |`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(2)} %`;
}

function compared(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

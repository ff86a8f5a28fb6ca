/** How searches stand against one another: what each found in several runs, as tables. */
import { isClear, pairsWon, quantile } from '../statistics.js';
import type { Contest, MethodName } from './contests.js';

/** What came of a contest with one budget. */
export interface Standing {
  readonly title: string;
  readonly budget: number;
  /** By method, the best of each run. */
  readonly found: Readonly<Partial<Record<MethodName, readonly number[]>>>;
}

/** Runs every method with the seeds 1, 2, … */
export async function compete(
  { title, methods, best }: Contest,
  { budget, seeds, told = () => {} }: { readonly budget: number; readonly seeds: number; readonly told?: () => void },
): Promise<Standing> {
  const found: Partial<Record<MethodName, readonly number[]>> = {};
  for (const method of methods) {
    const runs: number[] = [];
    for (let seed = 1; seed <= seeds; seed++) {
      runs.push(await best(method, { seed, budget }));
      told();
    }
    found[method] = runs;
  }
  return { title, budget, found };
}

/** Medians, with the quarters of the runs that lie below and above. Smaller is better. */
export function mediansTable(standings: readonly Standing[]): string {
  const rows = standings.map(({ title, budget, found }) => [
    title,
    String(budget),
    ...METHODS.map((method) => spread(found[method])),
  ]);
  return markdown(['what is to become small', 'candidates', ...METHODS], rows);
}

/** In how many pairs of runs one of two methods is ahead; with a star where chance alone would hardly do it. */
export function duelsTable(standings: readonly Standing[]): string {
  const rows = standings.map(({ title, budget, found }) => [
    title,
    String(budget),
    ...DUELS.map(([one, other]) => duel(found[one], found[other])),
  ]);
  return markdown(['pairs of runs won', 'candidates', ...DUELS.map(([one, other]) => `${one} : ${other}`)], rows);
}

const METHODS: readonly MethodName[] = ['ncs', 'cma-es', 'random', 'seed-compat'];
const DUELS: readonly (readonly [MethodName, MethodName])[] = [
  ['ncs', 'random'],
  ['ncs', 'cma-es'],
  ['cma-es', 'random'],
  ['random', 'seed-compat'],
];

function spread(found: readonly number[] | undefined): string {
  if (found === undefined) return '–';
  const [low, middle, high] = [0.25, 0.5, 0.75].map((part) => shown(quantile(found, part)));
  return `${middle} (${low}–${high})`;
}

function duel(ours: readonly number[] | undefined, theirs: readonly number[] | undefined): string {
  if (ours === undefined || theirs === undefined) return '–';
  const won = pairsWon(ours, theirs);
  const lost = ours.length * theirs.length - won;
  return `${won} : ${lost}${isClear(won, ours.length, theirs.length) ? ' *' : ''}`;
}

/** Whole numbers as they are from a thousand on, else four digits. */
function shown(value: number): string {
  if (value === Infinity) return 'none';
  if (Math.abs(value) >= 1000) return value.toFixed(0);
  return Math.abs(value) < 1e-4 ? value.toFixed(4) : String(Number(value.toPrecision(4)));
}

function markdown(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

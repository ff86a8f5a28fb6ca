/** The figures of `npm run bench:prune`, in the order of the table. */
import type { Line } from '../lines.js';
import { candidateFigures } from './candidates.js';
import type { Inputs } from './inputs.js';
import { runFigures } from './runs.js';

/** What the figures are measured with. */
export interface PruneBench {
  readonly inputs: Inputs;
  /** How many full runs, with the seeds 1, 2, … */
  readonly seeds: number;
  /** How often to measure what takes no more than some seconds. */
  readonly repeats: number;
  /** Where logs of full runs are kept; nowhere where it is not said. */
  readonly keep: string | undefined;
}

/** Measures the lines of a figure. */
export type PruneFigure = (bench: PruneBench) => Promise<readonly Line[]>;

/** By the names that `--only` uses. */
export const pruneFigures: Readonly<Record<string, PruneFigure>> = { ...candidateFigures, ...runFigures };

/** Figures that come as several lines of a table, measured one after another. */
import { log } from '../sdk/base/log.js';
import { startProgress } from '../sdk/base/progress.js';
import { type Facts, judge, type Measurement, type Row } from './report.js';

/** A line of the table. */
export interface Line {
  /** Follows the figure's name. */
  readonly suffix: string;
  readonly facts: Facts;
  readonly measurement: Measurement;
}

/** Measures by names. One figure that cannot be measured does not keep the others from being; the exit code says so. */
export async function measureLines(
  names: readonly string[],
  measure: (name: string) => Promise<readonly Line[]>,
  { isMnist }: { readonly isMnist: boolean },
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const progress = startProgress({ label: 'measuring', total: names.length, unit: 'figures' });
  for (const [done, name] of names.entries()) {
    progress.update(done, name);
    const measured = await measure(name).catch((error: unknown) => {
      log.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
      return [];
    });
    for (const { suffix, facts, measurement } of measured) {
      const result = judge(facts, measurement, { isMnist });
      rows.push({ name: name + suffix, facts, result, note: measurement.note });
    }
  }
  progress.done();
  return rows;
}

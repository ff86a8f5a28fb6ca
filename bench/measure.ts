/** Clocks, medians, and files compared. */
import { readFile } from 'node:fs/promises';

/** How long something takes. */
export async function seconds(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now();
  await work();
  return (performance.now() - begin) / 1000;
}

/** Measures several times, one after another; what counts is the median. */
export async function medianOf(times: number, measure: () => Promise<number>): Promise<number> {
  const values: number[] = [];
  for (let i = 0; i < times; i++) values.push(await measure());
  return median(values);
}

/** The middle one; of an even number, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

/** In how many bytes two files differ; what one has and the other has not differs. */
export async function differingBytes(file: string, other: string): Promise<number> {
  const [a, b] = [await readFile(file), await readFile(other)];
  return a.reduce((sum, byte, i) => sum + Number(byte !== b[i]), Math.max(0, b.length - a.length));
}

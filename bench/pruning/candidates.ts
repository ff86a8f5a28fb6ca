/** Candidates for LeNet-300-100's rates, scored in this process as a search has it done: ten at once, 1000 validation images. */
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { evaluateHere } from '../../sdk/pruning/evaluate-here.js';
import { magnitudesOf, raisedTo } from '../../sdk/pruning/magnitudes.js';
import { settingsFor } from '../../sdk/pruning/settings.js';
import { PruneTrainer } from '../../sdk/pruning/trainer.js';
import type { Line } from '../lines.js';
import { median, seconds } from '../measure.js';
import { besidePeer } from '../peer.js';
import type { PruneBench, PruneFigure } from './figures.js';
import { loadTrained } from './inputs.js';

/** How much of the network candidates leave out, and in how many generations of ten they are scored: some tenths of a second. */
const DENSITIES: Readonly<Record<string, Density>> = {
  dense: { ratio: 1, title: 'that keep everything', generations: 20 },
  '18x': { ratio: 18, title: 'of about 18×', generations: 60 },
  '60x': { ratio: 60, title: 'of about 60×', generations: 300 },
};

interface Density {
  readonly ratio: number;
  readonly title: string;
  readonly generations: number;
}

/** By the names that `--only` and `--json` use: `candidates_18x` has lines for 1 thread, 2 threads, and the second beside the first. */
export const candidateFigures: Readonly<Record<string, PruneFigure>> = Object.fromEntries(
  Object.entries(DENSITIES).map(([name, density]) => [
    `candidates_${name}`,
    async (bench: PruneBench): Promise<readonly Line[]> => {
      const one = await open(bench, density, 1);
      const two = await open(bench, density, 2);
      try {
        const scaling: number[] = [];
        for (let i = 0; i < bench.repeats; i++) scaling.push((await seconds(one.score)) / (await seconds(two.score)));
        return [
          await rate(one.score, { ...density, threads: 1, repeats: bench.repeats }),
          await rate(two.score, { ...density, threads: 2, repeats: bench.repeats }),
          {
            suffix: '_scaling',
            facts: { title: 'the same, 2 threads beside 1', unit: '×', target: { is: '≥', limit: 1.8 } },
            measurement: { value: median(scaling) },
          },
        ];
      } finally {
        one.close();
        two.close();
      }
    },
  ]),
);

const [IMAGES, AT_ONCE] = [1000, 10];

async function rate(
  score: () => Promise<void>,
  { ratio, title, generations, threads, repeats }: Density & { readonly threads: number; readonly repeats: number },
): Promise<Line> {
  const count = AT_ONCE * generations;
  const args = [String(threads), String(ratio)];
  // The peer is told to score ten: it is slower by orders of magnitude.
  const task = { script: 'torch_candidates.py', args, command: String(AT_ONCE), repeats };
  const { value, peer, note = 'no python3 here can import torch' } = await besidePeer(score, task);
  const shown = `${threads} thread${threads === 1 ? '' : 's'}`;
  return {
    suffix: `_${shown.replace(' ', '_')}`,
    facts: {
      title: `LeNet-300-100, candidates ${title} scored on ${IMAGES} validation images, ${shown}`,
      unit: 'candidates/s',
      target: { is: '≥', limit: 300 },
    },
    measurement: { value: count / value, ...(peer && { peer: AT_ONCE / peer }), note },
  };
}

/** Candidates whose layers keep one of so many parameters together, each in proportions of its own. */
async function open(
  { inputs }: PruneBench,
  { ratio, generations }: Density,
  threads: number,
): Promise<{ readonly score: () => Promise<void>; close(): void }> {
  const settings = await settingsFor('lenet300-100', { search_images: IMAGES });
  const trained = await loadTrained('lenet300-100', inputs);
  const trainer = new PruneTrainer({ ...trained, settings, engine: nativeEngine({ threads }) });
  const snapshot = trainer.snapshot();
  const total = snapshot.layers.reduce((sum, { size }) => sum + size, 0);
  const aim = { snapshot, magnitudes: magnitudesOf(snapshot), goal: Math.floor(total / ratio) };
  const apart = (i: number): readonly number[] => snapshot.layers.map((_, l) => 0.03 * ((i + 3 * l) % AT_ONCE));
  const rates = Array.from({ length: AT_ONCE }, (_, i) => raisedTo(apart(i), aim));
  const evaluate = evaluateHere(trainer, snapshot);
  const score = async (): Promise<void> => {
    for (let generation = 0; generation < generations; generation++) await evaluate(rates, { round: 0, generation });
  };
  // The images are put together once, before the first.
  await evaluate(rates, { round: 0, generation: 0 });
  return { score, close: () => trainer.close() };
}

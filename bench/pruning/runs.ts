/** Full runs of `mindts prune`, each a process of its own, for several seeds. */
import { once } from 'node:events';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../sdk/base/package.js';
import { startChild } from '../command.js';
import type { Line } from '../lines.js';
import { deviation, mean } from '../statistics.js';
import type { PruneBench, PruneFigure } from './figures.js';
import type { Inputs, PrunedNetwork } from './inputs.js';
import { keepRun, LOG, type Outcome, readOutcome } from './kept.js';

/** What is pruned, and what it should come to. */
export interface RunCase {
  readonly network: PrunedNetwork;
  /** Flags beside configs/pruning.yaml. */
  readonly flags: readonly string[];
  readonly ratio: number;
  /** In percent. */
  readonly accuracy: number;
  readonly seconds?: number;
}

const LONGER = ['--iterations', '60000', '--target_ratio'];
const TWICE_AS_LONG = ['--iterations', '120000', '--prune_stop', '80000', '--curve_end', '0.75', '--regrow', '0.4'];

const CASES: Readonly<Record<string, RunCase>> = {
  lenet300: { network: 'lenet300-100', flags: [], ratio: 113.5, accuracy: 97.82, seconds: 600 },
  lenet5: { network: 'lenet5-caffe', flags: [], ratio: 298, accuracy: 99.09 },
  lenet300_150: { network: 'lenet300-100', flags: [...LONGER, '151'], ratio: 150, accuracy: 97.8 },
  lenet5_350: { network: 'lenet5-caffe', flags: [...TWICE_AS_LONG, '--target_ratio', '350'], ratio: 350, accuracy: 99 },
};

/** By the names that `--only` and `--json` use: `lenet300` has lines for ratio, test accuracy and seconds, means over seeds. */
export const runFigures: Readonly<Record<string, PruneFigure>> = Object.fromEntries(
  Object.entries(CASES).map(([name, one]) => [name, (bench: PruneBench) => measure(one, bench)]),
);

/**
 * Prunes in a folder of its own beside the inputs. Nothing that it writes says where that is: it runs there, with names alone.
 *
 * @returns the folder, with the run's files and what it said
 */
export async function runOnce(
  { network, flags }: Pick<RunCase, 'network' | 'flags'>,
  { inputs, seed }: { readonly inputs: Inputs; readonly seed: number },
): Promise<string> {
  const name = `${network}${flags.join('')}-seed${seed}`;
  const folder = join(inputs.folder, name);
  await mkdir(folder, { recursive: true });
  const said = await open(join(folder, LOG), 'w');
  const data = ['--data_url', inputs.zip, '--ckpt_url', await inputs.checkpointOf(network), '--train_url', name];
  const args = ['prune', '--network', network, ...data, '--seed', String(seed), ...flags];
  try {
    await said.write(`mindts ${args.join(' ')}\n`);
    const child = startChild(process.execPath, [CLI, ...args], {
      stdio: ['ignore', said.fd, said.fd],
      cwd: inputs.folder,
    });
    const [code] = await once(child, 'close');
    if (code !== 0) throw new Error(`mindts ${args.join(' ')}: exit code ${code}: ${await lastLine(folder)}`);
  } finally {
    await said.close();
  }
  return folder;
}

const CLI = join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js');

async function measure(one: RunCase, { inputs, seeds, keep }: PruneBench): Promise<readonly Line[]> {
  const outcomes: Outcome[] = [];
  for (let seed = 1; seed <= seeds; seed++) {
    const folder = await runOnce(one, { inputs, seed });
    outcomes.push(await readOutcome(folder));
    if (keep !== undefined) await keepRun(folder, keep);
  }
  const [{ accuracyBefore, settings }] = outcomes;
  const what = `${one.network}, --target_ratio ${settings.target_ratio}, ${settings.iterations} iterations`;
  return [
    {
      suffix: '_ratio',
      facts: {
        title: `${what}: parameters to one that is kept`,
        unit: '×',
        target: { is: '≥', limit: one.ratio, ofMnist: true },
      },
      measurement: spread(outcomes.map(({ ratio }) => ratio)),
    },
    {
      suffix: '_accuracy',
      facts: {
        title: `its test accuracy, ${(100 * accuracyBefore).toFixed(2)} % before`,
        unit: '%',
        target: { is: '≥', limit: one.accuracy, ofMnist: true },
      },
      measurement: spread(outcomes.map(({ accuracy }) => 100 * accuracy)),
    },
    {
      suffix: '_seconds',
      facts: {
        title: 'its time, searches and retraining included',
        unit: 's',
        ...(one.seconds && { target: { is: '≤', limit: one.seconds, ofMnist: true } }),
      },
      measurement: spread(outcomes.map(({ seconds }) => seconds)),
    },
  ];
}

async function lastLine(folder: string): Promise<string> {
  return (await readFile(join(folder, LOG), 'utf8')).trimEnd().split('\n').at(-1) ?? '';
}

/** The mean, and in a note how far the values are apart. */
function spread(values: readonly number[]): { readonly value: number; readonly note?: string } {
  if (values.length === 1) return { value: values[0], note: 'one seed' };
  const each = values.map((value) => Number(value.toPrecision(4))).join(', ');
  return { value: mean(values), note: `± ${Number(deviation(values).toPrecision(2))}: ${each}` };
}

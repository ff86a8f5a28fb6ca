/** Evaluators of pruning on a cluster: real roles as processes on this machine, a local work folder between them; how much faster two score candidates than one. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../sdk/base/package.js';
import { saveCheckpoint } from '../sdk/checkpoint/checkpoint.js';
import { buildNetwork, type NetworkName } from '../sdk/nn/networks.js';
import { runFolder } from '../sdk/pruning/farm/folder.js';
import { readEntry } from '../sdk/pruning/farm/journal.js';
import type { Role } from '../sdk/pruning/farm/roles.js';
import { Found } from '../sdk/pruning/roles/messages.js';
import { Model } from '../sdk/train/model.js';
import { startChild } from './command.js';
import type { Bench, Figure } from './figures.js';
import { median, medianOf } from './measure.js';
import type { Measurement } from './report.js';

const CLI = join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js');

export const evaluatorFigures: Readonly<Record<string, Figure>> = {
  evaluators: {
    title: 'candidates a second, LeNet-300-100, 2000 images as configured: two evaluators of one thread beside one',
    unit: '×',
    target: { is: '≥', limit: 1.8 },
    measure: (bench) => speedUp(bench, { network: 'lenet300-100', how: { search_images: 2000 } }),
  },
  evaluators_few: {
    title: 'the same with 1000 images, where messages weigh twice as much',
    unit: '×',
    target: { is: '≥', limit: 1.8 },
    measure: (bench) => speedUp(bench, { network: 'lenet300-100', how: { search_images: 1000 } }),
  },
  evaluators_lenet5: {
    title:
      "the same for Caffe's LeNet-5, whose candidates take eight times as long: a search by magnitudes, 160 candidates a round, 1000 images",
    unit: '×',
    target: { is: '≥', limit: 1.8 },
    measure: (bench) => speedUp(bench, { network: 'lenet5-caffe', how: SEARCHED }),
  },
};

/** What `lenet5-caffe` is configured without: a search for its layers' rates. */
const SEARCHED = { shares: 'searched', saliency: 'magnitude', search_budget: 160, search_images: 1000 };

interface Task {
  readonly network: NetworkName;
  /** Besides {@link HOW}. */
  readonly how: Readonly<Record<string, string | number>>;
}

async function speedUp(bench: Bench, task: Task): Promise<Measurement> {
  const speeds = { one: new Array<number>(), two: new Array<number>() };
  const value = await medianOf(bench.repeats, async () => {
    const one = await candidatesPerSecond(bench, { task, evaluators: 1 });
    const two = await candidatesPerSecond(bench, { task, evaluators: 2 });
    speeds.one.push(one);
    speeds.two.push(two);
    return two / one;
  });
  return { value, note: `${Math.round(median(speeds.one))} and ${Math.round(median(speeds.two))} candidates/s` };
}

interface Cluster {
  readonly task: Task;
  readonly evaluators: number;
}

/** Half of the parameters stay, so that candidates are as costly at the end as at the beginning. */
const HOW = {
  iterations: 60,
  prune_stop: 50,
  search_every: 10,
  search_budget: 320,
  target_ratio: 2,
  delta: 1,
  shift: 0,
};
const ROUNDS = HOW.prune_stop / HOW.search_every;

/** From the trainer's asking for rates to the search's answer: the middle of a run's rounds. */
async function candidatesPerSecond(bench: Bench, cluster: Cluster): Promise<number> {
  const workUrl = await mkdtemp(join(bench.folder, 'evaluators-'));
  const children: ChildProcess[] = [];
  try {
    await playRun(bench, { ...cluster, workUrl, children });
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
  const speeds: number[] = [];
  const folder = await runFolder(workUrl, 'default');
  for (let number = 0; number < ROUNDS; number++) {
    const found = await readEntry(folder, 'search', { topic: 'rates', number, schema: Found });
    if (found === undefined) throw new Error(`${workUrl}: round ${number} found nothing`);
    const written = async (topic: string): Promise<number> =>
      (await stat(join(workUrl, 'default', 'journal', topic, `${String(number).padStart(8, '0')}.000001`))).mtimeMs;
    const took = (await written('search/rates')) - (await written('trainer/searches'));
    speeds.push((1000 * found.evaluated) / took);
  }
  // In the first round some are still loading images.
  return median(speeds.slice(1));
}

/** All roles of a run, to its end; the trainer, who sets everything going, comes when the others are there. */
async function playRun(
  bench: Bench,
  {
    task: { network, how },
    evaluators,
    workUrl,
    children,
  }: Cluster & { readonly workUrl: string /** Who was started. */; readonly children: ChildProcess[] },
): Promise<void> {
  const data = ['--data_url', bench.zip, '--threads', '1'];
  const settings = Object.entries({ ...HOW, ...how }).map(([name, value]) => `--${name}=${value}`);
  const own: Readonly<Record<Role, readonly string[]>> = {
    main: ['--network', network, '--ckpt_url', await denseIn(bench, network), ...settings],
    search: [],
    evaluator: data,
    trainer: [...data, '--train_url', join(workUrl, 'out')],
  };
  const ends: Promise<void>[] = [];
  async function start(role: Role): Promise<void> {
    const child = startChild(process.execPath, [CLI, `prune_${role}`, '--work_url', workUrl, ...own[role]], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    const ended = wellEnded(child, role);
    // It is heard of below, when all have started.
    ended.catch(() => {});
    ends.push(ended);
    if (child.stdout === null) throw new Error(`prune_${role} was started without a pipe`);
    for await (const line of createInterface(child.stdout)) if (line.includes(`as ${role}`)) break;
    child.stdout.resume();
  }
  const others = ['main', 'search', ...Array.from({ length: evaluators }, () => 'evaluator' as const)] as const;
  await Promise.all(others.map((role) => start(role)));
  await start('trainer');
  await Promise.all(ends);
}

async function wellEnded(child: ChildProcess, role: Role): Promise<void> {
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`prune_${role}: exit code ${code}`);
}

/** A network as it begins: how fast candidates are does not depend on what it has learnt. */
async function denseIn({ folder }: Bench, network: NetworkName): Promise<string> {
  const path = join(folder, `${network}.ckpt`);
  await saveCheckpoint(path, new Model({ network: buildNetwork(network).network, seed: 1 }).checkpoint());
  return path;
}

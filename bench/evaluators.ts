/** Evaluators of pruning on a cluster: real roles as processes on this machine, a local work folder between them; how much faster two score candidates than one. */
import { once } from 'node:events';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { packageRoot } from '../sdk/base/package.js';
import { saveCheckpoint } from '../sdk/checkpoint/checkpoint.js';
import { buildNetwork } from '../sdk/nn/networks.js';
import { runFolder } from '../sdk/pruning/farm/folder.js';
import { readEntry } from '../sdk/pruning/farm/journal.js';
import type { Role } from '../sdk/pruning/farm/roles.js';
import { Found } from '../sdk/pruning/roles/messages.js';
import { Model } from '../sdk/train/model.js';
import { startChild } from './command.js';
import type { Bench, Figure } from './figures.js';
import { median, medianOf } from './measure.js';

const CLI = join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js');

export const evaluatorFigures: Readonly<Record<string, Figure>> = {
  evaluators: {
    title: 'candidates a second, LeNet-300-100, 1000 images: two evaluators of one thread beside one',
    unit: '×',
    target: { is: '≥', limit: 1.8, ofMnist: true },
    async measure(bench) {
      const speeds: number[] = [];
      const value = await medianOf(bench.repeats, async () => {
        const one = await candidatesPerSecond(bench, 1);
        const two = await candidatesPerSecond(bench, 2);
        speeds.push(one, two);
        return two / one;
      });
      const [one, two] = [0, 1].map((from) => median(speeds.filter((_, i) => i % 2 === from)));
      return { value, note: `${Math.round(one)} and ${Math.round(two)} candidates/s` };
    },
  },
};

/** Half of the parameters stay, so that candidates are as costly at the end as at the beginning. */
const HOW = {
  iterations: 60,
  prune_stop: 50,
  search_every: 10,
  search_budget: 320,
  search_images: 1000,
  target_ratio: 2,
  delta: 1,
  shift: 0,
};
const ROUNDS = HOW.prune_stop / HOW.search_every;

/** From the trainer's asking for rates to the search's answer: the middle of a run's rounds. */
async function candidatesPerSecond(bench: Bench, evaluators: number): Promise<number> {
  const workUrl = join(bench.folder, `evaluators-${evaluators}-${performance.now()}`);
  const ended = await Promise.all(await startAll(bench, workUrl, evaluators));
  const wrong = ended.find(({ code }) => code !== 0);
  if (wrong !== undefined) throw new Error(`prune_${wrong.role}: exit code ${wrong.code}`);
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

interface Ended {
  readonly role: Role;
  readonly code: unknown;
}

/** All roles of a run; the trainer, who sets everything going, when the others are there. */
async function startAll(bench: Bench, workUrl: string, evaluators: number): Promise<readonly Promise<Ended>[]> {
  const dense = await denseIn(bench);
  const data = ['--data_url', bench.zip, '--threads', '1'];
  const how = Object.entries(HOW).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const own: Readonly<Record<Role, readonly string[]>> = {
    main: ['--network', 'lenet300-100', '--ckpt_url', dense, ...how],
    search: [],
    evaluator: data,
    trainer: [...data, '--train_url', join(workUrl, 'out')],
  };
  async function start(role: Role): Promise<Promise<Ended>[]> {
    const child = startChild(process.execPath, [CLI, `prune_${role}`, '--work_url', workUrl, ...own[role]], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { MINDTS_CACHE: join(bench.folder, 'cache') },
    });
    const ended = once(child, 'close').then(([code]: readonly unknown[]) => ({ role, code }));
    if (child.stdout === null) throw new Error(`prune_${role} was started without a pipe`);
    for await (const line of createInterface(child.stdout)) if (line.includes(`as ${role}`)) break;
    child.stdout.resume();
    return [ended];
  }
  const others = ['search', ...Array.from({ length: evaluators }, () => 'evaluator' as const)] as const;
  const [main, ...rest] = await Promise.all([start('main'), ...others.map((role) => start(role))]);
  return [...main, ...rest.flat(), ...(await start('trainer'))];
}

/** A network as it begins: how fast candidates are does not depend on what it has learnt. */
async function denseIn({ folder }: Bench): Promise<string> {
  const path = join(folder, 'dense.ckpt');
  await saveCheckpoint(path, new Model({ network: buildNetwork('lenet300-100').network, seed: 1 }).checkpoint());
  return path;
}

/** The four roles of a run of pruning as processes of the built command, which tests kill; and the same run on one machine. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { mnist } from '../../sdk/dataset/mnist.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { buildNetwork, type NetworkName } from '../../sdk/nn/networks.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import type { Role } from '../../sdk/pruning/farm/roles.js';
import { Model } from '../../sdk/train/model.js';
import { type Ended, type Running, run, start } from './command.js';

/** Files that do not depend on who made them, nor when. */
export const SAME = ['pruned.ckpt', 'pruned.mtsp', 'journal.jsonl'] as const;

/** Where a cluster works. */
export interface Cluster {
  /** Holds the digits and the checkpoint. */
  readonly root: string;
  /** Default: lenet300-100. */
  readonly network?: NetworkName;
  readonly workUrl: string;
  readonly run?: string;
  readonly trainUrl: string;
  /** How it is pruned. */
  readonly how: readonly string[];
  readonly env?: NodeJS.ProcessEnv;
}

/** The flags that settings are given by. */
export function flagsOf(settings: Readonly<Record<string, string | number>>): readonly string[] {
  return Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
}

/** Writes digits, and a network that has learnt them. */
export async function prepareRoot(root: string, name: NetworkName = 'lenet300-100'): Promise<void> {
  await writeDigits(join(root, 'digits'), { train: 1500, test: 300 });
  const { network, transforms } = buildNetwork(name);
  const data = await mnist(join(root, 'digits'), { split: 'train', classes: 10, transforms });
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 });
  const model = new Model({ network, optimizer, engine: nativeEngine({ threads: 1 }), seed: 1 });
  await model.train(data, { epochs: 3, batchSize: 32 });
  await saveCheckpoint(join(root, 'dense.ckpt'), model.checkpoint());
}

/** Prunes on one machine. */
export function pruneAlone(cluster: Omit<Cluster, 'workUrl'>): Promise<Ended> {
  const { root, trainUrl, how } = cluster;
  const where = ['--data_url', join(root, 'digits'), '--train_url', trainUrl, '--threads', '1'];
  return run(['prune', ...networkOf(cluster), ...where, ...how], { cache: join(root, 'cache-alone') });
}

/** The files of two runs are the same, bit for bit. */
export function requireSame(t: Test, ...[a, b]: readonly [string, string]): void {
  for (const name of SAME) t.ok(readFileSync(join(a, name)).equals(readFileSync(join(b, name))), name);
}

/**
 * Starts a role; it is killed when the test ends.
 *
 * @param runner what runs it on another machine
 */
export function startRole(
  t: Test,
  cluster: Cluster,
  role: Role,
  more: readonly string[] = [],
  runner?: readonly string[],
): Running {
  const { root, workUrl, run: name = 'default', trainUrl, how, env } = cluster;
  const data = ['--data_url', join(root, 'digits'), '--threads', '1'];
  const own = {
    main: [...networkOf(cluster), ...how],
    trainer: [...data, '--train_url', trainUrl],
    search: ['--block_size', '3'],
    evaluator: data,
  }[role];
  const where = ['--work_url', workUrl, '--run', name];
  const started = start([`prune_${role}`, ...where, ...own, ...more], { cache: join(root, 'cache'), env, runner });
  t.teardown(() => started.child.kill('SIGKILL'));
  return started;
}

/**
 * Plays a run to its end; whoever is killed, or ended by SIGTERM, is started again.
 *
 * @param kill asked at each generation that the search tells, and told how many have been ended: which role is to be ended now, by SIGKILL where it does not say otherwise
 * @returns the roles that were ended so, and what those who came to an end said
 */
export async function play(
  t: Test,
  cluster: Cluster,
  {
    cast = ['main', 'trainer', 'search', 'evaluator', 'evaluator', 'evaluator'],
    kill = () => undefined,
  }: {
    readonly cast?: readonly Role[];
    readonly kill?: (ended: number) => Role | readonly [Role, 'SIGTERM'] | undefined;
  } = {},
): Promise<{ readonly killed: readonly Role[]; readonly outputs: readonly string[] }> {
  const alive: { readonly role: Role; readonly running: Running }[] = [];
  const [killed, outputs]: [Role[], string[]] = [[], []];
  function onLine(line: string): void {
    if (!/^round \d+, generation \d+: /.test(line)) return;
    const [role, signal] = [kill(killed.length)].flat();
    alive.find((other) => other.role === role)?.running.child.kill(signal === 'SIGTERM' ? signal : 'SIGKILL');
  }
  async function keepUp(role: Role): Promise<void> {
    for (;;) {
      const one = { role, running: startRole(t, cluster, role) };
      alive.push(one);
      const { stdout } = one.running.child;
      if (role === 'search' && stdout !== null) createInterface(stdout).on('line', onLine);
      const ended = await one.running.ended;
      alive.splice(alive.indexOf(one), 1);
      // 128 + 15: it has left its place in order.
      if (ended.code === 143) t.match(ended.stderr, `the ${role} has left its place`);
      if (ended.code === 'SIGKILL' || ended.code === 143) {
        killed.push(role);
        continue;
      }
      t.equal(ended.code, 0, `the ${role} ends well: ${ended.stderr}`);
      outputs.push(ended.stdout + ended.stderr);
      return;
    }
  }
  await Promise.all(cast.map((role) => keepUp(role)));
  return { killed, outputs };
}

function networkOf({ root, network = 'lenet300-100' }: Pick<Cluster, 'root' | 'network'>): readonly string[] {
  return ['--network', network, '--ckpt_url', join(root, 'dense.ckpt')];
}

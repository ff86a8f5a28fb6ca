/** PyTorch as the peer: a process that waits, and works when told, so that the two can take turns. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { packageRoot } from '../sdk/base/package.js';
import { startChild } from './command.js';
import { median, medianOf, seconds } from './measure.js';
import type { Measurement } from './report.js';

/** What the peer is asked to do. */
export interface Task {
  /** A script of this folder, and its arguments. */
  readonly script: string;
  readonly args: readonly string[];
  /** What it is told each time. */
  readonly command: string;
  readonly repeats: number;
}

/** Seconds of ours and of the peer's, in turn, so that what else the machine does meets both alike. */
export async function besidePeer(ours: () => Promise<unknown>, task: Task): Promise<Measurement> {
  const peer = await startPeer(task.script, task.args);
  const theirs: number[] = [];
  const value = await medianOf(task.repeats, async () => {
    const took = await seconds(ours);
    if (peer) theirs.push(await peer.ask(task.command));
    return took;
  });
  peer?.close();
  return { value, ...(peer && { peer: median(theirs), note: `beside ${peer.name}` }) };
}

/** A running peer. */
export interface Peer {
  readonly name: string;
  /** Has it carry out a line; the seconds that took. */
  readonly ask: (command: string) => Promise<number>;
  readonly close: () => void;
}

/** A Python that has torch: `MINDTS_BENCH_PYTHON`, else `python3`; undefined where there is none. */
export function torchPython(): string | undefined {
  const wanted = process.env['MINDTS_BENCH_PYTHON'];
  const names = wanted ? [wanted] : ['python3', '/usr/bin/python3'];
  return names.find((name) => spawnSync(name, ['-c', 'import torch']).status === 0);
}

/** Starts a script of this folder with PyTorch; undefined where there is none. */
export async function startPeer(script: string, args: readonly string[]): Promise<Peer | undefined> {
  const python = torchPython();
  if (python === undefined) return undefined;
  const { stdin, stdout } = startChild(python, [join(packageRoot, 'bench', script), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  if (stdin === null || stdout === null) throw new Error(`${python} was started without pipes`);
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const read = async <T>(schema: z.ZodType<T>): Promise<T> => {
    const { value, done } = await lines.next();
    if (done) throw new Error(`${script} ended before it answered`);
    return schema.parse(JSON.parse(value));
  };
  const { torch } = await read(z.object({ torch: z.string() }));
  return {
    name: `PyTorch ${torch}`,
    ask: async (command) => {
      stdin.write(`${command}\n`);
      return (await read(z.object({ seconds: z.number() }))).seconds;
    },
    close: () => stdin.end(),
  };
}

/** PyTorch as the peer: a process that waits, and trains or evaluates when told, so that the two can take turns. */
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
  /** An epoch of training, or evaluating the test set. */
  readonly command: 'train' | 'evaluate';
  /** A folder of IDX files. */
  readonly folder: string;
  readonly threads: number;
  readonly repeats: number;
}

/** Seconds of ours and of the peer's, in turn, so that what else the machine does meets both alike. */
export async function besidePeer(ours: () => Promise<unknown>, task: Task): Promise<Measurement> {
  const peer = await startPeer(task);
  const theirs: number[] = [];
  const value = await medianOf(task.repeats, async () => {
    const took = await seconds(ours);
    if (peer) theirs.push(await peer.seconds());
    return took;
  });
  peer?.close();
  return { value, ...(peer && { peer: median(theirs), note: `beside ${peer.name}` }) };
}

interface Peer {
  readonly name: string;
  readonly seconds: () => Promise<number>;
  readonly close: () => void;
}

/** undefined where no `python3` has torch. */
async function startPeer({ command, folder, threads }: Task): Promise<Peer | undefined> {
  const python = ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', 'import torch']).status === 0);
  if (python === undefined) return undefined;
  const script = join(packageRoot, 'bench', 'torch_lenet.py');
  const { stdin, stdout } = startChild(python, [script, folder, String(threads)], {
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
    seconds: async () => {
      stdin.write(`${command}\n`);
      return (await read(z.object({ seconds: z.number() }))).seconds;
    },
    close: () => stdin.end(),
  };
}

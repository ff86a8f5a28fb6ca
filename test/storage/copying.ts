/** Copies in processes of their own, to be killed and measured. They run what was built. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import { packageRoot } from '../../sdk/base/package.js';

export interface Job {
  readonly source: string;
  readonly destination: string;
  readonly partSize?: number;
}

const Done = z.object({
  files: z.number(),
  skipped: z.number(),
  bytes: z.number(),
  present: z.number(),
  /** The most memory it took, in KiB, where the system tells. */
  mostMemory: z.number().optional(),
});

/** What it did; the signal that ended it; or what it failed with. */
export type Ended = z.infer<typeof Done> | { readonly signal: string } | { readonly failure: string };

/** Starts `copyParallel`, with these environment variables beside the few that every process needs. */
export function startCopying(
  job: Job,
  env: Readonly<Record<string, string>>,
): { kill(): void; readonly ended: Promise<Ended> } {
  const { PATH, MINDTS_RETRY_WAIT_MS } = process.env;
  const child = spawn(process.execPath, [join(packageRoot, 'test/storage/copying.mjs'), JSON.stringify(job)], {
    env: { PATH, MINDTS_RETRY_WAIT_MS, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = Promise.all([text(child.stdout), text(child.stderr)]);
  const ended = once(child, 'close').then(async ([code, signal]): Promise<Ended> => {
    const [told, failure] = await output;
    if (signal !== null) return { signal: String(signal) };
    return code === 0 ? Done.parse(JSON.parse(told)) : { failure };
  });
  return { kill: () => void child.kill('SIGKILL'), ended };
}

/** Starts the ranks of a job as processes of their own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../sdk/base/package.js';

/** One rank that was started. */
export interface StartedRank {
  readonly kill: (signal: NodeJS.Signals) => void;
  /** Waits until a line of its output matches. */
  readonly said: (pattern: RegExp) => Promise<void>;
  readonly ended: Promise<{
    readonly code: number | string;
    readonly lines: readonly string[];
    readonly stderr: string;
  }>;
}

let jobs = 0;

/** Variables by which ranks of one job find each other in shared memory. */
export function rankVariables(): (id: number, size: number) => NodeJS.ProcessEnv {
  const rendezvous = join(tmpdir(), `mindts-test-${process.pid}-${jobs++}`);
  return (id, size) => ({ RANK_ID: `${id}`, RANK_SIZE: `${size}`, MINDTS_RENDEZVOUS: rendezvous });
}

/** Starts a script of this folder, as the build has compiled it, as one rank. */
export function startRank(
  script: string,
  args: readonly string[],
  { env }: { readonly env: NodeJS.ProcessEnv },
): StartedRank {
  const path = join(packageRoot, 'dist', 'test', 'parallel', script);
  const child = spawn(process.execPath, [path, ...args], {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code ?? signal,
    lines: output.stdout.trimEnd().split('\n'),
    stderr: output.stderr,
  }));
  return {
    kill: (signal) => child.kill(signal),
    said: async (pattern) => {
      while (!pattern.test(output.stdout)) {
        const more = await Promise.race([once(child.stdout, 'data'), ended.then(() => undefined)]);
        if (more === undefined && !pattern.test(output.stdout))
          throw new Error(`it ended without ${pattern}: ${output.stdout}${output.stderr}`);
      }
    },
    ended,
  };
}

/** Starts all ranks of a job on one machine. */
export function startRanks(script: string, args: readonly (readonly string[])[]): readonly StartedRank[] {
  const variables = rankVariables();
  return args.map((own, id) => startRank(script, own, { env: variables(id, args.length) }));
}

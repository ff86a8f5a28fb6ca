/** Runs the built `mindts` command as a person would, in a process of its own. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { packageRoot } from '../../sdk/base/package.js';

export interface Ended {
  /** The exit code, or the signal that ended it. */
  readonly code: number | string;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  /** Waits until the output so far matches. */
  seen(pattern: RegExp): Promise<void>;
}

export const COMMAND = join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js');

interface Surroundings {
  /** Becomes MINDTS_CACHE. */
  readonly cache: string;
  readonly file?: string;
  /** What runs the file. Default: this Node. */
  readonly program?: string;
  /** What runs the program, as Hosts.on() says. */
  readonly runner?: readonly string[] | undefined;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** What comes on stdin. */
  readonly input?: string | Uint8Array;
  /** Whether it leads a group of processes of its own, as what a shell starts does. */
  readonly detached?: boolean;
}

/** Starts it. */
export function start(args: readonly string[], surroundings: Surroundings): Running {
  const { cache, file = COMMAND, program = process.execPath, runner = [] } = surroundings;
  const { env = {}, cwd, input, detached = false } = surroundings;
  const [command, ...rest] = [...runner, program, file, ...args];
  const child = spawn(command, rest, {
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], MINDTS_CACHE: cache, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
    cwd,
    detached,
  });
  // A command that reads none of it may have ended.
  child.stdin.on('error', () => {});
  child.stdin.end(input);
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (chunk) => (output.stdout += chunk));
  child.stderr.on('data', (chunk) => (output.stderr += chunk));
  const ended = once(child, 'close').then(([code, signal]) => ({ code: code ?? signal, ...output }));
  return {
    child,
    ended,
    seen: async (pattern) => {
      while (!pattern.test(output.stdout + output.stderr)) {
        const more = await Promise.race([
          once(child.stdout, 'data'),
          once(child.stderr, 'data'),
          ended.then(() => undefined),
        ]);
        if (more === undefined && !pattern.test(output.stdout + output.stderr)) {
          throw new Error(`it ended without ${pattern}:\n${output.stdout}${output.stderr}`);
        }
      }
    },
  };
}

/** Runs it to its end. */
export function run(args: readonly string[], options: Surroundings): Promise<Ended> {
  return start(args, options).ended;
}

/** A command as a process of its own, measured from outside: how long it took, and the most memory it held. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { text } from 'node:stream/consumers';

/** What to run. Nothing of it is a secret of this machine: it may be shown. */
export interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>> | undefined;
}

export interface Measured {
  readonly seconds: number;
  /** Bytes; undefined where there is no GNU time to tell. */
  readonly peak: number | undefined;
}

/** Debian: `apt-get install time`. The shell's own does not tell the memory. */
const GNU_TIME = '/usr/bin/time';
export const tellsMemory: boolean = existsSync(GNU_TIME);

/** Runs a command to its end. @throws Error with what it said when it fails */
export async function measured(command: Command): Promise<Measured> {
  if (!tellsMemory) return { seconds: await secondsOf(command), peak: undefined };
  const folder = await mkdtemp(join(tmpdir(), 'mindts-time-'));
  try {
    const report = join(folder, 'peak');
    // A child inherits its parent's peak (getrusage(2) of Linux); with `time` between, that is a small one.
    const args = ['-f', '%M', '-o', report, command.program, ...command.args];
    const seconds = await secondsOf({ ...command, program: GNU_TIME, args });
    return { seconds, peak: Number(await readFile(report, 'utf8')) * 1024 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Where a program lies, as the shell would find it. */
export function find(program: string): string | undefined {
  const folders = (process.env['PATH'] ?? '').split(delimiter);
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path));
}

/** A process with those it starts, which do not outlive this one. */
export interface Running {
  /** Seconds from its start to its end. @throws Error with what it said when it fails */
  readonly ended: Promise<number>;
  kill(): void;
}

/** Starts a command. */
export function start({ program, args, env }: Command): Running {
  const begin = performance.now();
  // A group of its own, to be killed with what it started.
  const child = spawn(program, args, {
    detached: true,
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  const { pid } = child;
  const kill = (): void => {
    if (pid !== undefined && child.exitCode === null && child.signalCode === null) process.kill(-pid, 'SIGKILL');
  };
  process.prependListener('exit', kill);
  const end = async (): Promise<number> => {
    const [said, [code]] = await Promise.all([text(child.stderr), once(child, 'close')]);
    process.off('exit', kill);
    if (code === 0) return (performance.now() - begin) / 1000;
    throw new Error(`${program} ${args.join(' ')}: exit code ${code}: ${said.trim().slice(-2000)}`);
  };
  return { ended: end(), kill };
}

async function secondsOf(command: Command): Promise<number> {
  return start(command).ended;
}

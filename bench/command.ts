/** The `mindts` command as a process of its own, watched from outside. */
import { type ChildProcess, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, watch } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { packageRoot } from '../sdk/base/package.js';
import { seconds } from './measure.js';

const CLI = join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js');
const PEAK_MEMORY = new URL('./peak-memory.js', import.meta.url).href;

/** From the start of a `mindts` command to its end. */
export function secondsOf(args: readonly string[]): Promise<number> {
  return seconds(() => run([CLI, ...args]).ended);
}

/** From the start of a `mindts` command until `file` appears; then it is killed with SIGKILL. */
export async function secondsUntil(file: string, args: readonly string[]): Promise<number> {
  await mkdir(dirname(file), { recursive: true });
  const appeared = appearance(file);
  const begin = performance.now();
  const { child, ended } = run([CLI, ...args]);
  try {
    const first = await Promise.race([appeared, ended]);
    if (first !== file) throw new Error(`mindts ${args.join(' ')}: ended without ${file}`);
    return (performance.now() - begin) / 1000;
  } finally {
    child.kill('SIGKILL');
    // It was to be killed: that it did not end well is no news.
    await ended.catch(() => undefined);
  }
}

/** The most memory that a `mindts` command holds, in bytes, with work folders of its own under `cache`. */
export async function peakMemoryOf(args: readonly string[], cache: string): Promise<number> {
  const { child, ended } = run(['--import', PEAK_MEMORY, CLI, ...args], { MINDTS_CACHE: cache });
  const [kibibytes] = await Promise.all([textOf(child, 3), ended]);
  return Number(kibibytes) * 1024;
}

/** Starts a process that does not outlive this one. */
export function startChild(
  command: string,
  args: readonly string[],
  {
    stdio,
    env,
    cwd,
  }: { readonly stdio: StdioOptions; readonly env?: Readonly<Record<string, string>>; readonly cwd?: string },
): ChildProcess {
  const child = spawn(command, args, { stdio, cwd, env: { ...process.env, ...env } });
  const kill = (): boolean => child.kill('SIGKILL');
  process.prependListener('exit', kill);
  child.once('close', () => process.off('exit', kill));
  return child;
}

function run(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): { readonly child: ChildProcess; readonly ended: Promise<void> } {
  const child = startChild(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe', 'pipe'], env });
  const end = async (): Promise<void> => {
    const [errors, [code]] = await Promise.all([textOf(child, 2), once(child, 'close')]);
    if (code !== 0) throw new Error(`${args.join(' ')}: exit code ${code}: ${errors.trim()}`);
  };
  return { child, ended: end() };
}

async function textOf({ stdio }: ChildProcess, descriptor: 2 | 3): Promise<string> {
  const stream = stdio[descriptor];
  return stream instanceof Readable ? text(stream) : '';
}

/** The file's path, as soon as it is there. */
async function appearance(file: string): Promise<string> {
  for await (const { filename } of watch(dirname(file), { persistent: false })) {
    if (filename === basename(file)) break;
  }
  return file;
}

/** Roles of a run as processes of their own, which tests kill. They run what was built. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import type { Test } from 'tap';
import type { z } from 'zod';
import { packageRoot } from '../../sdk/base/package.js';
import type { RunFolder } from '../../sdk/pruning/farm/folder.js';
import { type Place, readEntry } from '../../sdk/pruning/farm/journal.js';
import type { Pace } from '../../sdk/pruning/farm/pace.js';
import type { SoleRole } from '../../sdk/pruning/farm/roles.js';
import type { Settings } from './squares.js';

const CHILD = join(packageRoot, 'dist/test/pruning/farm-child.js');

export interface Job {
  readonly role: SoleRole | 'evaluator' | 'holder';
  readonly workUrl: string;
  readonly run: string;
  readonly pace: Partial<Pace>;
  readonly settings?: Settings | undefined;
}

export interface RoleProcess {
  readonly role: string;
  readonly child: ChildProcess;
  /** All that it has said until now. */
  readonly lines: readonly string[];
  /** How it ended: 0, 1 or the signal; and what it complained of. */
  readonly ended: Promise<{ readonly how: number | string; readonly complaint: string }>;
  /** Waits for a line. */
  said(line: RegExp): Promise<string>;
  tell(line: string): void;
}

/** Starts a role; it is killed when the test ends. */
export function startRole(
  t: Test,
  job: Job,
  {
    env = {},
    onLine = () => {},
  }: { readonly env?: Readonly<Record<string, string>>; readonly onLine?: (role: RoleProcess) => void } = {},
): RoleProcess {
  const { PATH, MINDTS_RETRY_WAIT_MS } = process.env;
  const child = spawn(process.execPath, [CHILD, JSON.stringify(job)], {
    env: { PATH, MINDTS_RETRY_WAIT_MS, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  // A process that was killed takes nothing more.
  child.stdin.on('error', () => {});
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  const complaint = text(child.stderr);
  const wake = (): void => {
    for (const look of waiting) look();
  };
  const role: RoleProcess = {
    role: job.role,
    child,
    lines,
    ended: once(child, 'close').then(async ([code, signal]) => ({
      how: typeof signal === 'string' ? signal : Number(code),
      complaint: await complaint,
    })),
    said(wanted) {
      return new Promise((resolve, reject) => {
        const look = (): void => {
          const found = lines.find((line) => wanted.test(line));
          if (found !== undefined) resolve(found);
          else if (child.exitCode !== null)
            reject(new Error(`the ${job.role} ended, having said: ${lines.join('; ')}`));
          else return;
          waiting.delete(look);
        };
        waiting.add(look);
        look();
      });
    },
    tell: (line) => void child.stdin.write(`${line}\n`),
  };
  createInterface(child.stdout).on('line', (line) => {
    lines.push(line);
    wake();
    onLine(role);
  });
  child.on('close', wake);
  return role;
}

/** All that stands in a topic. */
export async function entriesOf<T>(
  folder: RunFolder,
  role: SoleRole,
  { topic, schema }: Pick<Place<T>, 'topic'> & { readonly schema: z.ZodType<T> },
): Promise<readonly T[]> {
  const entries: T[] = [];
  for (;;) {
    const entry = await readEntry(folder, role, { topic, number: entries.length, schema });
    if (entry === undefined) return entries;
    entries.push(entry);
  }
}

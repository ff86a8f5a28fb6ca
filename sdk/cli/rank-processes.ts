/** The processes of a job's ranks on this machine, from their start to the end of the last. */
import { type ChildProcess, fork } from 'node:child_process';
import { constants } from 'node:os';
import { OTHER_RANK_EXIT_CODE, systemCode } from '../base/errors.js';
import { log } from '../base/log.js';

/** How a rank's process is started. */
export interface RankProcess {
  readonly id: number;
  readonly env: NodeJS.ProcessEnv;
}

/** After one rank has failed the others may hear of it and end by themselves; then they are asked to, then they are ended. */
const ASK_MS = 5000;
const END_MS = 3000;

// Not SIGHUP: nohup has the launcher ignore it, which a listener would undo.
const ORDERS = ['SIGINT', 'SIGTERM'] as const;

/**
 * Runs ranks to their end. SIGINT and SIGTERM go to all of them, and at the second they are ended at once. When a rank
 * fails the others are ended too, if they do not stop within 5 s, and the last line says which failed first and how.
 *
 * @param file the script, with its arguments and what Node is told
 * @returns the exit code: 0; that of the rank that failed first, 128 + n for signal n; or 128 + n for the signal that was given
 */
export async function runRanks(
  ranks: readonly RankProcess[],
  {
    file,
    argv,
    execArgv,
  }: { readonly file: string; readonly argv: readonly string[]; readonly execArgv: readonly string[] },
): Promise<number> {
  const running = new Map<number, ChildProcess>();
  const timers: NodeJS.Timeout[] = [];
  let failure: { readonly said: string; readonly code: number } | undefined;
  let order: (typeof ORDERS)[number] | undefined;
  let isHurried = false;
  let isAsked = false;

  const all = (signal: NodeJS.Signals): void => {
    for (const child of running.values()) send(child, signal);
  };
  const onFailure = (said: string, code: number): void => {
    if (failure !== undefined) {
      // The others may hear of a rank's failure, and end, before it has ended itself.
      if (!isAsked && weight(code) > weight(failure.code)) failure = { said, code };
      return;
    }
    failure = { said, code };
    const ask = () => {
      isAsked = true;
      log.warn(`${said}; ending the ranks that still run: ${[...running.keys()].join(', ')}`);
      all('SIGTERM');
      timers.push(setTimeout(all, END_MS, 'SIGKILL'));
    };
    if (running.size > 0) timers.push(setTimeout(ask, ASK_MS));
  };
  const onOrder = (signal: (typeof ORDERS)[number]): void => {
    isHurried = order !== undefined;
    isAsked = true;
    order ??= signal;
    all(isHurried ? 'SIGKILL' : signal);
  };
  for (const signal of ORDERS) process.on(signal, onOrder);

  const start = ({ id, env }: RankProcess): Promise<void> =>
    new Promise((resolve) => {
      // A group of its own: Ctrl-C at the terminal then reaches the launcher alone, and each rank once, through it.
      const child = fork(file, argv, {
        env,
        execArgv: [...execArgv],
        detached: true,
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
      });
      running.set(id, child);
      child.once('error', (error) => {
        running.delete(id);
        onFailure(`rank ${id} could not be started: ${error.message}`, 1);
        resolve();
      });
      child.once('exit', (code, signal) => {
        running.delete(id);
        const status = signal === null ? (code ?? 1) : 128 + constants.signals[signal];
        const isOrdered = order !== undefined && (status === 128 + constants.signals[order] || isHurried);
        const how = signal === null ? `ended with exit code ${status}` : `was killed by ${signal}`;
        if (status !== 0 && !isOrdered) onFailure(`rank ${id} ${how}`, status);
        resolve();
      });
    });

  await Promise.all(ranks.map(start));
  for (const timer of timers) clearTimeout(timer);
  for (const signal of ORDERS) process.off(signal, onOrder);
  if (failure !== undefined) log.error(failure.said);
  if (failure !== undefined) return failure.code;
  return order === undefined ? 0 : 128 + constants.signals[order];
}

/** What is likelier to be the cause of a job's end: a signal, then an error of the rank's own, then what it heard of another. */
function weight(code: number): number {
  if (code > 128) return 2;
  return code === OTHER_RANK_EXIT_CODE ? 0 : 1;
}

/** To a rank; SIGKILL also to what it has started. */
function send(child: ChildProcess, signal: NodeJS.Signals): void {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  try {
    process.kill(signal === 'SIGKILL' ? -child.pid : child.pid, signal);
  } catch (error) {
    // It has ended since.
    if (systemCode(error) !== 'ESRCH') throw error;
  }
}

/** Which process something on disk belongs to, so that what a dead one left behind is known as such. */
import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { systemCode } from './errors.js';

/** A process of this machine, by default this one, for {@link isRunning}: its number, when it began, and its machine. */
export function processMark(pid: number = process.pid): string {
  return `${pid} ${startOf(pid) ?? '-'} ${hostname()}`;
}

/** Whether a mark was made on this machine. */
export function isOfThisMachine(mark: string): boolean {
  return mark.split(' ').at(2) === hostname();
}

/**
 * Whether the process that made a mark still runs. Numbers are used again, after a restart of a container above all, so that
 * where the system tells it the time a process began must agree too. Of processes on other machines none is believed to run.
 */
export function isRunning(mark: string): boolean {
  const [pid, start, host] = mark.split(' ');
  if (host !== hostname() || !/^[1-9]\d*$/.test(pid)) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (systemCode(error) !== 'EPERM') return false;
  }
  return start === (startOf(Number(pid)) ?? '-');
}

/** Linux: clock ticks from the machine's start to the process's (field 22 of proc(5)'s stat); undefined elsewhere. */
function startOf(pid: number): string | undefined {
  try {
    // The name, in parentheses, may hold spaces; what follows it begins with field 3.
    const line = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const [state, ...fields] = line.slice(line.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not asked how.
    return state === 'Z' ? 'ended' : fields[18];
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return undefined;
  }
}

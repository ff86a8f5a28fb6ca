/** Which process started the ranks of a job, for ranks of one machine that have nothing else in common. */
import { readFileSync } from 'node:fs';
import { systemCode } from '../base/errors.js';
import { processMark } from '../base/process-mark.js';
import type { Environment } from '../base/rank-variables.js';

/**
 * The nearest process above this one that is not this rank as well. `npx`, a shell or a Python start file may stand between
 * them: they have this rank's number in their environment. Off Linux it is this process's parent.
 *
 * @param name the variable that holds a rank's number
 * @returns its mark, as `processMark` makes it
 */
export function startingProcess(env: Environment, name: string): string {
  const mine = `${name}=${env[name] ?? ''}`;
  let pid = process.ppid;
  while (pid > 1 && textOf(pid, 'environ').split('\0').includes(mine)) {
    const above = parentOf(pid);
    if (above === undefined) break;
    pid = above;
  }
  return processMark(pid);
}

function parentOf(pid: number): number | undefined {
  const parent = /^PPid:\s*(\d+)/m.exec(textOf(pid, 'status'))?.[1];
  return parent === undefined ? undefined : Number(parent);
}

/** Empty where the system does not tell, or not to us. */
function textOf(pid: number, what: string): string {
  try {
    return readFileSync(`/proc/${pid}/${what}`, 'utf8');
  } catch (error) {
    if (systemCode(error) === undefined) throw error;
    return '';
  }
}

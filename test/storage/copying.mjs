/**
 * A copy in a process of its own, which tests kill and measure: `node copying.mjs '{"source": …, "destination": …, …options}'`. It
 * runs what was built, and prints what it did and the most memory it took, in KiB.
 */
import { readFileSync } from 'node:fs';
import { copyParallel } from '../../dist/sdk/storage/copy.js';

const { source, destination, ...options } = JSON.parse(process.argv[2]);
const done = await copyParallel(source, destination, options);
console.log(JSON.stringify({ ...done, mostMemory: mostMemory() }));

/** Linux: `VmHWM` of proc(5). What getrusage says is never less than what the process had that started this one. */
function mostMemory() {
  if (process.platform !== 'linux') return undefined;
  return Number(/^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
}

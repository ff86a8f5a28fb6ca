/** What a command does with bad input: one line, an exit code, and nothing left behind. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type Ended, run } from './command.js';

/** Runs on something wrong and sees to it that one line says so, and that nothing half written is left. */
export async function refuses(
  t: Test,
  what: string,
  { args, message, code = 1, root }: { args: readonly string[]; message: RegExp; code?: number; root: string },
): Promise<void> {
  const ended = await run(args, { cache: join(root, 'cache') });
  t.equal(ended.code, code, `${what}: exit code`);
  t.match(ended.stderr, message, what);
  t.equal(errorLines(ended).length, 1, `${what}: one line\n${ended.stderr}`);
  t.notMatch(ended.stderr, /fault of mindts|\n {4}at /, what);
  const left = filesBelow(root).filter((name) => /partial|\.work|\.ckpt$/.test(name) && !name.startsWith('given/'));
  t.same(left, [], `${what}: nothing half written`);
}

/** What stands on stderr but for flags that were passed over. */
export function errorLines({ stderr }: Ended): string[] {
  return stderr.split('\n').filter((line) => line !== '' && !/passed over/.test(line));
}

/** All files below a folder. */
export function filesBelow(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: 'utf8' });
}

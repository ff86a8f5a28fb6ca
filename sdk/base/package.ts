/** Where this package lies, whether it runs from `sdk/` or from `dist/sdk/`. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder that holds this package's `package.json`. */
export const packageRoot: string = findRoot(dirname(fileURLToPath(import.meta.url)));

/** This package's version. */
export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
  return version;
}

function findRoot(folder: string): string {
  if (existsSync(join(folder, 'package.json')) && existsSync(join(folder, 'native'))) return folder;
  const parent = dirname(folder);
  if (parent === folder) throw new Error('mindts: its package.json is missing; install the package again');
  return findRoot(parent);
}

/** What is in a folder, in one short line, for an error that says what was found instead of what was looked for. */
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { StorageError, systemReason } from '../base/errors.js';

const MOST_NAMES = 6;
const MOST_CHARACTERS = 40;

/**
 * The names in a folder, those of its folders in braces behind them, three levels deep.
 *
 * @throws StorageError `E_READ`
 * @example
 * await writeFileAtomic('set/train/a.txt', '');
 * await showTree('set'); // 'train/{a.txt}'
 */
export async function showTree(folder: string, { levels = 3 } = {}): Promise<string> {
  const found = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new StorageError('E_READ', `cannot read ${folder}: ${systemReason(cause)}`, { cause });
  });
  const entries = found.sort((a, b) => (a.name < b.name ? -1 : 1));
  const shown = await Promise.all(
    entries.slice(0, MOST_NAMES).map(async (entry) => {
      const name = entry.name.length > MOST_CHARACTERS ? `${entry.name.slice(0, MOST_CHARACTERS)}…` : entry.name;
      if (!entry.isDirectory()) return name;
      if (levels === 1) return `${name}/`;
      return `${name}/{${await showTree(join(folder, entry.name), { levels: levels - 1 })}}`;
    }),
  );
  if (entries.length > MOST_NAMES) shown.push(`… ${entries.length - MOST_NAMES} more`);
  return shown.join(', ') || 'nothing';
}

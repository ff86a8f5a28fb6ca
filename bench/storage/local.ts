/** Races on this machine's disk: a folder beside `cp -r`, archives beside `unzip`. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../sdk/base/package.js';
import { type Command, find } from './child.js';
import { census, type Tree, writeTree, writeZip } from './content.js';
import type { Race } from './race.js';
import type { Sizes } from './sizes.js';

/** By the names that `--only` and `--json` use; all they make lies below a folder. */
export function localRaces(
  folder: string,
  { folder: tree, zipLarge, zipSmall }: Sizes,
): Readonly<Record<string, Race>> {
  const source = join(folder, 'tree');
  return {
    local: {
      ...onDisk(join(folder, 'copied')),
      title: `a folder of ${amountOf(tree)} to another one`,
      unit: 'MB/s',
      amount: megabytes(tree),
      atLeast: 0.9,
      peer: 'cp -r',
      prepare: () => writeTree(source, tree, 'local'),
      ours: (to) => ours(source, to),
      theirs: (to) => peer('cp', ['-r', source, to]),
    },
    unzip_large: { ...unzipping(folder, 'large', zipLarge), unit: 'MB/s', amount: megabytes(zipLarge) },
    unzip_small: { ...unzipping(folder, 'small', zipSmall), unit: 'files/s', amount: zipSmall.files },
  };
}

/** A copy of ours, as a person would make it: `mindts fs copy_parallel`. */
export function ours(from: string, to: string, env?: Command['env']): Command {
  return { program: process.execPath, args: [CLI, 'fs', 'copy_parallel', from, to], env };
}

/** A command of the peer; undefined where it is not installed. */
export function peer(program: string, args: readonly string[], env?: Command['env']): Command | undefined {
  const path = find(program);
  return path === undefined ? undefined : { program: path, args, env };
}

/** `1024 files of 1 MiB`, `1 file of 1 GiB` */
export function amountOf({ files, size }: Tree): string {
  const power = Math.floor(Math.log2(size) / 10);
  return `${files} ${files === 1 ? 'file' : 'files'} of ${size / 2 ** (10 * power)} ${['B', 'KiB', 'MiB', 'GiB'][power]}`;
}

export function megabytes({ files, size }: Tree): number {
  return (files * size) / 1e6;
}

const CLI = join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js');
const UNZIP = fileURLToPath(new URL('./unzip.js', import.meta.url));

function unzipping(folder: string, name: string, tree: Tree) {
  const archive = join(folder, `${name}.zip`);
  return {
    ...onDisk(join(folder, `unzipped-${name}`)),
    title: `unpacking a zip of ${amountOf(tree)}`,
    atLeast: 0.9,
    peer: 'unzip',
    prepare: () => writeZip(archive, tree, name),
    ours: (to: string) => ({ program: process.execPath, args: [UNZIP, archive, to] }),
    theirs: (to: string) => peer('unzip', ['-q', archive, '-d', to]),
  };
}

/** Destinations on this machine. */
export function onDisk(place: string): Pick<Race, 'destination' | 'found' | 'clear'> {
  return {
    destination: (run) => `${place}-${run}`,
    found: census,
    clear: (to) => rm(to, { recursive: true }),
  };
}

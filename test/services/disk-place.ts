/** A folder of this machine as a place to copy from and to. */
import { mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isPartial } from '../../sdk/base/files.js';
import { LEAST_PART } from '../../sdk/storage/store.js';
import type { TestPlace } from './place.js';
import type { Tree } from './random-tree.js';

export function diskPlace(root: string): TestPlace {
  const files = (folder: string): string[] => {
    mkdirSync(join(root, folder), { recursive: true });
    const items = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    return items.filter((item) => item.isFile()).map((item) => join(item.parentPath, item.name).slice(root.length + 1));
  };
  return {
    name: 'disk',
    proxy: undefined,
    env: {},
    leastPart: LEAST_PART,
    takes: () => true,
    isContent: () => false,
    isPart: () => false,
    url: (folder) => join(root, folder),
    async look(folder) {
      const whole = files(folder).filter((path) => !isPartial(path));
      return new Map(whole.map((path) => [path.slice(folder.length + 1), readFileSync(join(root, path))]));
    },
    begun: async (folder) => files(folder).filter(isPartial),
    remove: async (folder) => rmSync(join(root, folder), { recursive: true, force: true }),
    refusals: {},
  };
}

/** Writes files of this time, in milliseconds since 1970. */
export function writeTree(root: string, tree: Tree, modified: number): void {
  for (const [name, data] of tree) {
    const path = join(root, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, data);
    utimesSync(path, modified / 1000, modified / 1000);
  }
}

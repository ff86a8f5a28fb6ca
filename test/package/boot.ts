/** Code folders for boot.py, as people have them on a platform, and the Python to run it with. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { type Running, start } from '../cli/command.js';

export const BOOT = join(packageRoot, 'scripts', 'boot.py');

/** The Python of this machine, or why there is none that will do. */
export const python = ((): { readonly path: string } | { readonly missing: string } => {
  const ask = 'import sys; print(sys.executable if sys.version_info >= (3, 6) else "")';
  const path = spawnSync('python3', ['-c', ask], { encoding: 'utf8' }).stdout?.trim();
  return path ? { path } : { missing: 'no python3 (3.6 or newer) here' };
})();

export interface CodeFolder {
  readonly root: string;
  /** Starts the folder's boot.py. */
  boot(args: readonly string[], env?: NodeJS.ProcessEnv): Running;
}

/** A folder far from this package's node_modules that holds boot.py and these files. */
export function codeFolder(t: Test, files: Readonly<Record<string, string>> = {}): CodeFolder {
  const top = mkdtempSync(join(tmpdir(), 'mindts-boot-'));
  t.teardown(() => rmSync(top, { recursive: true }));
  // A name that shells stumble over.
  const root = join(top, 'my code 代码');
  writeFiles(root, files);
  cpSync(BOOT, join(root, 'boot.py'));
  const program = 'path' in python ? python.path : '';
  return {
    root,
    boot: (args, env = {}) => {
      // tap would have itself loaded into each Node that is started.
      const surroundings = { NODE_OPTIONS: '', HOME: join(top, 'home'), ...env };
      return start(args, {
        program,
        file: join(root, 'boot.py'),
        cache: join(top, 'cache'),
        cwd: top,
        env: surroundings,
      });
    },
  };
}

export function writeFiles(root: string, files: Readonly<Record<string, string>>): void {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), text, { mode: text.startsWith('#!') ? 0o755 : 0o644 });
  }
}

/** Packs this package and installs it elsewhere, as people get it. */
import { type SpawnSyncReturns, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../sdk/base/package.js';

/** Neither packed nor needed to pack; the libraries are built afresh. */
const LEFT_BEHIND = ['.git', '.tap', 'dist', 'node_modules', 'build', 'prebuilt'];

/** A folder far from this package's node_modules, so that nothing is found there by chance. */
export function emptyFolder(teardown: (handler: () => void) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'mindts-package-'));
  teardown(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** Packs a copy of the working tree into `folder`; gives the tarball. */
export function pack(folder: string): string {
  const tree = join(folder, 'tree');
  mkdirSync(tree);
  for (const name of readdirSync(packageRoot).filter((name) => !LEFT_BEHIND.includes(name))) {
    const filter = (from: string): boolean => !LEFT_BEHIND.some((left) => from.endsWith(`/${left}`));
    cpSync(join(packageRoot, name), join(tree, name), { recursive: true, filter });
  }
  symlinkSync(join(packageRoot, 'node_modules'), join(tree, 'node_modules'));
  succeed('npm', ['pack', '--pack-destination', folder], { cwd: tree });
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (!tarball) throw new Error(`npm pack left no tarball in ${folder}`);
  return join(folder, tarball);
}

/** Installs the tarball into a new folder; gives the folder. */
export function install(tarball: string, folder: string, ...options: readonly string[]): string {
  mkdirSync(folder);
  const quiet = ['--prefer-offline', '--no-audit', '--no-fund'];
  succeed('npm', ['install', ...quiet, ...options, tarball], { cwd: folder });
  return folder;
}

/** A PATH on which Node and npm are, and no compiler. */
export function pathWithoutCompilers(folder: string): string {
  const found = (process.env['PATH'] ?? '').split(':');
  mkdirSync(folder);
  for (const name of ['node', 'npm', 'npx', 'sh']) {
    const at = found.map((part) => join(part, name)).find((path) => existsSync(path));
    if (at) symlinkSync(at, join(folder, name));
  }
  return folder;
}

export interface RunOptions {
  readonly cwd: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end, without what the tap and npm around this test put into the environment. */
export function run(command: string, args: readonly string[], { cwd, env }: RunOptions): SpawnSyncReturns<string> {
  const outer = Object.entries(process.env).filter(([name]) => !/^(npm_(package|lifecycle)_|MINDTS_)/.test(name));
  // tap puts NODE_OPTIONS back whenever a process is spawned, to load its own modules there; `env` takes it away again.
  return spawnSync('/usr/bin/env', ['-u', 'NODE_OPTIONS', command, ...args], {
    cwd,
    env: { ...Object.fromEntries(outer), ...env },
    encoding: 'utf8',
  });
}

/** Runs a command that must succeed; gives what it printed. */
export function succeed(command: string, args: readonly string[], options: RunOptions): string {
  const { status, stdout, stderr, error } = run(command, args, options);
  if (status !== 0) {
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit code ${status}`}\n${stdout}${stderr}`);
  }
  return stdout;
}

/** Which file the ranks of `mindts launch` run, for a script as a person names it. */
import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join, relative, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ArgumentError } from '../base/errors.js';
import { packageRoot } from '../base/package.js';

/** A script that Node can run. */
export interface RankScript {
  readonly file: string;
  /** What Node needs to be told to run it. */
  readonly execArgv: readonly string[];
}

/**
 * Finds a script: `train` is this package's; a path to TypeScript is what it was compiled to, in `dist` of its project or beside
 * it; without that, the file itself where Node or the project's tsx can run it.
 *
 * @param cwd the folder that a relative path begins at
 * @throws ArgumentError `E_SCRIPT` when there is none, with what was looked for
 */
export function findRankScript(named: string, cwd: string = process.cwd()): RankScript {
  const scripts = join(packageRoot, 'dist', 'scripts');
  if (/^\w[\w-]*$/.test(named)) {
    const file = join(scripts, `${named}.js`);
    if (existsSync(file)) return { file, execArgv: [] };
    const names = readdirSync(scripts).flatMap((name) => (name.endsWith('.js') ? basename(name, '.js') : []));
    throw new ArgumentError(
      'E_SCRIPT',
      `there is no script ${named}; there are ${names.join(', ')}, or give the path of yours`,
    );
  }

  const path = resolve(cwd, named);
  const compiled = COMPILED.get(extname(path));
  if (compiled === undefined) {
    if (existsSync(path)) return { file: path, execArgv: [] };
    throw new ArgumentError('E_SCRIPT', `there is no script ${path}`);
  }

  const project = projectOf(dirname(path));
  const name = basename(path, extname(path)) + compiled;
  const places = [join(project, 'dist', relative(project, dirname(path)), name), join(dirname(path), name)];
  // `scripts/train.ts` is what this package's own are called, also where it is installed and only what they compile to is there.
  if (!existsSync(path) && path === resolve(cwd, 'scripts', basename(path))) places.push(join(scripts, name));
  const file = places.find((place) => existsSync(place));
  if (file !== undefined) return { file, execArgv: [] };

  if (!existsSync(path))
    throw new ArgumentError('E_SCRIPT', `there is no script ${path}, and no ${places.join(' or ')}`);
  if ('typescript' in process.features && process.features.typescript) return { file: path, execArgv: [] };
  const tsx = tsxOf(project);
  if (tsx !== undefined) return { file: path, execArgv: ['--import', pathToFileURL(tsx).href] };
  const looked = `there is no ${places.join(' or ')}`;
  throw new ArgumentError(
    'E_SCRIPT',
    `${path} is not compiled: ${looked}; compile it (npx tsc), or install tsx, or Node 22.18 or later`,
  );
}

const COMPILED: ReadonlyMap<string, string> = new Map([
  ['.ts', '.js'],
  ['.mts', '.mjs'],
  ['.cts', '.cjs'],
]);

/** The nearest folder that holds a `package.json`; else the folder itself. */
function projectOf(folder: string): string {
  for (let at = folder; ; at = dirname(at)) {
    if (existsSync(join(at, 'package.json'))) return at;
    if (at === dirname(at)) return folder;
  }
}

function tsxOf(project: string): string | undefined {
  if (!existsSync(join(project, 'node_modules', 'tsx'))) return undefined;
  return createRequire(join(project, 'package.json')).resolve('tsx');
}

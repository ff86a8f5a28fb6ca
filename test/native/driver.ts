/** Builds the native library with a compiler and flags of one's own, and runs a test program against it. */
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeOutcomes, differences, encodeJobs, expectedOutcomes } from './cases.js';

export const root: string = fileURLToPath(new URL('../..', import.meta.url));

/** Why a test cannot run here; false when all its commands are here. */
export function missing(...commands: readonly string[]): string | false {
  const absent = commands.filter((command) => spawnSync(command, ['--version']).status !== 0);
  return absent.length > 0 && `${absent.join(' and ')} not installed`;
}

/** A library to test, and how. */
export interface Build {
  /** Holds all files of the test. */
  readonly folder: string;
  readonly compiler: string;
  /** For the compiler and the linker, such as a sanitizer's. */
  readonly flags?: readonly string[];
  /** Of native/build.mjs: `--arch`, `--portable`. */
  readonly options?: readonly string[];
  /** What runs the program: an emulator, with its arguments. */
  readonly runner?: readonly string[];
  /** The program's source in this folder. Default `kernels_test`. */
  readonly test?: string;
}

/** Runs the program with arguments; gives what it printed. */
export type Driver = (...args: readonly string[]) => string;

/** Compiles library and driver. */
export function compileDriver({
  folder,
  compiler,
  flags = [],
  options = [],
  runner = [],
  test = 'kernels_test',
}: Build): Driver {
  const library = join(folder, 'library');
  const env = { ...process.env, CXX: compiler };
  run(process.execPath, [join(root, 'native/build.mjs'), '--to', library, ...options, '--', ...flags], env);
  const program = join(folder, test);
  const source = join(root, `test/native/${test}.cpp`);
  const warnings = ['-Wall', '-Wextra', '-Werror'];
  run(compiler, ['-std=c++17', ...warnings, ...flags, source, join(library, 'mindts.so'), '-o', program]);
  const [command, ...before] = [...runner, program];
  return (...args) => run(command, [...before, ...args]);
}

/** Where an instruction set's results differ from the reference engine's: a line for each. */
export async function wrongResults(
  driver: Driver,
  { folder, set, threads }: { readonly folder: string; readonly set: string; readonly threads: number },
): Promise<string[]> {
  wanted ??= expectedOutcomes();
  return differences(decodeOutcomes(results(driver, { folder, set, threads })), await wanted);
}

/** What kernels_test wrote for all cases. */
export function results(
  driver: Driver,
  { folder, set, threads }: { readonly folder: string; readonly set: string; readonly threads: number },
): Buffer {
  const cases = join(folder, 'cases');
  const file = join(folder, 'results');
  writeFileSync(cases, encodeJobs());
  driver(set, String(threads), cases, file);
  return readFileSync(file);
}

let wanted: ReturnType<typeof expectedOutcomes> | undefined;

function run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): string {
  const { status, signal, error, stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8' });
  if (status === 0) return stdout.trim();
  const why = error?.message ?? signal ?? `exit code ${status}`;
  throw new Error(`${command} ${args.join(' ')}\n${why}\n${stdout}${stderr}`);
}

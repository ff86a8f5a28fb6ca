/**
 * Launch files: scripts that a platform starts by path, a person by `npx mindts <name>`, and a notebook by import. A
 * launch file exports what `launch` returns; started by path it runs with the process's arguments.
 */

import { getEventListeners } from 'node:events';
import { realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readConfig } from '../args/config.js';
import { helpText } from '../args/help.js';
import { flag, type Options, text } from '../args/option.js';
import { parseOptions, wantsHelp } from '../args/parse.js';
import { readRegular } from '../base/files.js';
import { isFirstRank, log } from '../base/log.js';
import { packageRoot } from '../base/package.js';
import { currentRank } from '../base/rank.js';
import { joinRanks, leaveRanks } from '../parallel/ranks.js';
import { read } from '../storage/calls.js';
import { localPathOf } from '../storage/stores.js';
import {
  dataSetOptions,
  deviceOptions,
  imagenetOptions,
  networkOptions,
  startOptions,
  trainingOptions,
} from './options.js';
import { runToEnd } from './report.js';

/** What a launch file says of itself. */
export interface LaunchSpec<V> {
  readonly description: string;
  readonly options: Options<V>;
  /** A file of `configs/` that holds defaults; what the file named by `--config` says goes before it. */
  readonly config?: string;
  /** Defaults that a file holds, by option, for the help text. */
  readonly defaults?: () => Promise<Readonly<Record<string, string>>>;
  readonly examples?: readonly string[];
  /** Whether all ranks of a job run it together, or the first alone and the others end at once. Default `first`. */
  readonly ranks?: 'first' | 'all';
}

/** What a launch file's job gets beside its arguments. */
export interface Job {
  /** Aborts at Ctrl-C and SIGTERM: give it to `Model.train`. Where nobody listens, the process ends at once. */
  readonly signal: AbortSignal;
}

/** Runs a launch file with a command line; the process's exit code says how it ended. */
export type LaunchFile = (argv: readonly string[]) => Promise<void>;

const COMMON: Options<{ config: string | undefined; debug: boolean }> = {
  config: text({ description: 'a YAML file of defaults for these options', placeholder: 'FILE' }),
  debug: flag({ description: 'show the stack of an error' }),
};

const OWN = text({ description: 'an option that one launch file has for itself' });

/** What a configuration file may hold for other launch files: their keys count, not what stands behind them. */
const SHARED = {
  ...dataSetOptions,
  ...imagenetOptions,
  ...startOptions,
  ...trainingOptions,
  ...networkOptions,
  ...deviceOptions,
  train_url: OWN,
  result_url: OWN,
  model_url: OWN,
  limit: OWN,
};

/**
 * Makes a launch file.
 *
 * @param url the file's `import.meta.url`
 * @param spec its options; `--config` and `--debug` are added
 * @param job what it does
 */
export function launch<V extends object>(
  url: string,
  spec: LaunchSpec<V>,
  job: (args: V, context: Job) => Promise<void>,
): LaunchFile {
  const path = fileURLToPath(url);
  const run: LaunchFile = async (argv) => {
    if (wantsHelp(argv)) {
      if (!isFirstRank()) return;
      const { description, examples = [], options } = spec;
      // Whoever started the file by path starts it so again; else `mindts` found it by its name.
      const name = isStartedFile(path) ? `node ${basename(path)}` : `mindts ${basename(path).replace(/\.\w+$/, '')}`;
      const defaults = await spec.defaults?.();
      console.log(helpText({ name, description, options: { ...options, ...COMMON }, defaults, examples }));
      return;
    }
    const interruption = listenForSignals();
    await runToEnd(
      argv,
      async () => {
        const { values: common } = parseOptions(COMMON, argv, { also: spec.options });
        const defaults = spec.config && join(packageRoot, 'configs', spec.config);
        const config: Partial<V> = {};
        for (const file of [defaults, common.config]) {
          if (file) Object.assign(config, await readConfig(file, spec.options, { also: SHARED, read: readAnywhere }));
        }
        const { values, warnings, positionals } = parseOptions(spec.options, argv, { config, also: COMMON });
        const rank = currentRank();
        if (rank.id > 0 && spec.ranks !== 'all') return;
        // Once is enough.
        if (rank.id === 0) {
          for (const warning of warnings) log.warn(warning);
          if (positionals.length > 0) log.warn(`passed over words that belong to no flag: ${positionals.join(' ')}`);
        }
        if (spec.ranks === 'all') await joinRanks();
        if (rank.size > 1) log.info(`${rank.size} ranks, ${rank.localSize} of them on this machine`);
        try {
          await job(values, { signal: interruption.signal });
        } catch (error) {
          leaveRanks(error instanceof Error ? error.message : String(error));
          throw error;
        }
        leaveRanks();
      },
      interruption.exitCode,
    );
    interruption.end();
    if (interruption.exitCode() !== undefined && 'resume' in spec.options) {
      log.info('the same command with --resume goes on from what was saved last');
    }
  };
  if (isStartedFile(path)) void run(process.argv.slice(2));
  return run;
}

function readAnywhere(url: string): Promise<Buffer> {
  const local = localPathOf(url);
  return local === undefined ? read(url) : readRegular(local);
}

function isStartedFile(path: string): boolean {
  const started = process.argv[1];
  if (started === undefined) return false;
  try {
    return realpathSync(started) === realpathSync(path);
  } catch {
    // Node was started in a way that leaves no file there (`node -e`, a loader): then nothing was started by path.
    return false;
  }
}

/** Turns the first SIGINT or SIGTERM into an abort; the second ends the process. */
function listenForSignals(): { signal: AbortSignal; exitCode: () => number | undefined; end: () => void } {
  const controller = new AbortController();
  let code: number | undefined;
  const onSignal = (name: 'SIGINT' | 'SIGTERM'): void => {
    const first = code === undefined;
    code = 128 + constants.signals[name];
    if (!first || getEventListeners(controller.signal, 'abort').length === 0) process.exit(code);
    log.warn(`${name}: finishing the step in hand, saving and copying; once more ends at once`);
    controller.abort();
  };
  const names = ['SIGINT', 'SIGTERM'] as const;
  for (const name of names) process.on(name, onSignal);
  return {
    signal: controller.signal,
    exitCode: () => code,
    end: () => {
      for (const name of names) process.off(name, onSignal);
    },
  };
}

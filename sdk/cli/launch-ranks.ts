/** `mindts launch`: starts a script as the ranks of a job on this machine, or this machine's share of them. */
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { helpText } from '../args/help.js';
import { flag, integer, type Options, text } from '../args/option.js';
import { parseOptions, wantsHelp } from '../args/parse.js';
import { ArgumentError, StorageError, systemReason } from '../base/errors.js';
import { rankVariables } from '../base/rank.js';
import { sharedFolder } from '../parallel/rendezvous.js';
import { runRanks } from './rank-processes.js';
import { findRankScript } from './rank-script.js';
import { runToEnd } from './report.js';

interface LaunchOptions {
  readonly nproc: number;
  readonly nnodes: number;
  readonly node_rank: number;
  readonly master_addr: string | undefined;
  readonly master_port: number;
  readonly timeout: number | undefined;
  readonly debug: boolean;
}

const OPTIONS: Options<LaunchOptions> = {
  nproc: integer({ min: 1, max: 1024, required: true, description: 'ranks on this machine; also -n' }),
  nnodes: integer({
    min: 1,
    default: 1,
    description: 'machines; the same command runs on each, with its own --node_rank',
  }),
  node_rank: integer({ min: 0, default: 0, description: "this machine's place among them, from 0" }),
  master_addr: text({ placeholder: 'HOST', description: 'several machines: the name or address of machine 0' }),
  master_port: integer({
    min: 1,
    max: 65_535,
    default: 29_500,
    description: 'several machines: a free port of machine 0',
  }),
  timeout: integer({ min: 1, description: 'seconds that ranks wait for the slowest, instead of 1800' }),
  debug: flag({ description: 'show the stack of an error' }),
};

/** Runs the command. Its exit code is 0, that of the rank that failed first, or 128 + n after signal n. */
export async function launchRanks(argv: readonly string[]): Promise<void> {
  const { flags, rest } = splitAtScript(argv);
  if (wantsHelp(flags)) {
    console.log(
      helpText({
        name: 'mindts launch',
        usage: '--nproc N [options] SCRIPT [options of the script]',
        description: 'Starts a script as several ranks, which train together.',
        options: OPTIONS,
        examples: [
          'npx mindts launch --nproc 2 train --data_url builtin:digits --train_url out',
          'npx mindts launch --nproc 2 scripts/train.ts --data_url s3://bucket/MNISTData.zip --train_url out',
          'npx mindts launch --nproc 4 --nnodes 2 --node_rank 0 --master_addr node-0 train --data_url …',
        ],
      }),
    );
    return;
  }
  await runToEnd(flags, async () => {
    const { values, warnings } = parseOptions(OPTIONS, flags);
    if (warnings.length > 0) {
      const advice = "the script's own stand behind its name";
      throw new ArgumentError('E_ARGUMENT_UNKNOWN', `${warnings[0].replace(/^passed over /, '')}; ${advice}`);
    }
    const [named, ...ofScript] = rest;
    if (named === undefined) {
      throw new ArgumentError(
        'E_ARGUMENT_COUNT',
        'usage: mindts launch --nproc N [options] SCRIPT [options of the script]',
      );
    }
    process.exitCode = await launch(named, ofScript, values);
  });
}

async function launch(named: string, argv: readonly string[], options: LaunchOptions): Promise<number> {
  const { nproc, nnodes, node_rank: node, master_addr: host, master_port: port, timeout } = options;
  if (node >= nnodes) {
    throw new ArgumentError('E_ARGUMENT_VALUE', `--node_rank ${node}: expected less than --nnodes, which is ${nnodes}`);
  }
  if (nnodes > 1 && host === undefined) {
    throw new ArgumentError(
      'E_ARGUMENT_REQUIRED',
      `--nnodes ${nnodes} needs --master_addr, the name or address of machine 0`,
    );
  }
  const { file, execArgv } = findRankScript(named);
  const tether = new URL('../parallel/tether.js', import.meta.url).href;
  const folder = nnodes > 1 ? undefined : await makeMeetingFolder();
  try {
    const ranks = Array.from({ length: nproc }, (_, local) => ({
      id: node * nproc + local,
      env: {
        ...withoutRanks(process.env),
        RANK_ID: String(node * nproc + local),
        RANK_SIZE: String(nnodes * nproc),
        LOCAL_RANK: String(local),
        LOCAL_WORLD_SIZE: String(nproc),
        MINDTS_RENDEZVOUS:
          folder === undefined ? `${(host ?? '').includes(':') ? `[${host}]` : host}:${port}` : join(folder, 'ranks'),
        ...(timeout === undefined ? {} : { MINDTS_RANK_TIMEOUT_S: String(timeout) }),
      },
    }));
    return await runRanks(ranks, { file, argv, execArgv: [...process.execArgv, ...execArgv, '--import', tether] });
  } finally {
    if (folder !== undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** Where the ranks of one machine meet. */
async function makeMeetingFolder(): Promise<string> {
  const shared = sharedFolder();
  try {
    return await mkdtemp(join(shared, 'mindts-launch-'));
  } catch (cause) {
    throw new StorageError('E_WRITE', `cannot make a folder for ranks to meet in ${shared}: ${systemReason(cause)}`, {
      cause,
    });
  }
}

/** What the launcher inherited as a rank of something else would speak for its ranks too. */
function withoutRanks(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = rankVariables(env);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.includes(name)));
}

/** Flags before the script are the launcher's; the script and all behind it are not looked at. */
function splitAtScript(argv: readonly string[]): { flags: readonly string[]; rest: readonly string[] } {
  const flags: string[] = [];
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] === '-n' ? '--nproc' : argv[i].replace(/^-n=?(?=\d)/, '--nproc=');
    if (!argument.startsWith('-')) return { flags, rest: argv.slice(i) };
    flags.push(argument);
    const takesNone = argument.includes('=') || ['--debug', '--help', '-h'].includes(argument);
    if (!takesNone && i + 1 < argv.length) flags.push(argv[++i]);
  }
  return { flags, rest: [] };
}

/** `mindts prune status` and `mindts prune stop`: a run on a cluster from outside. */
import { flag, text } from '../args/option.js';
import { ArgumentError } from '../base/errors.js';
import { seedFolder } from '../pruning/compat/folder.js';
import type { RunFolder } from '../pruning/farm/folder.js';
import { runFolder } from '../pruning/farm/folder.js';
import { readEntry } from '../pruning/farm/journal.js';
import { type RunStatus, statusOf, statusOfRun } from '../pruning/farm/status.js';
import { stopRun } from '../pruning/farm/stop.js';
import { TurnDone } from '../pruning/roles/messages.js';
import { shownUrl } from '../storage/url.js';
import { compatOptions } from './prune-compat.js';
import { workOptions } from './prune-roles.js';
import { subcommand } from './subcommands.js';

const status = subcommand({
  usage: '',
  description: 'Shows the runs of a work folder: roles alive, leases, backlog, how far it is.',
  options: {
    work_url: workOptions.work_url,
    run: text({ placeholder: 'NAME', description: 'one run alone' }),
    json: flag({ description: 'as JSON' }),
  },
  examples: ['npx mindts prune status --work_url s3://bucket/work'],
  isStrict: true,
  async run({ work_url: url, run, json }) {
    const runs = run === undefined ? await statusOf(url) : [await statusOfRun(await runFolder(url, run))];
    const shown = await Promise.all(
      runs.map(async (one) => ({ ...one, turn: await lastTurn(await runFolder(url, one.run)) })),
    );
    console.log(json ? JSON.stringify(shown, undefined, 2) : shown.map(linesOf).join('\n\n'));
  },
});

const stop = subcommand({
  usage: '',
  description: 'Ends all roles of a run; `mindts prune_main --resume` lets it go on.',
  options: {
    ...workOptions,
    why: text({ default: 'somebody asked for it', description: 'what they are told' }),
    compat_files: compatOptions.compat_files,
  },
  isStrict: true,
  async run({ work_url: url, run, why, compat_files: isSeeds }) {
    if (isSeeds) return (await seedFolder(url)).end();
    const folder = await runFolder(url, run);
    if (!(await folder.has('run.json'))) {
      throw new ArgumentError(
        'E_ARGUMENT_VALUE',
        `--run ${run}: ${shownUrl(url)} holds no such run; --compat_files ends one by the seed's files`,
      );
    }
    await stopRun(folder, why);
  },
});

/** What `mindts prune` does besides pruning. */
export const PRUNE_COMMANDS = { status, stop } as const;

interface Shown extends RunStatus {
  readonly turn: TurnDone | undefined;
}

/** What the trainer has come to; a number that is not there for good yet is passed over. */
async function lastTurn(folder: RunFolder): Promise<TurnDone | undefined> {
  const names = await folder.list('journal/trainer/states');
  const numbers = names.flatMap((name) => /^(\d{8})\.\d{6}$/.exec(name)?.[1] ?? []).map(Number);
  for (const number of [...new Set(numbers)].sort((a, b) => b - a)) {
    const turn = await readEntry(folder, 'trainer', { topic: 'states', number, schema: TurnDone });
    if (turn !== undefined) return turn;
  }
  return undefined;
}

function linesOf({ run, url, stopped, members, board, quarantined, turn }: Shown): string {
  const roles = members.map(({ role, state, host, pid, beatAt }) => {
    const who = host === undefined ? '' : `  process ${pid} on ${host}`;
    return `  ${role.padEnd(10)} ${state.padEnd(7)}${who}${beatAt === undefined ? '' : `, last heard of ${beatAt}`}`;
  });
  const work =
    board &&
    `round ${board.round}, generation ${board.generation}: ${board.candidates} candidates in ${board.blocks} blocks, ${board.answered} answered, ${board.claimed} claimed, ${board.backlog} waiting`;
  const best =
    turn &&
    `${(turn.total / turn.kept).toFixed(1)}× at iteration ${turn.iteration}, validation ${(100 * turn.accuracy).toFixed(2)} %`;
  return [
    `run ${run}  ${shownUrl(url)}`,
    ...(roles.length > 0 ? roles : ['  nobody has come yet']),
    `  work       ${work ?? 'none'}`,
    `  reached    ${best ?? 'nothing yet'}`,
    `  quarantine ${quarantined.length} messages`,
    ...(stopped === undefined ? [] : [`  stopped    ${stopped}`]),
  ].join('\n');
}

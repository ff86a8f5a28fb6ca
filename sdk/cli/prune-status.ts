/** `mindts prune status` and `mindts prune stop`: a run on a cluster from outside. */
import { flag, text } from '../args/option.js';
import { ArgumentError } from '../base/errors.js';
import { log } from '../base/log.js';
import { seedFolder } from '../pruning/compat/folder.js';
import { type RunFolder, runFolder } from '../pruning/farm/folder.js';
import { type RunStatus, runsIn, statusOf, statusOfRun } from '../pruning/farm/status.js';
import { stopRun } from '../pruning/farm/stop.js';
import { type Overview, overviewOf } from '../pruning/roles/overview.js';
import { shownUrl } from '../storage/url.js';
import { compatOptions } from './prune-compat.js';
import { workOptions } from './prune-roles.js';
import { statusLines } from './status-lines.js';
import { subcommand } from './subcommands.js';

const status = subcommand({
  usage: '',
  description: 'Shows the runs of a work folder: how far they are, roles alive, leases, backlog. It only reads.',
  options: {
    work_url: workOptions.work_url,
    run: text({ placeholder: 'NAME', description: 'one run alone' }),
    json: flag({ description: 'as JSON' }),
  },
  examples: ['npx mindts prune status --work_url s3://bucket/work'],
  isStrict: true,
  async run({ work_url: url, run, json }) {
    const runs = run === undefined ? await statusOf(url) : [await statusOfRun(await folderOf(url, run))];
    const shown = await Promise.all(
      runs.map(async (one) => [one, await overviewOf(await runFolder(url, one.run), one)] as const),
    );
    if (json) {
      const all = shown.map((one) => jsonOf(...one));
      console.log(JSON.stringify(all, undefined, 2));
    } else log.info(shown.map((one) => statusLines(...one).join('\n')).join('\n\n'));
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
    await stopRun(await folderOf(url, run, "; --compat_files ends one by the seed's files"), why);
  },
});

/** What `mindts prune` does besides pruning. */
export const PRUNE_COMMANDS = { status, stop } as const;

/** The folder of a run that is there. */
async function folderOf(workUrl: string, run: string, advice = ''): Promise<RunFolder> {
  const folder = await runFolder(workUrl, run);
  const runs = await runsIn(workUrl);
  if (runs.includes(run)) return folder;
  const others = runs.length === 0 ? '' : `; it holds ${runs.join(', ')}`;
  throw new ArgumentError('E_ARGUMENT_VALUE', `--run ${run}: ${shownUrl(workUrl)} holds no such run${others}${advice}`);
}

/** For programs. */
function jsonOf(
  { members, run, url, stopped, missing, board, quarantined, damaged }: RunStatus,
  { evaluators, ...overview }: Overview,
): object {
  const roles = members.map((member) => {
    const { role, epoch, session, state, host, pid, beatAt, secondsSinceBeat } = member;
    return { role, epoch, session, state, host, pid, beatAt, secondsSinceBeat, ...evaluators.get(session) };
  });
  return { run, url: shownUrl(url), stopped, ...overview, roles, missing, board, quarantined, damaged };
}

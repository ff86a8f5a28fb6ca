/** `npm run bench:storage`: measures what storage and archives promise, beside rclone, cp and unzip where they are installed. */
import { helpText } from '../../sdk/args/help.js';
import { flag, integer, text } from '../../sdk/args/option.js';
import { parseOptions, wantsHelp } from '../../sdk/args/parse.js';
import { ArgumentError } from '../../sdk/base/errors.js';
import { log } from '../../sdk/base/log.js';
import { runToEnd } from '../../sdk/cli/report.js';
import { type Line, measureLines } from '../lines.js';
import { table } from '../report.js';
import { temporaryFolder, warnWhereBusy } from '../workplace.js';
import { tellsMemory } from './child.js';
import { figuresIn, NAMES } from './figures.js';
import { QUICK, WHOLE } from './sizes.js';

const options = {
  only: text({ placeholder: 'NAME,NAME', description: `some of ${NAMES.join(', ')}` }),
  repeats: integer({ min: 1, default: 3, description: 'how often to measure; medians count' }),
  quick: flag({ description: '64 MiB instead of 1 GiB, 1000 small files, each measured once' }),
  folder: text({
    placeholder: 'FOLDER',
    description: 'where files may lie, up to 6 GB (default: the temporary folder)',
  }),
  json: flag({ description: 'print one object: name → {value, unit, peer, ratio, target, ok}' }),
};

const argv = process.argv.slice(2);
if (wantsHelp(argv))
  console.log(helpText({ name: 'npm run bench:storage --', description: 'Measures storage and archives.', options }));
else void runToEnd(argv, main);

async function main(): Promise<void> {
  const { values, warnings } = parseOptions(options, argv);
  for (const warning of warnings) log.warn(warning);
  const chosen = values.only?.split(',') ?? NAMES;
  const wrong = chosen.find((name) => !NAMES.includes(name));
  if (wrong !== undefined) {
    throw new ArgumentError('E_FIGURE', `--only ${wrong}: no such figure; there are ${NAMES.join(', ')}`);
  }
  warnWhereBusy();
  if (!tellsMemory) log.warn('no /usr/bin/time here (Debian: apt-get install time): memory is not measured');
  const folder = temporaryFolder(values.folder);

  const figures = await figuresIn(folder, { names: chosen, sizes: values.quick ? QUICK : WHOLE });
  try {
    const repeats = values.quick ? 1 : values.repeats;
    const lines = async (name: string): Promise<readonly Line[]> =>
      (await figures.byName.get(name)?.measure(repeats)) ?? [];
    const rows = await measureLines(chosen, lines, { isMnist: false });
    const results = Object.fromEntries(rows.map(({ name, result }) => [name, result]));
    console.log(values.json ? JSON.stringify(results, undefined, 2) : table(rows, 'peer'));
  } finally {
    await figures.close();
  }
}

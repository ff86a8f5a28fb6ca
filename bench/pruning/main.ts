/** `npm run bench:prune`: measures what pruning promises, beside PyTorch where `python3` has it; `--keep` keeps the logs of its full runs. */
import { join, resolve } from 'node:path';
import { helpText } from '../../sdk/args/help.js';
import { flag, integer, text } from '../../sdk/args/option.js';
import { parseOptions, wantsHelp } from '../../sdk/args/parse.js';
import { ArgumentError } from '../../sdk/base/errors.js';
import { log } from '../../sdk/base/log.js';
import { runToEnd } from '../../sdk/cli/report.js';
import { measureLines } from '../lines.js';
import { table } from '../report.js';
import { temporaryFolder, warnWhereBusy } from '../workplace.js';
import { pruneFigures } from './figures.js';
import { findInputs } from './inputs.js';

const names = Object.keys(pruneFigures);
const options = {
  data_folder: text({
    placeholder: 'FOLDER',
    description: 'MNISTData.zip and the caffemodels (default: ../shared/data, else built-in digits)',
  }),
  only: text({ placeholder: 'NAME,NAME', description: `some of ${names.join(', ')}` }),
  seeds: integer({ min: 1, default: 5, description: 'full runs of each network' }),
  quick: flag({ description: 'one run of LeNet-300-100 alone' }),
  keep: text({ placeholder: 'FOLDER', description: 'keep logs, reports and curves of full runs, as docs/results' }),
  json: flag({ description: 'print one object: name → {value, unit, peer, ratio, target, ok}' }),
};

const argv = process.argv.slice(2);
const about = { name: 'npm run bench:prune --', description: 'Measures pruning.', options };
if (wantsHelp(argv)) console.log(helpText(about));
else void runToEnd(argv, main);

async function main(): Promise<void> {
  const { values, warnings } = parseOptions(options, argv);
  for (const warning of warnings) log.warn(warning);
  const chosen = values.only?.split(',') ?? (values.quick ? ['lenet300'] : names);
  const wrong = chosen.find((name) => !names.includes(name));
  if (wrong !== undefined) {
    throw new ArgumentError('E_FIGURE', `--only ${wrong}: no such figure; there are ${names.join(', ')}`);
  }
  warnWhereBusy();
  const folder = temporaryFolder();
  process.env['MINDTS_CACHE'] = join(folder, 'cache');
  const inputs = await findInputs(folder, values.data_folder);
  const bench = {
    inputs,
    seeds: values.quick ? 1 : values.seeds,
    repeats: values.quick ? 1 : 3,
    keep: values.keep === undefined ? undefined : resolve(values.keep),
  };
  const rows = await measureLines(chosen, (name) => pruneFigures[name](bench), { isMnist: inputs.isPublished });
  const results = Object.fromEntries(rows.map(({ name, result }) => [name, result]));
  console.log(values.json ? JSON.stringify(results, undefined, 2) : table(rows));
}

/** `npm run bench:searches`: which search finds what, with the same number of candidates. No clock has a part in it. */
import { join } from 'node:path';
import { helpText } from '../../sdk/args/help.js';
import { flag, integer, text } from '../../sdk/args/option.js';
import { parseOptions, wantsHelp } from '../../sdk/args/parse.js';
import { ArgumentError } from '../../sdk/base/errors.js';
import { log } from '../../sdk/base/log.js';
import { startProgress } from '../../sdk/base/progress.js';
import { runToEnd } from '../../sdk/cli/report.js';
import { temporaryFolder } from '../workplace.js';
import { type Contest, functionContests, ROUNDS, roundContest } from './contests.js';
import { findInputs, loadTrained } from './inputs.js';
import { compete, duelsTable, mediansTable, type Standing } from './standings.js';

const options = {
  data_folder: text({
    placeholder: 'FOLDER',
    description: 'MNISTData.zip and the caffemodels (default: ../shared/data, else built-in digits)',
  }),
  seeds: integer({ min: 1, default: 10, description: 'runs of each search' }),
  budgets: text({ default: '160,1600', placeholder: 'N,N', description: 'candidates that each may evaluate' }),
  quick: flag({ description: 'the test functions alone' }),
  json: flag({ description: 'print what every run found, null for nothing' }),
};

const argv = process.argv.slice(2);
const about = { name: 'npm run bench:searches --', description: 'Compares searches for rates.', options };
if (wantsHelp(argv)) console.log(helpText(about));
else void runToEnd(argv, main);

async function main(): Promise<void> {
  const { values, warnings } = parseOptions(options, argv);
  for (const warning of warnings) log.warn(warning);
  const budgets = values.budgets.split(',').map(Number);
  if (!budgets.every((budget) => Number.isSafeInteger(budget) && budget >= 10)) {
    throw new ArgumentError(
      'E_ARGUMENT_VALUE',
      `--budgets ${values.budgets}: whole numbers from 10, with commas between`,
    );
  }
  const standings: Standing[] = [];
  const hold = async (contest: Contest): Promise<void> => {
    for (const budget of budgets) {
      const runs = contest.methods.length * values.seeds;
      const progress = startProgress({ label: `${contest.title}, ${budget}`, total: runs, unit: 'searches' });
      let done = 0;
      standings.push(await compete(contest, { budget, seeds: values.seeds, told: () => progress.update(++done) }));
      progress.done();
    }
  };
  for (const contest of functionContests()) await hold(contest);
  if (!values.quick) {
    const folder = temporaryFolder();
    process.env['MINDTS_CACHE'] = join(folder, 'cache');
    const trained = await loadTrained('lenet300-100', await findInputs(folder, values.data_folder));
    for (const round of ROUNDS) {
      const contest = await roundContest(trained, round);
      try {
        await hold(contest);
      } finally {
        contest.close();
      }
    }
  }
  if (values.json) console.log(JSON.stringify(standings, undefined, 2));
  else console.log(`${mediansTable(standings)}\n\n${duelsTable(standings)}`);
}

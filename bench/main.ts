/** `npm run bench`: measures what this package promises, beside PyTorch where `python3` has it. */
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { writeDigits } from '../datasets/digits.js';
import { makeZip } from '../sdk/archive/make-zip.js';
import { helpText } from '../sdk/args/help.js';
import { flag, text } from '../sdk/args/option.js';
import { parseOptions, wantsHelp } from '../sdk/args/parse.js';
import { ArgumentError } from '../sdk/base/errors.js';
import { log } from '../sdk/base/log.js';
import { packageRoot } from '../sdk/base/package.js';
import { startProgress } from '../sdk/base/progress.js';
import { runToEnd } from '../sdk/cli/report.js';
import { mnist } from '../sdk/dataset/mnist.js';
import { prepareData } from '../sdk/platform/prepare.js';
import { type Bench, figures } from './figures.js';
import { judge, type Row, table } from './report.js';
import { temporaryFolder, warnWhereBusy } from './workplace.js';

const names = Object.keys(figures);
const options = {
  data_url: text({ placeholder: 'ZIP', description: 'MNIST (default: ../shared/data, else the built-in digits)' }),
  only: text({ placeholder: 'NAME,NAME', description: `some of ${names.join(', ')}` }),
  quick: flag({ description: 'measure once, not several times' }),
  json: flag({ description: 'print one object: name → {value, unit, peer, ratio, target, ok}' }),
};

const argv = process.argv.slice(2);
if (wantsHelp(argv)) console.log(helpText({ name: 'npm run bench --', description: 'Measures mindts.', options }));
else void runToEnd(argv, main);

async function main(): Promise<void> {
  const { values, warnings } = parseOptions(options, argv);
  for (const warning of warnings) log.warn(warning);
  const chosen = values.only?.split(',') ?? names;
  const wrong = chosen.find((name) => !names.includes(name));
  if (wrong !== undefined) {
    throw new ArgumentError('E_FIGURE', `--only ${wrong}: no such figure; there are ${names.join(', ')}`);
  }
  warnWhereBusy();
  const rows = await measure(chosen, await prepare(values.data_url, values.quick ? 1 : 3));
  const results = Object.fromEntries(rows.map(({ name, result }) => [name, result]));
  console.log(values.json ? JSON.stringify(results, undefined, 2) : table(rows));
}

async function measure(chosen: readonly string[], bench: Bench): Promise<readonly Row[]> {
  const isMnist = bench.trainSet.size === 60_000 && bench.testSet.size === 10_000;
  if (!isMnist) log.warn('this is not the whole MNIST: targets that speak of it are not judged');
  const rows: Row[] = [];
  const progress = startProgress({ label: 'measuring', total: chosen.length, unit: 'figures' });
  for (const name of chosen) {
    progress.update(rows.length, name);
    const facts = figures[name];
    // One figure that cannot be measured does not keep the others from being.
    const measured = await facts.measure(bench).catch((error: unknown) => {
      log.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      process.exitCode = 1;
    });
    rows.push({ name, facts, result: judge(facts, measured ?? undefined, { isMnist }), note: measured?.note });
  }
  progress.done();
  return rows;
}

/** Everything lies in a temporary folder, the work folders of `mindts` too; it goes when this process ends. */
async function prepare(dataUrl: string | undefined, repeats: number): Promise<Bench> {
  const folder = temporaryFolder();
  process.env['MINDTS_CACHE'] = join(folder, 'cache');

  const beside = join(packageRoot, '..', 'shared', 'data', 'MNISTData.zip');
  const zip = dataUrl ? resolve(dataUrl) : existsSync(beside) ? beside : await drawDigits(folder);
  const dataFolder = await prepareData(zip);
  const trainSet = await mnist(dataFolder, { split: 'train' });
  const testSet = await mnist(dataFolder, { split: 'test' });
  return { folder, zip, dataFolder, trainSet, testSet, repeats };
}

async function drawDigits(folder: string): Promise<string> {
  log.warn('no MNIST here (--data_url names one): measuring with the built-in digits');
  const zip = join(folder, 'digits.zip');
  await writeDigits(join(folder, 'digits'));
  await makeZip(join(folder, 'digits'), zip);
  return zip;
}

/** `npm run bench:storage`: measures what storage and archives promise, beside rclone, cp and unzip where they are installed. */
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { helpText } from '../../sdk/args/help.js';
import { flag, integer, text } from '../../sdk/args/option.js';
import { parseOptions, wantsHelp } from '../../sdk/args/parse.js';
import { ArgumentError } from '../../sdk/base/errors.js';
import { log } from '../../sdk/base/log.js';
import { startProgress } from '../../sdk/base/progress.js';
import { runToEnd } from '../../sdk/cli/report.js';
import { judge, type Row, table } from '../report.js';
import { tellsMemory } from './child.js';
import { type Figure, figuresIn, NAMES } from './figures.js';
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
  if (loadavg()[0] > availableParallelism() / 2) {
    log.warn(`this machine is busy (load ${loadavg()[0].toFixed(1)}): these figures will not be worth keeping`);
  }
  if (!tellsMemory) log.warn('no /usr/bin/time here (Debian: apt-get install time): memory is not measured');
  const folder = mkdtempSync(join(resolve(values.folder ?? tmpdir()), 'mindts-bench-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
  process.once('SIGINT', () => process.exit(130));
  process.once('SIGTERM', () => process.exit(143));

  const figures = await figuresIn(folder, { names: chosen, sizes: values.quick ? QUICK : WHOLE });
  try {
    const rows = await measure(chosen, figures.byName, values.quick ? 1 : values.repeats);
    const results = Object.fromEntries(rows.map(({ name, result }) => [name, result]));
    console.log(values.json ? JSON.stringify(results, undefined, 2) : table(rows, 'peer'));
  } finally {
    await figures.close();
  }
}

async function measure(
  chosen: readonly string[],
  figures: ReadonlyMap<string, Figure>,
  repeats: number,
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  const progress = startProgress({ label: 'measuring', total: chosen.length, unit: 'figures' });
  for (const [done, name] of chosen.entries()) {
    progress.update(done, name);
    // One figure that cannot be measured does not keep the others from being.
    const measured = await figures
      .get(name)
      ?.measure(repeats)
      .catch((error: unknown) => {
        log.error(`${name}: ${error instanceof Error ? error.message : String(error)}`);
        process.exitCode = 1;
        return [];
      });
    for (const { suffix, facts, measurement } of measured ?? []) {
      const result = judge(facts, measurement, { isMnist: false });
      rows.push({ name: name + suffix, facts, result, note: measurement.note });
    }
  }
  progress.done();
  return rows;
}

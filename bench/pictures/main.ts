/** `npm run pictures`: draws the pictures of the README, Example_Picture/, from a real run on the built-in digits. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { z } from 'zod';
import { EngineError } from '../../sdk/base/errors.js';
import { log } from '../../sdk/base/log.js';
import { packageRoot } from '../../sdk/base/package.js';
import { runToEnd } from '../../sdk/cli/report.js';
import { drawHistory, drawTerminals } from './draw.js';
import { screenOf } from './screen.js';

const COMMAND = 'mindts train --data_url builtin:digits --train_url out --epoch_size 8';
const COLUMNS = 122;
const historyFile = z.object({
  epochs: z.array(z.object({ loss: z.number(), accuracy: z.number(), validationLoss: z.number() })),
});

void runToEnd(process.argv.slice(2), async () => {
  const folder = mkdtempSync(join(tmpdir(), 'mindts-pictures-'));
  try {
    const output = record(folder);
    const prompt = [
      { text: '$ ', colour: 'green' as const },
      { text: COMMAND, colour: 'plain' as const },
    ];
    const shown = [whileItRuns(output), output.trimEnd()].map((part) => [
      prompt,
      ...screenOf(part, { columns: COLUMNS }),
    ]);
    await save('terminal.png', drawTerminals(shown));
    const { epochs } = historyFile.parse(JSON.parse(readFileSync(join(folder, 'out', 'history.json'), 'utf8')));
    await save('history.png', drawHistory(epochs, 'LeNet-5 on the built-in digits'));
  } finally {
    rmSync(folder, { recursive: true });
  }
});

/** Runs the command in a terminal of its own; gives every byte it wrote there. */
function record(folder: string): string {
  symlinkSync(join(packageRoot, 'dist', 'sdk', 'cli', 'mindts.js'), join(folder, 'mindts'));
  const env = { ...process.env, PATH: `${folder}:${process.env['PATH']}`, MINDTS_CACHE: join(folder, 'cache') };
  const inTerminal = `stty cols ${COLUMNS} rows 40; ${COMMAND}`;
  const ran = spawnSync('script', ['-qec', inTerminal, '/dev/null'], {
    cwd: folder,
    env: { ...env, TERM: 'xterm-256color' },
    stdio: ['ignore', 'pipe', 'pipe'],
    encoding: 'utf8',
  });
  if (ran.status === 0) return ran.stdout;
  const reason = ran.error?.message ?? `exit code ${ran.status}\n${ran.stdout}${ran.stderr}`;
  throw new EngineError('E_PICTURE', `${COMMAND}, recorded by script (of Debian's bsdutils): ${reason}`);
}

/** The output up to a moment in the middle of an epoch: that of the bar that is nearest to it. */
function whileItRuns(output: string): string {
  const bars = [...output.matchAll(/\] (\d+)% \P{Cc}*/gu)].map(({ 0: text, 1: percent, index }) => {
    return { end: index + text.length, distance: Math.abs(Number(percent) - 60) };
  });
  return output.slice(0, bars.toSorted((a, b) => a.distance - b.distance).at(0)?.end);
}

async function save(name: string, svg: string): Promise<void> {
  const file = join(packageRoot, 'Example_Picture', name);
  // Twice the size, for sharp screens.
  writeFileSync(file, await sharp(Buffer.from(svg), { density: 144 }).png({ palette: true }).toBuffer());
  log.info(`drew ${file}`);
}

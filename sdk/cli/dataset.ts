/** `mindts dataset`: makes the built-in digits, looks into a data set. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../archive/make-zip.js';
import { integer } from '../args/option.js';
import type { Dataset } from '../dataset/dataset.js';
import { mnist } from '../dataset/mnist.js';
import { prepareData } from '../platform/prepare.js';
import { family, subcommand } from './subcommands.js';

export const dataset: (argv: readonly string[]) => Promise<void> = family('dataset', 'Data sets in MNIST format.', {
  make: subcommand({
    usage: 'TO',
    description: 'draw handwriting-like digits into a folder or a .zip',
    options: {
      seed: integer({ default: 1, description: 'the same seed draws the same digits' }),
      train: integer({ default: 10_000, min: 1, max: 1_000_000, description: 'digits to train on' }),
      test: integer({ default: 2000, min: 1, max: 1_000_000, description: 'digits to test with' }),
    },
    run: async (options, to) => {
      if (!to.toLowerCase().endsWith('.zip')) await writeDigits(to, options);
      else {
        const folder = await mkdtemp(join(tmpdir(), 'mindts-'));
        try {
          await writeDigits(folder, options);
          await makeZip(folder, to);
        } finally {
          await rm(folder, { recursive: true });
        }
      }
      console.log(`drew ${options.train} + ${options.test} digits to ${to}`);
    },
  }),
  inspect: subcommand({
    usage: 'DATA_URL',
    description: 'sizes, classes and statistics of a folder, zip or tar',
    options: {},
    run: async (_args, url) => {
      const folder = await prepareData(url);
      console.log(`${url} → ${folder}`);
      for (const split of ['train', 'test'] as const) describe(split, await mnist(folder, { split }));
    },
  }),
});

function describe(split: string, { size, classes, images, labels, plan }: Dataset): void {
  const { height, width, channels } = plan.source;
  const perClass = new Array<number>(classes).fill(0);
  for (const label of labels) perClass[label]++;
  let sum = 0;
  let squares = 0;
  for (const byte of images) {
    sum += byte;
    squares += byte * byte;
  }
  const mean = sum / images.length;
  const std = Math.sqrt(squares / images.length - mean * mean);
  console.log(
    `${split.padEnd(6)} ${size} images ${height}×${width}×${channels}, mean ${(mean / 255).toFixed(4)}, std ${(std / 255).toFixed(4)}`,
  );
  console.log(`${' '.repeat(6)} per class ${perClass.join(' ')}`);
}

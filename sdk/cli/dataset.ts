/** `mindts dataset`: makes the built-in digits, fetches real data sets, looks into one. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { writeDigits } from '../../datasets/digits.js';
import { DATASET_NAMES, DATASETS } from '../../datasets/sources.js';
import { makeZip } from '../archive/make-zip.js';
import { integer, text } from '../args/option.js';
import { ArgumentError } from '../base/errors.js';
import type { Dataset } from '../dataset/dataset.js';
import { mnist } from '../dataset/mnist.js';
import { fetchDataset } from '../platform/fetch-dataset.js';
import { prepareData } from '../platform/prepare.js';
import { writeTo } from '../platform/write-to.js';
import { nameOf, shownUrl } from '../storage/url.js';
import { family, subcommand } from './subcommands.js';

export const dataset: (argv: readonly string[]) => Promise<void> = family(
  'dataset',
  'Data sets: drawn, fetched, looked into.',
  {
    make: subcommand({
      usage: 'TO',
      description: 'draw handwriting-like digits into a folder or a .zip',
      options: {
        seed: integer({ default: 1, description: 'the same seed draws the same digits' }),
        train: integer({ default: 10_000, min: 1, max: 1_000_000, description: 'digits to train on' }),
        test: integer({ default: 2000, min: 1, max: 1_000_000, description: 'digits to test with' }),
      },
      run: async (options, to) => {
        const write = nameOf(to).toLowerCase().endsWith('.zip') ? writeZip : writeDigits;
        await writeTo(to, (path) => write(path, options));
        console.log(`drew ${options.train} + ${options.test} digits to ${shownUrl(to)}`);
      },
    }),
    fetch: subcommand({
      usage: 'NAME [TO]',
      description: `get a real data set as a .zip: ${DATASET_NAMES.join(', ')}`,
      options: {
        mirror: text({
          placeholder: 'FOLDER',
          description: 'a folder, at any store, to fetch from instead of the public ones',
        }),
      },
      run: async ({ mirror }, name, to) => {
        const known = DATASET_NAMES.find((one) => one === name);
        if (known === undefined) {
          throw new ArgumentError('E_DATASET', `there is no data set ${name}; there are ${DATASET_NAMES.join(', ')}`);
        }
        const source = DATASETS[known];
        const place = to ?? source.archive;
        await fetchDataset(source, place, mirror === undefined ? {} : { mirrors: [mirror] });
        console.log(`fetched ${source.title} to ${shownUrl(place)}; its files have the right SHA-256`);
      },
    }),
    inspect: subcommand({
      usage: 'DATA_URL',
      description: 'sizes, classes and statistics of a folder, zip or tar',
      options: {},
      run: async (_args, url) => {
        const folder = await prepareData(url);
        console.log(`${redactUrl(url)} → ${folder}`);
        for (const split of ['train', 'test'] as const) describe(split, await mnist(folder, { split }));
      },
    }),
  },
);

async function writeZip(path: string, options: Parameters<typeof writeDigits>[1]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'mindts-'));
  try {
    await writeDigits(folder, options);
    await makeZip(folder, path);
  } finally {
    await rm(folder, { recursive: true });
  }
}

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

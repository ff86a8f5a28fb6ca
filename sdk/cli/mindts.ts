#!/usr/bin/env node
/** The `mindts` command: finds the subcommand and hands over. Each is loaded when it is called. */
import { packageVersion } from '../base/package.js';

interface Command {
  readonly description: string;
  readonly load: () => Promise<(argv: readonly string[]) => Promise<void>>;
}

// Launch files lie above this room, so that they are found by path, as a platform finds them.
const launchFile = (name: string) => async () => {
  const file = new URL(`../../scripts/${name}.js`, import.meta.url).href;
  const module: { readonly default: (argv: readonly string[]) => Promise<void> } = await import(file);
  return module.default;
};

const COMMANDS: Readonly<Record<string, Command>> = {
  train: { description: 'train LeNet-5, or a relative, on an MNIST-format data set', load: launchFile('train') },
  inference: { description: 'classify a test set with a trained checkpoint', load: launchFile('inference') },
  read_imagenet: { description: 'read a folder of photos once, as training would', load: launchFile('read_imagenet') },
  launch: {
    description: 'start a script as several ranks, which train together',
    load: async () => (await import('./launch-ranks.js')).launchRanks,
  },
  ckpt: { description: 'look into checkpoints and convert them', load: async () => (await import('./ckpt.js')).ckpt },
  dataset: { description: 'make and look into data sets', load: async () => (await import('./dataset.js')).dataset },
  fs: {
    description: 'copy, list, read and remove files of any store, as moxing does',
    load: async () => (await import('./fs.js')).fs,
  },
  doctor: {
    description: 'say what this machine can do, and what is missing',
    load: async () => (await import('./doctor.js')).doctor,
  },
};

function help(): string {
  const rows = Object.entries(COMMANDS).map(([name, { description }]) => `  ${name.padEnd(14)} ${description}`);
  return [
    'Trains neural networks on AI platforms and at home.',
    '',
    'Usage: mindts <command> [options]',
    '',
    ...rows,
    '',
    '`mindts <command> --help` says more; `mindts --version` prints the version.',
    '',
    'To begin:  mindts train --data_url builtin:digits --train_url out --epoch_size 8',
  ].join('\n');
}

async function main([name, ...rest]: readonly string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
    console.log(help());
    if (name === undefined) process.exitCode = 2;
    return;
  }
  if (name === '--version' || name === '-v') {
    console.log(packageVersion());
    return;
  }
  if (!Object.hasOwn(COMMANDS, name)) {
    console.error(`mindts: there is no command ${name}; there are ${Object.keys(COMMANDS).join(', ')}`);
    process.exitCode = 2;
    return;
  }
  const run = await COMMANDS[name].load();
  await run(rest);
}

void main(process.argv.slice(2));

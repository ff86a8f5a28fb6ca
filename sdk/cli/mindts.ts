#!/usr/bin/env node
/** The `mindts` command: finds the subcommand and hands over. Each is loaded when it is called. */
import { noSuch } from '../args/nearest.js';
import { packageVersion } from '../base/package.js';

interface Command {
  readonly description: string;
  readonly load: () => Promise<(argv: readonly string[]) => Promise<void>>;
}

/** Launch files by their names, with what each does. They lie above this room, so that they are found by path, as a platform finds them. */
function launchFiles(described: Readonly<Record<string, string>>): Record<string, Command> {
  const commands = Object.entries(described).map(([name, description]): [string, Command] => {
    const load = async () => {
      const file = new URL(`../../scripts/${name}.js`, import.meta.url).href;
      const module: { readonly default: (argv: readonly string[]) => Promise<void> } = await import(file);
      return module.default;
    };
    return [name, { description, load }];
  });
  return Object.fromEntries(commands);
}

/** What `mindts prune` does besides: a word before all flags. */
function withWords(prune: Command): Command {
  const load = async () => {
    const { PRUNE_COMMANDS: words } = await import('./prune-status.js');
    return async (argv: readonly string[]) => {
      const [word, ...rest] = argv;
      if (word === 'status' || word === 'stop') return words[word].run(rest, `mindts prune ${word}`);
      if (word !== undefined && !word.startsWith('-')) {
        console.error(`mindts prune: ${noSuch('command', word, Object.keys(words))}`);
        process.exitCode = 2;
        return;
      }
      return (await prune.load())(argv);
    };
  };
  return { ...prune, load };
}

const LAUNCHED = launchFiles({
  train: 'train LeNet-5, or a relative, on an MNIST-format data set',
  inference: 'classify a test set with a trained checkpoint',
  pretrain: 'train on from a checkpoint',
  train_for_multidataset: 'train in a task with several data sets',
  inference_for_multidataset: 'classify in a task with several data sets',
  train_for_c2net: 'train on C2Net, where data sets are archives',
  pretrain_for_c2net: 'train on from a checkpoint, on C2Net',
  inference_for_c2net: 'classify on C2Net',
  prune: 'compress a trained network: search for what can be left out, and retrain',
  prune_main: 'prune on a cluster: lead a run',
  prune_trainer: 'prune on a cluster: train',
  prune_search: 'prune on a cluster: search',
  prune_evaluator: 'prune on a cluster: evaluate candidates, as one of many',
  read_imagenet: 'read a folder of photos once, as training would',
});

const COMMANDS: Readonly<Record<string, Command>> = {
  ...LAUNCHED,
  prune: withWords(LAUNCHED['prune']),
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
  const rows = Object.entries(COMMANDS).map(([name, { description }]) => `  ${name.padEnd(28)} ${description}`);
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
    console.error(`mindts: ${noSuch('command', name, Object.keys(COMMANDS))}`);
    process.exitCode = 2;
    return;
  }
  const run = await COMMANDS[name].load();
  await run(rest);
}

void main(process.argv.slice(2));

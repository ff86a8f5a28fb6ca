/** `mindts fs`: moxing's calls on files and folders, as commands. */
import { readFile } from 'node:fs/promises';
import { flag, integer, text } from '../args/option.js';
import { ArgumentError, MindtsError, systemReason } from '../base/errors.js';
import { log } from '../base/log.js';
import * as storage from '../storage/index.js';
import { showCopy } from '../storage/show-copy.js';
import { localPathOf } from '../storage/stores.js';
import { isBelow, shownUrl } from '../storage/url.js';
import { contents, described, listed, walked } from './fs-lines.js';
import { printBytes, printLines } from './stdout.js';
import { family, type Subcommand, subcommand } from './subcommands.js';

/** What people type. */
const ALIASES: Readonly<Record<string, string>> = {
  cp: 'copy',
  ls: 'list',
  mv: 'rename',
  rm: 'remove',
  cat: 'read',
  mkdir: 'make_dirs',
  du: 'size',
};
const SHORT_FLAGS: Readonly<Record<string, string>> = { '-r': '--recursive', '-R': '--recursive' };

const EPILOGUE = [
  '',
  'Example:  mindts fs copy_parallel s3://bucket/MNISTData data',
  'Keys for s3://, obs://, oss:// and hdfs:// come from the environment or other tools’ files: docs/storage.md, “Keys”.',
];

const json = flag({ description: 'one JSON object a line' });
const recursive = (description: string) => ({ recursive: flag({ description }) });
const many = {
  overwrite: flag({ description: 'also copy what is there already' }),
  concurrency: integer({ default: 16, min: 1, max: 1000, description: 'files under way at once' }),
};

const COMMANDS: Readonly<Record<string, Subcommand>> = {
  copy: call({
    usage: 'FROM TO',
    description: 'copy a file',
    examples: ['mindts fs copy model.ckpt s3://bucket/models/model.ckpt', 'mindts fs cp -r s3://bucket/MNISTData data'],
    options: recursive('or -r: copy a folder, as copy_parallel does'),
    run: (args, from, to) =>
      told('copied', from, (onProgress) =>
        (args.recursive ? storage.copyParallel : storage.copy)(from, to, { onProgress }),
      ),
  }),
  copy_parallel: call({
    usage: 'FROM TO',
    description: 'copy what is in a folder into another, only what is missing there',
    examples: ['mindts fs copy_parallel s3://bucket/MNISTData data'],
    options: {
      ...many,
      file_list: text({ placeholder: 'URL', description: 'copy only the names that stand in this file, one a line' }),
    },
    run: async ({ file_list, ...args }, from, to) => {
      const files = file_list === undefined ? undefined : await namesIn(file_list);
      const copy = (onProgress: OnProgress) => storage.copyParallel(from, to, { ...args, files, onProgress });
      await told('copied', from, copy, { isWhole: files === undefined });
    },
  }),
  exists: call({
    usage: 'URL',
    description: 'print true and exit with 0, or false and 1',
    options: {},
    run: async (_args, url) => answer(await storage.exists(url)),
  }),
  is_directory: call({
    usage: 'URL',
    description: 'print true for a folder that is there and exit with 0, else false and 1',
    options: {},
    run: async (_args, url) => answer(await storage.isDirectory(url)),
  }),
  stat: call({
    usage: 'URL...',
    description: 'kind, size and time',
    options: { json },
    run: (args, ...urls) => printLines(described(urls, args.json)),
  }),
  list: call({
    usage: 'URL',
    description: 'what is in a folder; names of folders end in /',
    options: { ...recursive('or -r: and in the folders below it'), json },
    run: (args, url) => printLines(listed(url, args)),
  }),
  glob: call({
    usage: 'PATTERN',
    description: 'URLs that fit a pattern of *, ?, [a-z] and **; quote it',
    options: {},
    run: (_args, pattern) => printLines(storage.glob(pattern)),
  }),
  walk: call({
    usage: 'URL',
    description: 'folder after folder, and what is in each',
    options: { json },
    run: (args, url) => printLines(walked(url, args.json)),
  }),
  read: call({
    usage: 'URL...',
    description: 'write files to stdout',
    options: {},
    run: (_args, ...urls) => printBytes(contents(urls)),
  }),
  write: call({
    usage: 'URL [TEXT]',
    description: 'write a file: TEXT, or what comes on stdin',
    options: {},
    run: (_args, url, ...content) => storage.write(url, content.at(0) ?? process.stdin),
  }),
  append: call({
    usage: 'URL [TEXT]',
    description: 'add to the end of a file',
    options: {},
    run: (_args, url, ...content) => storage.append(url, content.at(0) ?? process.stdin),
  }),
  remove: call({
    usage: 'URL...',
    description: 'remove files',
    options: recursive('or -r: remove folders with all that is in them'),
    run: async (args, ...urls) => {
      for (const url of urls) await storage.remove(url, args);
    },
  }),
  rename: call({
    usage: 'FROM TO',
    description: 'move a file or folder, to another store too',
    options: { concurrency: many.concurrency },
    run: async (args, from, to) => {
      await showCopy(from, (onProgress) => storage.rename(from, to, { ...args, onProgress }), { doing: 'moving' });
    },
  }),
  make_dirs: call({
    usage: 'URL...',
    description: 'make folders, and those above them',
    options: {},
    run: async (_args, ...urls) => {
      for (const url of urls) await storage.makeDirs(url);
    },
  }),
  size: call({
    usage: 'URL',
    description: 'the bytes of a file, or of all files below a folder',
    options: {},
    run: async (_args, url) => printLines([String(await storage.size(url))]),
  }),
};

/** The `mindts fs` command. */
export const fs: (argv: readonly string[]) => Promise<void> = (argv) => {
  const end = argv.indexOf('--');
  const spelled = argv.map((word, i) => (end < 0 || i < end ? (SHORT_FLAGS[word] ?? word) : word));
  return family('fs', 'Files and folders of any store, by URL or local path.', COMMANDS, {
    aliases: ALIASES,
    epilogue: EPILOGUE,
  })(spelled);
};

type OnProgress = (progress: storage.CopyProgress) => void;

/** A flag that is not known here may be one that keeps something from being removed. */
function call<V extends object>(spec: Parameters<typeof subcommand<V>>[0]): Subcommand {
  return subcommand({ ...spec, isStrict: true });
}

async function told(
  done: string,
  from: string,
  run: (onProgress: OnProgress) => Promise<unknown>,
  options = {},
): Promise<void> {
  log.info(`${done} ${await showCopy(from, run, options)}`);
}

async function answer(isSo: boolean): Promise<void> {
  await printLines([String(isSo)]);
  if (!isSo) process.exitCode = 1;
}

/** The names in a list, be it a pipe, `<(find …)`, or in a store. */
async function namesIn(list: string): Promise<readonly string[]> {
  const local = localPathOf(list);
  const refuse = (why: string, options?: ErrorOptions): ArgumentError =>
    new ArgumentError('E_ARGUMENT_VALUE', `--file_list ${shownUrl(list)}: ${why}`, options);
  let content: string;
  try {
    content = local === undefined ? await storage.read(list, { encoding: 'utf8' }) : await readFile(local, 'utf8');
  } catch (error) {
    throw refuse(error instanceof MindtsError ? error.message : systemReason(error), { cause: error });
  }
  const names = content.split(/\r?\n/).filter((line) => line !== '');
  const wrong = names.find((name) => !isBelow(name));
  if (wrong === undefined) return names;
  throw refuse(`${JSON.stringify(wrong)} is not the name of a file below the folder, such as a/b.txt: mend that line`);
}

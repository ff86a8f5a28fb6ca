/** What the command line has no word for yet, as a process of its own: `run.js unzip ARCHIVE FOLDER`. */
import { unzip } from '../../sdk/archive/unzip.js';
import { copyFile, copyFolder } from '../../sdk/storage/copy.js';

const JOBS: Readonly<Record<string, (from: string, to: string) => Promise<unknown>>> = {
  copy: copyFile,
  copy_parallel: copyFolder,
  unzip,
};

const [job, from, to] = process.argv.slice(2);
await JOBS[job](from, to);

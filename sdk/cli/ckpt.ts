/** `mindts ckpt`: parameter files. */
import { convertCheckpoint } from '../checkpoint/convert.js';
import { readTensorFile } from '../checkpoint/file-format.js';
import { describeTensorFile } from '../checkpoint/inspect.js';
import { family, subcommand } from './subcommands.js';

export const ckpt: (argv: readonly string[]) => Promise<void> = family(
  'ckpt',
  'Parameter files: MindSpore .ckpt and .safetensors.',
  {
    inspect: subcommand({
      usage: 'FILE',
      description: 'what is in a parameter file',
      options: {},
      run: async (_args, file) => {
        for (const line of describeTensorFile(await readTensorFile(file))) console.log(line);
      },
    }),
    convert: subcommand({
      usage: 'FROM TO',
      description: 'from one format to another, by the extension of TO',
      options: {},
      run: async (_args, from, to) => {
        await convertCheckpoint(from, to);
        console.log(`wrote ${to}`);
      },
    }),
  },
);

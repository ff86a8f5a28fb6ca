/** `mindts ckpt`: parameter files. */
import { choice } from '../args/option.js';
import { log } from '../base/log.js';
import { convertCheckpoint } from '../checkpoint/convert.js';
import { readTensorFile } from '../checkpoint/file-format.js';
import { describeTensorFile } from '../checkpoint/inspect.js';
import { listed } from '../checkpoint/match.js';
import type { Network } from '../nn/network.js';
import { NETWORK_NAMES } from '../nn/networks.js';
import { fetchCheckpoint } from '../platform/prepare.js';
import { writeTo } from '../platform/write-to.js';
import { shownUrl } from '../storage/url.js';
import { imageSize } from './options.js';
import { family, subcommand } from './subcommands.js';

export const ckpt: (argv: readonly string[]) => Promise<void> = family(
  'ckpt',
  'Parameter files: MindSpore .ckpt, .safetensors, Caffe’s .caffemodel, TensorFlow.js model.json, sparse .mtsp; ONNX to write.',
  {
    inspect: subcommand({
      usage: 'FILE',
      description: 'what is in a parameter file',
      options: {},
      run: async (_args, file) => {
        for (const line of describeTensorFile(await readTensorFile(await fetchCheckpoint(file)))) console.log(line);
      },
    }),
    convert: subcommand({
      usage: 'FROM TO',
      description: 'from one format to another, by the extension of TO',
      options: {
        network: choice(NETWORK_NAMES, { description: 'which network it is (default: found by names and shapes)' }),
        ...imageSize,
      },
      run: async ({ network, image_height: height, image_width: width }, from, to) => {
        const source = await fetchCheckpoint(from);
        const { network: found, leftOut } = await writeTo(to, (path) =>
          convertCheckpoint(source, path, { network, height, width }),
        );
        if (leftOut.length > 0) {
          log.warn(
            `${shownUrl(to)} holds parameters alone; ${leftOut.length} other entries are left out: ${few(leftOut)}`,
          );
        }
        log.info(`wrote ${shownUrl(to)}${found === undefined ? '' : `: ${describe(found)}`}`);
      },
    }),
  },
);

function few(names: readonly string[]): string {
  return listed(names.slice(0, 3)) + (names.length > 3 ? ', …' : '');
}

function describe({ name, inputShape, outputShape }: Network): string {
  const [channels, height, width] = inputShape;
  return `${name} for ${height}×${width}×${channels} images of ${outputShape[0]} classes`;
}

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { run } from './command.js';

const DATA = join(packageRoot, '../shared/data');
const MNIST = join(DATA, 'MNISTData.zip');

for (const { network, model, accuracy } of [
  { network: 'lenet300-100', model: 'lenet300100_iter_10000.caffemodel', accuracy: 0.9773 },
  { network: 'lenet5-caffe', model: 'lenet5_original.caffemodel', accuracy: 0.9909 },
]) {
  const missing = [MNIST, join(DATA, model)].filter((path) => !existsSync(path));
  const skip = missing.length > 0 && `no ${missing.join(', ')} beside the repository`;
  test(`${network} with the parameters of ${model} is right on ${(100 * accuracy).toFixed(2)} % of MNIST`, {
    skip,
  }, async (t) => {
    const root = t.testdir();
    const args = [
      'inference',
      '--network',
      network,
      '--data_url',
      MNIST,
      '--ckpt_url',
      join(DATA, model),
      '--result_url',
      root,
    ];
    const { code, stdout, stderr } = await run(args, { cache: join(root, 'cache') });
    t.equal(code, 0, stderr);
    t.match(stdout, `accuracy ${(100 * accuracy).toFixed(2)} % of 10000 images`);
    t.equal(JSON.parse(readFileSync(join(root, 'result.json'), 'utf8')).accuracy, accuracy);
  });
}

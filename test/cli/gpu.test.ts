/**
 * `--device_target GPU` from the command line. TensorFlow's packages for Node need its native library, and one of them a GPU, which few
 * machines have: here fakes stand in for both packages, which are plain TensorFlow.js and say of themselves what the test wants.
 */
import { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { packageRoot } from '../../sdk/base/package.js';
import { type Ended, run } from './command.js';

const PLAIN = `const tf = require(${JSON.stringify(createRequire(import.meta.url).resolve('@tensorflow/tfjs'))});
tf.env().set('IS_TEST', true);`;
const ON_GPU = `${PLAIN} module.exports = { ...tf, backend: () => ({ isUsingGpuDevice: true }) };`;
const ON_CPU = `${PLAIN} module.exports = tf;`;

type Fakes = { readonly 'tfjs-node-gpu'?: string; readonly 'tfjs-node'?: string };

/** A copy of this package with a few digits beside it; `installFakes` puts these packages of TensorFlow, and no others, next to it. */
async function copyOfPackage(t: Test): Promise<{
  readonly root: string;
  readonly digits: string;
  readonly installFakes: (fakes: Fakes) => void;
  readonly mindts: (...args: readonly string[]) => Promise<Ended>;
}> {
  const root = t.testdir({ node_modules: {} });
  const modules = join(root, 'node_modules');
  const digits = join(root, 'digits');
  for (const part of ['dist', 'configs', 'package.json']) {
    cpSync(join(packageRoot, part), join(root, part), { recursive: true });
  }
  symlinkSync(join(packageRoot, 'native'), join(root, 'native'));
  for (const name of readdirSync(join(packageRoot, 'node_modules'))) {
    if (name !== '@tensorflow') symlinkSync(join(packageRoot, 'node_modules', name), join(modules, name));
  }
  const installFakes = (fakes: Fakes): void => {
    rmSync(join(modules, '@tensorflow'), { recursive: true, force: true });
    for (const [name, code] of Object.entries(fakes)) {
      const folder = join(modules, '@tensorflow', name);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, 'index.js'), code);
    }
  };
  const file = join(root, 'dist', 'sdk', 'cli', 'mindts.js');
  const mindts = (...args: readonly string[]): Promise<Ended> => run(args, { file, cache: join(root, 'cache') });
  t.match(await mindts('dataset', 'make', digits, '--train', '16', '--test', '10'), { code: 0 });
  return { root, digits, installFakes, mindts };
}

test('a model is trained on the GPU, goes on from its checkpoint on the CPU, and is tested on the GPU', async (t) => {
  const { root, digits, installFakes, mindts } = await copyOfPackage(t);
  installFakes({ 'tfjs-node-gpu': ON_GPU, 'tfjs-node': 'throw new Error("the better one is taken");' });
  const out = join(root, 'out');
  const train = ['train', '--data_url', digits, '--train_url', out, '--batch_size', '8'];

  const first = await mindts(...train, '--epoch_size', '1', '--device_target', 'GPU');
  t.match(first, { code: 0, stdout: /on 16 images: TensorFlow\.js 4\.\d+\.\d+ \(GPU\)\n/ });
  t.notMatch(first.stderr, /^mindts:/m, 'nothing to warn of');
  const second = await mindts(...train, '--epoch_size', '2', '--resume');
  t.match(second, { code: 0, stderr: /resuming with .* what TensorFlow\.js 4\.\d+\.\d+ \(GPU\) began: not the same/ });

  const model = ['--ckpt_url', join(out, 'checkpoint_lenet-2_2.ckpt'), '--device_target', 'GPU'];
  const classified = await mindts('inference', '--data_url', digits, '--result_url', join(root, 'result'), ...model);
  t.match(classified, { code: 0, stdout: /accuracy .* of 10 images/, stderr: /^$/ });
});

test('without a GPU, or with the package that has none, it runs on the processors and warns', async (t) => {
  const { installFakes, mindts } = await copyOfPackage(t);
  const cases: readonly [Fakes, RegExp][] = [
    [
      { 'tfjs-node-gpu': ON_CPU },
      /^mindts: @tensorflow\/tfjs-node-gpu sees no GPU; .*CUDA.* slower than --device_target CPU\n$/,
    ],
    [
      { 'tfjs-node': ON_CPU },
      /^mindts: @tensorflow\/tfjs-node is the one without GPU: `npm install @tensorflow\/tfjs-node-gpu` .*\n$/,
    ],
  ];
  for (const [fakes, warning] of cases) {
    installFakes(fakes);
    t.match(await mindts('doctor'), { code: 0, stdout: /\nGPU +TensorFlow\.js 4.* no GPU\)\n$/, stderr: warning });
  }
});

test('a package that is missing, cannot be loaded or cannot compute is an error that says what to do', async (t) => {
  const { root, digits, installFakes, mindts } = await copyOfPackage(t);
  const broken = `throw new Error('tfjs_binding.node can not be found at path: x\\nPlease …');`;
  const cases: readonly [Fakes, RegExp][] = [
    [{}, /GPU needs TensorFlow\.js, .*`npm install @tensorflow\/tfjs-node-gpu` .*CUDA 11/],
    [{ 'tfjs-node-gpu': broken, 'tfjs-node': ON_CPU }, /tfjs-node-gpu is .* \(tfjs_binding.* at path: x\)\. /],
    [{ 'tfjs-node': `${PLAIN} module.exports = { ...tf, square: () => tf.no() };` }, /tfjs-node is .*tf\.no is not a/],
    [{ 'tfjs-node': 'module.exports = {};' }, /not the whole of TensorFlow\.js.*`npm rebuild .*Node 20 and 22/],
  ];
  for (const [fakes, reason] of cases) {
    installFakes(fakes);
    const target = ['--train_url', join(root, 'out'), '--device_target', 'GPU'];
    const { code, stderr } = await mindts('train', '--data_url', digits, ...target);
    t.equal(code, 1);
    t.match(stderr, reason);
    t.match(stderr, /^mindts: --device_target GPU.*use --device_target CPU\n$/);
  }
  t.match(await mindts('doctor'), { code: 0, stdout: /\nGPU +.*not the whole.*\n$/, stderr: /^$/ });
});

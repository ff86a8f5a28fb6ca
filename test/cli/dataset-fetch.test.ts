import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { run } from './command.js';

test('dataset fetch says which sets there are', async (t) => {
  const { code, stderr } = await run(['dataset', 'fetch', 'imagenet'], { cache: t.testdir() });
  t.equal(code, 2);
  t.match(stderr, /there is no data set imagenet; there are mnist, fashion-mnist, cifar10, cifar100\n$/);
});

test('a mirror of wrong files is said once, a short line says what to do, and no zip is made', async (t) => {
  const folder = t.testdir({ mirror: {}, cache: {}, out: {} });
  writeFileSync(join(folder, 'mirror/train-images-idx3-ubyte.gz'), 'not MNIST');
  const to = join(folder, 'out/MNISTData.zip');
  const args = ['dataset', 'fetch', 'mnist', to, '--mirror', join(folder, 'mirror')];
  const { code, stderr } = await run(args, { cache: join(folder, 'cache') });
  t.equal(code, 1);
  const [warning, error, ...more] = stderr.split('\n');
  t.match(warning, /train-images-idx3-ubyte\.gz is not .*has 9 bytes, instead of 9912422 /);
  t.match(error, /^mindts: MNIST: no mirror gives train-images-idx3-ubyte\.gz: .*--mirror FOLDER; docs\/datasets\.md/);
  t.same(more, ['']);
  t.notOk(existsSync(to));
  t.same(readdirSync(join(folder, 'out')), []);
});

test('dataset fetch takes a name and perhaps a place, and no more', async (t) => {
  const cache = t.testdir();
  for (const args of [[], ['mnist', 'a.zip', 'b.zip']]) {
    const { code, stderr } = await run(['dataset', 'fetch', ...args], { cache });
    t.equal(code, 2);
    t.match(stderr, /usage: mindts dataset fetch NAME \[TO\]/);
  }
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { convertCheckpoint } from '../../sdk/checkpoint/convert.js';
import { readTensorFile } from '../../sdk/checkpoint/file-format.js';
import { describeTensorFile } from '../../sdk/checkpoint/inspect.js';
import { floats, plain, tensorFile } from './files.js';

test('a file is told as a table, with numbers that are not finite counted apart', async (t) => {
  const file = tensorFile(
    {
      'fc.weight': floats([2, 2], 0.25, -1, Number.NaN, Infinity),
      epoch_num: { shape: [], data: Int32Array.of(3) },
      'a\nb': floats([0]),
    },
    { note: 'two\nlines', long: 'x'.repeat(200) },
  );
  t.same(describeTensorFile(file), [
    'name       shape   type     count  min   max    mean  not finite',
    'fc.weight  [2, 2]  Float32      4   -1  0.25  -0.375           2',
    'epoch_num  []      Int32        1    3     3       3           0',
    '"a\\nb"     [0]     Float32      0    -     -       -           0',
    'note: "two\\nlines"',
    `long: ${'x'.repeat(99)}…`,
  ]);
});

test('a conversion there and back changes nothing', async (t) => {
  const folder = t.testdir();
  const from = join(import.meta.dirname, 'fixtures/momentum.ckpt');
  const [middle, back, again] = ['a.safetensors', 'b.ckpt', 'c.safetensors'].map((name) => join(folder, name));
  await convertCheckpoint(from, middle);
  await convertCheckpoint(middle, back);
  await convertCheckpoint(back, again);
  t.same(plain(await readTensorFile(middle)), plain(await readTensorFile(from)));
  t.same(readFileSync(again), readFileSync(middle));
});

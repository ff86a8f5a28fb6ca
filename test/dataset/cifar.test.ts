import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { cifar10, cifar100 } from '../../sdk/dataset/cifar.js';

const PLANE = 1024;

/** Records whose red, green and blue planes count up from the sample's number, by 1, 2 and 3 a pixel. */
function records(labels: readonly (readonly number[])[]): Uint8Array {
  const one = ([...bytes]: readonly number[], sample: number): number[] => {
    for (const step of [1, 2, 3]) for (let i = 0; i < PLANE; i++) bytes.push((sample + step * i) % 256);
    return bytes;
  };
  return Uint8Array.from(labels.flatMap(one));
}

/** CIFAR-10 of two training images a file and three to test with. */
function write10(t: Test): string {
  const folder = t.testdir({});
  for (let part = 1; part <= 5; part++) {
    writeFileSync(join(folder, `data_batch_${part}.bin`), records([[part - 1], [part + 4]]));
  }
  writeFileSync(join(folder, 'test_batch.bin'), records([[0], [9], [3]]));
  return folder;
}

test('CIFAR-10 is read from its five files, the channels of a pixel side by side', async (t) => {
  const folder = write10(t);
  const train = await cifar10(folder, { split: 'train' });
  t.match(train, { size: 10, classes: 10, plan: { source: { height: 32, width: 32, channels: 3 }, height: 32 } });
  t.same([...train.labels], [0, 5, 1, 6, 2, 7, 3, 8, 4, 9]);
  t.same([...train.images.subarray(0, 9)], [0, 0, 0, 1, 2, 3, 2, 4, 6]);
  t.same([...train.images.subarray(3 * PLANE, 3 * PLANE + 6)], [1, 1, 1, 2, 3, 4], 'the second sample');
  const held = await cifar10(folder, { split: 'test', transforms: [] });
  t.same([...held.labels], [0, 9, 3]);
  t.same(held.plan.scale, [1, 1, 1]);
});

test('the folder that the archive unpacks to is found', async (t) => {
  const folder = write10(t);
  const inner = join(folder, 'cifar-10-batches-bin');
  mkdirSync(inner);
  renameSync(join(folder, 'test_batch.bin'), join(inner, 'test_batch.bin'));
  const { source, size } = await cifar10(folder, { split: 'test' });
  t.equal(source, join(inner, 'test_batch.bin'));
  t.equal(size, 3);
});

test('CIFAR-100 has fine and coarse labels', async (t) => {
  const folder = t.testdir({ 'cifar-100-binary': {} });
  writeFileSync(
    join(folder, 'cifar-100-binary', 'train.bin'),
    records([
      [19, 99],
      [0, 42],
    ]),
  );
  const fine = await cifar100(folder, { split: 'train' });
  t.match(fine, { size: 2, classes: 100 });
  t.same([...fine.labels], [99, 42]);
  t.same([...fine.images.subarray(0, 6)], [0, 0, 0, 1, 2, 3]);
  const coarse = await cifar100(folder, { split: 'train', labels: 'coarse' });
  t.equal(coarse.classes, 20);
  t.same([...coarse.labels], [19, 0]);
});

test('what is missing, cut short or has labels out of range is refused, naming the file', async (t) => {
  const folder = write10(t);
  const refused = (code: string, message: RegExp, split: 'train' | 'test' = 'train'): Promise<unknown> =>
    t.rejects(cifar10(folder, { split }), { name: 'DatasetError', code, message });
  writeFileSync(join(folder, 'data_batch_2.bin'), records([[1], [10]]));
  await refused('E_LABEL', /data_batch_2\.bin: record 1 has the label 10, which must be 0 to 9/);
  writeFileSync(join(folder, 'data_batch_2.bin'), records([[1], [2]]).subarray(0, -7));
  await refused('E_CIFAR_TRUNCATED', /data_batch_2\.bin: 6139 bytes are 1 records of 3073 and 3066 bytes more/);
  writeFileSync(join(folder, 'test_batch.bin'), '');
  await refused('E_CIFAR_TRUNCATED', /test_batch\.bin: 0 bytes/, 'test');
  rmSync(join(folder, 'data_batch_2.bin'));
  await refused('E_NOT_FOUND', /holds a part of the data set; data_batch_2\.bin missing/);
  await t.rejects(cifar100(folder, { split: 'train' }), {
    code: 'E_NOT_FOUND',
    message: /cifar-100-binary.*train\.bin/,
  });
  mkdirSync(join(folder, 'data_batch_2.bin'));
  await t.rejects(cifar10(folder, { split: 'train' }), { name: 'StorageError', code: 'E_READ', message: /folder/ });
});

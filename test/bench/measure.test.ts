import { join } from 'node:path';
import { test } from 'tap';
import { differingBytes, median, medianOf } from '../../bench/measure.js';

test('the median is the middle value, or the mean of the two in the middle', async (t) => {
  t.equal(median([5]), 5);
  t.equal(median([9, 1, 2]), 2);
  t.equal(median([4, 1, 10, 2]), 3);
});

test('measurements come one after another, and their median counts', async (t) => {
  const values = [3, 100, 1];
  t.equal(await medianOf(3, async () => values.shift() ?? 0), 3);
  t.same(values, []);
});

test('every byte that differs between two files counts, and those that only one has', async (t) => {
  const folder = t.testdir({ a: 'abcd', b: 'aXcY', longer: 'abcdef' });
  const difference = (one: string, other: string): Promise<number> =>
    differingBytes(join(folder, one), join(folder, other));
  t.equal(await difference('a', 'a'), 0);
  t.equal(await difference('a', 'b'), 2);
  t.equal(await difference('a', 'longer'), 2);
  t.equal(await difference('longer', 'a'), 2);
});

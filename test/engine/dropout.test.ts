/** Statistics over fixed seeds; the bounds are more than five standard errors wide. */
import { test } from 'tap';
import { dropoutKey, dropoutThreshold, hash32, isKept } from '../../sdk/engine/dropout.js';

test('the hash gives whole numbers of 32 bits, and never one twice', async (t) => {
  const hashes = Array.from({ length: 100_000 }, (_, i) => hash32(i));
  t.ok(hashes.every((h) => Number.isInteger(h) && h >= 0 && h < 2 ** 32));
  t.equal(new Set(hashes).size, hashes.length);
});

test("each bit of a number changes half of its hash's", async (t) => {
  for (let bit = 0; bit < 32; bit++) {
    let changed = 0;
    for (let x = 0; x < 1000; x++) changed += ones(hash32(x) ^ hash32(x ^ (1 << bit)));
    t.ok(Math.abs(changed / 32_000 - 0.5) < 0.02, `bit ${bit}: ${changed} of 32 000`);
  }
});

test('the share of numbers kept is 1 − rate, in each sample and step', async (t) => {
  for (const rate of [0.1, 0.25, 0.5, 0.9]) {
    for (const [step, sample] of [
      [0, 0],
      [0, 1],
      [1, 0],
      [1_000_000, 127],
    ]) {
      const share = mask(dropoutKey(1, step, 5), rate, sample).filter((kept) => kept).length / 10_000;
      t.ok(Math.abs(share - (1 - rate)) < 0.025, `rate ${rate}, step ${step}, sample ${sample}: ${share}`);
    }
  }
});

test('at a rate of 0 all stay', async (t) => {
  t.equal(dropoutThreshold(0), 0);
  t.ok(mask(dropoutKey(1, 0, 1), 0, 0).every((kept) => kept));
});

test('seeds, steps, layers and samples choose independently of one another', async (t) => {
  const choices = [
    mask(dropoutKey(1, 0, 1), 0.5, 0),
    mask(dropoutKey(2, 0, 1), 0.5, 0),
    mask(dropoutKey(-1, 0, 1), 0.5, 0),
    mask(dropoutKey(1, 1, 1), 0.5, 0),
    mask(dropoutKey(1, 0, 2), 0.5, 0),
    mask(dropoutKey(1, 0, 1), 0.5, 1),
    // One feature further along must not be the same choice either.
    [...mask(dropoutKey(1, 0, 1), 0.5, 0).slice(1), true],
  ];
  for (const [i, one] of choices.entries()) {
    for (const [j, other] of choices.slice(0, i).entries()) {
      const same = one.filter((kept, k) => kept === other[k]).length / one.length;
      t.ok(Math.abs(same - 0.5) < 0.03, `${i} and ${j}: ${same} the same`);
    }
  }
});

test('the lower 32 bits of a seed count', async (t) => {
  t.equal(dropoutKey(2 ** 32 + 7, 3, 1), dropoutKey(7, 3, 1));
});

/** Which of 10 000 features stay. */
function mask(key: number, rate: number, sample: number): boolean[] {
  return Array.from({ length: 10_000 }, (_, feature) => isKept(key, rate, { sample, feature }));
}

function ones(x: number): number {
  let count = 0;
  for (let rest = x >>> 0; rest > 0; rest = Math.floor(rest / 2)) count += rest % 2;
  return count;
}

import * as fc from 'fast-check';
import { test } from 'tap';
import { gradualSparsity, magnitudeMask } from '../../sdk/pruning/schedule.js';

const LAYERS = [
  { name: 'a', offset: 0, size: 40 },
  { name: 'b', offset: 40, size: 60 },
];
/** The second layer's magnitudes are all greater. */
const VALUES = Float32Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : -1) * (i + 1));
const pruned = (mask: Uint8Array, layer: (typeof LAYERS)[number]) =>
  mask.subarray(layer.offset, layer.offset + layer.size).filter((bit) => bit === 0).length;

test('the cubic schedule goes from the first part to the last, fast at first, and stays there', async (t) => {
  const schedule = { initial: 0.25, final: 0.75, begin: 100, end: 200 };
  const at = (step: number) => gradualSparsity(step, schedule);
  t.same([at(0), at(100), at(200), at(999)], [0.25, 0.25, 0.75, 0.75]);
  t.equal(at(150), 0.75 - 0.5 / 8);
  for (let step = 101; step < 200; step++) {
    const [before, now, next] = [at(step - 1), at(step), at(step + 1)];
    if (!(now > before && next - now < now - before)) t.fail(`step ${step}`);
  }
});

test('a mask prunes exactly so many, the smallest of all layers together', async (t) => {
  fc.assert(
    fc.property(fc.nat(100), (percent) => {
      const mask = magnitudeMask(VALUES, LAYERS, percent / 100);
      return mask.every((bit, i) => bit === (i < percent ? 0 : 1));
    }),
  );
  t.same(
    LAYERS.map((layer) => pruned(magnitudeMask(VALUES, LAYERS, 0.5), layer)),
    [40, 10],
  );
});

test('by layer, each loses the same part', async (t) => {
  const mask = magnitudeMask(VALUES, LAYERS, 0.5, { scope: 'layer' });
  t.same(
    LAYERS.map((layer) => pruned(mask, layer)),
    [20, 30],
  );
});

test('a cap keeps a layer from being emptied; what it keeps is taken elsewhere, as long as there is any', async (t) => {
  const caps = { a: 0.25 };
  const counts = (sparsity: number) => {
    const mask = magnitudeMask(VALUES, LAYERS, sparsity, { caps });
    return LAYERS.map((layer) => pruned(mask, layer));
  };
  t.same(counts(0.5), [10, 40]);
  t.same(counts(0.99), [10, 60]);
  t.same(counts(0.05), [5, 0], 'what is below the cap goes as without');
});

test('of equal magnitudes those that lie first go first, so that a mask is the same everywhere', async (t) => {
  const mask = magnitudeMask(new Float32Array(6).fill(-1), [{ name: 'a', offset: 1, size: 5 }], 0.4);
  t.same([...mask], [1, 0, 0, 1, 1, 1]);
});

test('parts beyond 0 to 1, unknown layers and schedules without length are refused, naming them', async (t) => {
  for (const [run, said] of [
    [() => magnitudeMask(VALUES, LAYERS, 1.5), 'sparsity must be a part from 0 to 1, not 1.5'],
    [() => magnitudeMask(VALUES, LAYERS, 0.5, { caps: { a: -1 } }), 'cap of a must be a part from 0 to 1, not -1'],
    [() => magnitudeMask(VALUES, LAYERS, 0.5, { caps: { c: 1 } }), 'a cap for c, and the layers are a, b'],
    [() => gradualSparsity(1, { final: 0.5, begin: 10, end: 10 }), 'the schedule goes from step 10 to step 10'],
    [() => gradualSparsity(1, { final: 100, end: 10 }), 'final must be a part from 0 to 1, not 100'],
  ] as const) {
    t.throws(run, { code: 'E_SPARSITY', message: said });
  }
});

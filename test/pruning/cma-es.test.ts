/** CMA-ES, and the eigenvalues that it needs. */
import * as fc from 'fast-check';
import { test } from 'tap';
import { z } from 'zod';
import { cmaEs } from '../../sdk/pruning/cma-es.js';
import { eigen } from '../../sdk/pruning/eigen.js';
import { bestOf, boxOf, type Landscape, run } from './landscapes.js';

/** A long narrow valley that lies across the axes. */
const bent: Landscape = (x) => {
  const turned = x.map((value, i) => value - 3.7 + (i > 0 ? x[i - 1] - 3.7 : 0));
  return { fitness: turned.reduce((sum, v, i) => sum + 10 ** (i * 2) * v * v, 0), violation: 0 };
};

const stateOf = z.object({
  method: z.object({ sigma: z.number(), since: z.number(), covariance: z.array(z.array(z.number())) }),
});

test('it learns the shape of a narrow valley that lies across the axes', async (t) => {
  const search = run(cmaEs(boxOf(4, { budget: 2500, seed: 1 })), bent);
  t.ok(bestOf(search) < 1e-8, `${bestOf(search)}`);
});

test('a best on a face of the box is found, and a corner is come near to', async (t) => {
  const face: Landscape = ([x, y, z]) => ({ fitness: x + (y - 4) ** 2 + (z - 4) ** 2, violation: 0 });
  t.ok(bestOf(run(cmaEs(boxOf(3, { budget: 600, seed: 1 })), face)) < 1e-4);
  const corner: Landscape = (x) => ({ fitness: x.reduce((a, b) => a + b, 0), violation: 0 });
  t.ok(bestOf(run(cmaEs(boxOf(3, { budget: 600, seed: 1 })), corner)) < 0.1);
});

test('once it has shrunk to a point it begins anew elsewhere', async (t) => {
  const search = cmaEs(boxOf(2, { budget: 20_000, seed: 1 }));
  const bowl: Landscape = ([x, y]) => ({ fitness: Math.hypot(x - 3, y - 3), violation: 0 });
  const begins = new Set<number>();
  for (let i = 0; i < 1000; i++) {
    run(search, bowl, 1);
    begins.add(stateOf.parse(search.state()).method.since);
  }
  t.ok(begins.size > 2, `${begins.size} times`);
});

test('it goes on where every candidate is as good as every other', async (t) => {
  const search = run(cmaEs(boxOf(2, { budget: 2000, seed: 1 })), () => ({ fitness: 1, violation: 0 }));
  t.ok(search.evaluated > 1990);
  const { sigma, covariance } = stateOf.parse(search.state()).method;
  t.ok(sigma > 0 && covariance.flat().every(Number.isFinite));
});

test('one layer is enough', async (t) => {
  const search = run(cmaEs(boxOf(1, { budget: 300, seed: 1 })), ([x]) => ({ fitness: (x - 3) ** 2, violation: 0 }));
  t.ok(bestOf(search) < 1e-8);
});

test('B · diag(values) · Bᵀ is the symmetric matrix again, and B keeps lengths', async () => {
  const number = fc.double({ min: -100, max: 100, noNaN: true });
  const square = fc
    .integer({ min: 1, max: 7 })
    .chain((n) => fc.array(fc.array(number, { minLength: n, maxLength: n }), { minLength: n, maxLength: n }));
  fc.assert(
    fc.property(square, (rows) => {
      const matrix = rows.map((row, i) => row.map((_, k) => rows[Math.min(i, k)][Math.max(i, k)]));
      const { values, vectors } = eigen(matrix);
      const product = (i: number, k: number, of: readonly number[]) =>
        of.reduce((sum, v, e) => sum + vectors[i][e] * v * vectors[k][e], 0);
      const ones = values.map(() => 1);
      return matrix.every((row, i) =>
        row.every((value, k) => {
          const unit = Math.abs(product(i, k, ones) - (i === k ? 1 : 0));
          return unit < 1e-12 && Math.abs(product(i, k, values) - value) < 1e-10;
        }),
      );
    }),
    { numRuns: 300, seed: 1 },
  );
});

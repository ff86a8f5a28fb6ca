/** Eigenvalues of a small symmetric matrix, by Jacobi's rotations (Golub and Van Loan, Matrix Computations, 8.5). */

/** A matrix of n rows, each of n numbers. */
export type Matrix = readonly (readonly number[])[];

/**
 * A symmetric matrix as B · diag(values) · Bᵀ, the columns of B its eigenvectors.
 *
 * @example
 * eigen([[2, 0], [0, 3]]).values; // [2, 3]
 */
export function eigen(matrix: Matrix): { readonly values: readonly number[]; readonly vectors: Matrix } {
  const n = matrix.length;
  const a = matrix.map((row) => [...row]);
  const vectors = a.map((row, i) => row.map((_, k) => (i === k ? 1 : 0)));
  const size = Math.hypot(...a.flat());
  // Sweeps converge quadratically: six to ten are the rule.
  for (let sweep = 0; sweep < 50; sweep++) {
    const beside = Math.hypot(...a.flatMap((row, i) => row.slice(i + 1)));
    if (beside <= size * 1e-16) break;
    for (let p = 0; p < n; p++) {
      for (let q = p + 1; q < n; q++) rotate(a, vectors, [p, q]);
    }
  }
  return { values: a.map((row, i) => row[i]), vectors };
}

/** Turns the plane of two axes so that a[p][q] becomes 0. */
function rotate(a: number[][], vectors: number[][], [p, q]: readonly [number, number]): void {
  if (a[p][q] === 0) return;
  const theta = (a[q][q] - a[p][p]) / (2 * a[p][q]);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const cos = 1 / Math.hypot(t, 1);
  const sin = t * cos;
  for (const row of [...a, ...vectors]) {
    const [atP, atQ] = [row[p], row[q]];
    row[p] = cos * atP - sin * atQ;
    row[q] = sin * atP + cos * atQ;
  }
  for (let k = 0; k < a.length; k++) {
    const [atP, atQ] = [a[p][k], a[q][k]];
    a[p][k] = cos * atP - sin * atQ;
    a[q][k] = sin * atP + cos * atQ;
  }
}

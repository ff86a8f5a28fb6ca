/** How much is kept at which round. */
import { test } from 'tap';
import { goalOf } from '../../sdk/pruning/course.js';
import { CURVES } from '../../sdk/pruning/settings.js';

const settings = {
  schedule: 'gradual' as const,
  curve_end: 1,
  target_ratio: 300,
  prune_stop: 6000,
  search_every: 100,
};
const ROUNDS = settings.prune_stop / settings.search_every;

function goals(curve: (typeof CURVES)[number]): readonly number[] {
  const of = (round: number): number => goalOf(round * 100, 430_500, { ...settings, curve }) ?? Number.NaN;
  return Array.from({ length: ROUNDS }, (_, round) => of(round));
}

test('every curve goes down from round to round, and the last round has the target', (t) => {
  for (const curve of CURVES) {
    const all = goals(curve);
    t.ok(all[0] < 430_500 && all[0] > 200_000, `${curve}: ${all[0]} after the first round`);
    t.ok(all.every((goal, i) => i === 0 || goal <= all[i - 1]));
    t.equal(all.at(-1), 1435);
  }
  t.end();
});

test('a geometric curve spends most of its rounds where little is left', (t) => {
  const beyond = (curve: (typeof CURVES)[number]): number => goals(curve).filter((goal) => goal < 430_500 / 30).length;
  t.ok(beyond('geometric') > ROUNDS / 2, `${beyond('geometric')} of ${ROUNDS}`);
  t.ok(beyond('cubic') < ROUNDS / 2, `${beyond('cubic')} of ${ROUNDS}`);
  t.end();
});

test('a curve may end before the rounds do, which then keep the target', (t) => {
  for (const curve of CURVES) {
    const early = { ...settings, curve, curve_end: 0.75 };
    const of = (round: number): number | undefined => goalOf(round * 100, 430_500, early);
    const whole = goals(curve);
    t.equal(of(0.75 * ROUNDS - 1), 1435);
    t.equal(of(ROUNDS - 1), 1435);
    t.ok((of(0.75 * ROUNDS - 2) ?? 0) > 1435);
    t.ok((of(ROUNDS / 2) ?? Infinity) < whole[ROUNDS / 2]);
  }
  t.end();
});

import { test } from 'tap';
import { classificationReport } from '../../sdk/train/report.js';

test('a report counts by hand what was predicted as what', async (t) => {
  //      actual 0: 0 0 1    actual 1: 1 1 1 2    actual 2: 0 2 2
  const actual = [0, 0, 0, 1, 1, 1, 1, 2, 2, 2];
  const predicted = [0, 0, 1, 1, 1, 1, 2, 0, 2, 2];
  t.same(classificationReport(predicted, actual, 3), {
    accuracy: 7 / 10,
    confusion: [
      [2, 1, 0],
      [0, 3, 1],
      [1, 0, 2],
    ],
    perClass: [
      { class: 0, support: 3, precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 },
      { class: 1, support: 4, precision: 3 / 4, recall: 3 / 4, f1: 3 / 4 },
      { class: 2, support: 3, precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 },
    ],
  });
});

test('precision looks down a column, recall along a row, and f1 is their harmonic mean', async (t) => {
  // Of four ones, one is found; nothing else is called a one.
  const [zero, one] = classificationReport([0, 0, 0, 0, 1], [0, 1, 1, 1, 1], 2).perClass;
  t.same(one, { class: 1, support: 4, precision: 1, recall: 1 / 4, f1: 2 / 5 });
  t.same(zero, { class: 0, support: 1, precision: 1 / 4, recall: 1, f1: 2 / 5 });
});

test('a class that is never there, or never predicted, counts 0 and not NaN', async (t) => {
  const { perClass, accuracy } = classificationReport([0, 0], [0, 1], 3);
  t.equal(accuracy, 1 / 2);
  t.same(perClass[1], { class: 1, support: 1, precision: 0, recall: 0, f1: 0 });
  t.same(perClass[2], { class: 2, support: 0, precision: 0, recall: 0, f1: 0 });
  t.equal(classificationReport([], [], 2).accuracy, 0);
});

test('typed arrays do as well', async (t) => {
  t.same(classificationReport(Int32Array.of(1, 0), Uint8Array.of(1, 1), 2).confusion, [
    [0, 0],
    [1, 1],
  ]);
});

test('what cannot be compared is refused: lengths that differ, numbers that are no class', async (t) => {
  t.throws(() => classificationReport([0], [0, 1], 2), { code: 'E_COUNT', message: /1 predictions for 2 labels/ });
  t.throws(() => classificationReport([0, 2], [0, 1], 2), { code: 'E_LABEL', message: /sample 1 .*predicted.* 2/ });
  t.throws(() => classificationReport([0, 1], [0, -1], 2), { code: 'E_LABEL', message: /sample 1 .*-1/ });
});

import { DatasetError } from '../base/errors.js';

/** How well a classification went, class by class. */
export interface ClassificationReport {
  /** Share of samples classified rightly, 0 to 1. */
  readonly accuracy: number;
  /** `confusion[actual][predicted]`: how many. */
  readonly confusion: readonly (readonly number[])[];
  readonly perClass: readonly {
    readonly class: number;
    /** Samples of this class. */
    readonly support: number;
    /** Of those predicted as it, the share that is of it; 0 when none was. */
    readonly precision: number;
    /** Of those of it, the share predicted as it; 0 when there is none. */
    readonly recall: number;
    /** The harmonic mean of precision and recall. */
    readonly f1: number;
  }[];
}

/**
 * Compares predicted with actual classes, number by number.
 *
 * @throws DatasetError `E_COUNT` when there are not as many of one as of the other, `E_LABEL` for a number that is none
 *   of the `classes`
 * @example
 * classificationReport([0, 1, 1], [0, 1, 0], 2).confusion; // [[1, 1], [0, 1]]
 */
export function classificationReport(
  predicted: ArrayLike<number>,
  actual: ArrayLike<number>,
  classes: number,
): ClassificationReport {
  if (predicted.length !== actual.length) {
    throw new DatasetError('E_COUNT', `${predicted.length} predictions for ${actual.length} labels`);
  }
  const confusion = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  for (let i = 0; i < actual.length; i++) {
    if (confusion[actual[i]]?.[predicted[i]] === undefined) {
      const pair = `labelled ${actual[i]} and predicted as ${predicted[i]}`;
      throw new DatasetError('E_LABEL', `sample ${i} is ${pair}; ${classes} classes are 0 to ${classes - 1}`);
    }
    confusion[actual[i]][predicted[i]]++;
  }
  const hits = confusion.map((row, c) => row[c]);
  const perClass = confusion.map((row, c) => {
    const support = sum(row);
    const precision = share(hits[c], sum(confusion.map((other) => other[c])));
    const recall = share(hits[c], support);
    return { class: c, support, precision, recall, f1: share(2 * precision * recall, precision + recall) };
  });
  return { accuracy: share(sum(hits), actual.length), confusion, perClass };
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function share(part: number, whole: number): number {
  return whole === 0 ? 0 : part / whole;
}

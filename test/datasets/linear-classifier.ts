/** How far a linear classifier gets: softmax regression on the pixels. */
import type { Digits, LabelledImages } from '../../datasets/digits.js';
import { permutation, seededRandom } from '../../sdk/base/random.js';

const PIXELS = 28 * 28;
const EPOCHS = 8;

/** The accuracy on the test images after each epoch of stochastic gradient descent over all training images. */
export function linearAccuracy({ train, test }: Digits): number[] {
  const weights = new Float64Array(10 * PIXELS); // [pixel][class]
  const biases = new Float64Array(10);
  const scores = new Float64Array(10);

  function score({ images }: LabelledImages, index: number): void {
    scores.set(biases);
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const ink = images[index * PIXELS + pixel] / 255;
      if (ink === 0) continue;
      for (let c = 0; c < 10; c++) scores[c] += ink * weights[10 * pixel + c];
    }
  }

  function learn(index: number, learningRate: number): void {
    score(train, index);
    const top = Math.max(...scores);
    const powers = scores.map((s) => Math.exp(s - top));
    const sum = powers.reduce((a, b) => a + b);
    // The gradient of the cross entropy by the scores is softmax minus one-hot.
    const steps = powers.map((power, c) => learningRate * (power / sum - (c === train.labels[index] ? 1 : 0)));
    for (let c = 0; c < 10; c++) biases[c] -= steps[c];
    for (let pixel = 0; pixel < PIXELS; pixel++) {
      const ink = train.images[index * PIXELS + pixel] / 255;
      if (ink === 0) continue;
      for (let c = 0; c < 10; c++) weights[10 * pixel + c] -= ink * steps[c];
    }
  }

  function right(label: number, index: number): boolean {
    score(test, index);
    return scores.indexOf(Math.max(...scores)) === label;
  }

  return Array.from({ length: EPOCHS }, (_, epoch) => {
    const order = permutation(train.labels.length, seededRandom(1, 'linear', epoch));
    for (const index of order) learn(index, 0.02 / (1 + epoch));
    return test.labels.filter(right).length / test.labels.length;
  });
}

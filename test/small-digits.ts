/** A few of the built-in digits as data sets. */
import { makeDigits } from '../datasets/digits.js';
import { type Dataset, fromArrays } from '../sdk/dataset/dataset.js';
import { mnistTransforms } from '../sdk/dataset/mnist.js';

export function smallDigits({ train = 320, test = 100 } = {}): { readonly train: Dataset; readonly test: Dataset } {
  const drawn = makeDigits({ seed: 3, train, test });
  const asDataset = ({ images, labels }: typeof drawn.train, source: string): Dataset =>
    fromArrays({ images, labels, height: 28, width: 28, classes: 10, transforms: mnistTransforms(), source });
  return { train: asDataset(drawn.train, 'small/train'), test: asDataset(drawn.test, 'small/test') };
}

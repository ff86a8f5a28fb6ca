import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { fromArrays } from '../../sdk/dataset/dataset.js';
import { normalize, rescale, resize, type Transform } from '../../sdk/dataset/transforms.js';
import { batchAssembler } from '../../sdk/engine/reference/input.js';
import { relativeDifference } from './closeness.js';

test('without a resize every byte stays exactly itself, and channels come to the outside', async (t) => {
  const images = Uint8Array.of(1, 10, 2, 20, 3, 30, 4, 40, 5, 50, 6, 60);
  const inputs = assemble(images, { height: 2, width: 3, channels: 2 });
  t.same(inputs, [1, 2, 3, 4, 5, 6, 10, 20, 30, 40, 50, 60]);
});

test('enlarging mixes neighbours by the distance of their centres and goes on at the edge', async (t) => {
  // Centres of the four new pixels, in old ones: −¼, ¼, ¾, 1¼.
  t.same(assemble(Uint8Array.of(0, 100), { height: 1, width: 2 }, [resize(1, 4)]), [0, 25, 75, 100]);
  const square = assemble(Uint8Array.of(0, 100, 200, 100), { height: 2, width: 2 }, [resize(4, 2)]);
  t.same(square, [0, 100, 50, 100, 150, 100, 200, 100]);
});

test('shrinking takes the two nearest pixels, without antialiasing', async (t) => {
  // Five pixels to two: centres at ¾ and 3¼ of the old ones.
  t.same(assemble(Uint8Array.of(0, 100, 7, 40, 80), { height: 1, width: 5 }, [resize(1, 2)]), [75, 50]);
  t.same(assemble(Uint8Array.of(9, 20, 9), { height: 3, width: 1 }, [resize(1, 1)]), [20]);
});

test('every channel has its own scale and shift', async (t) => {
  const images = Uint8Array.of(10, 20);
  const transforms = [rescale(0.1), normalize([1, 4], [2, 0.5])];
  t.same(assemble(images, { height: 1, width: 1, channels: 2 }, transforms), [0, -4]);
});

test('rescale and normalize before the resize give what they give after it', async () => {
  const side = fc.integer({ min: 1, max: 9 });
  fc.assert(
    fc.property(side, side, side, side, fc.nat(), (height, width, rows, columns, seed) => {
      const random = seededRandom(seed, 'image');
      const images = Uint8Array.from({ length: height * width * 3 }, () => random.below(256));
      const image = { height, width, channels: 3 };
      const colours = [rescale(1 / 255), normalize([0.1, 0.2, 0.3], [0.4, 0.5, 0.6])];
      const before = assemble(images, image, [...colours, resize(rows, columns)]);
      const after = assemble(images, image, [resize(rows, columns), ...colours]);
      return relativeDifference(before, after) < 1e-12;
    }),
  );
});

test('a batch holds the samples of its positions, with their labels, in order', async (t) => {
  const data = fromArrays({ images: Uint8Array.of(5, 6, 7), labels: [0, 1, 2], height: 1, width: 1, classes: 3 });
  const batch = batchAssembler(data.plan, 4)(data, Int32Array.of(2, 0));
  t.same([...batch.inputs], [7, 5]);
  t.same(Array.from(batch.labels), [2, 0]);
});

function assemble(
  images: Uint8Array,
  image: { readonly height: number; readonly width: number; readonly channels?: number },
  transforms: readonly Transform[] = [],
): number[] {
  const data = fromArrays({ images, labels: [0], ...image, classes: 1, transforms });
  return [...batchAssembler(data.plan, 1)(data, Int32Array.of(0)).inputs];
}

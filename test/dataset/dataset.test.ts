import * as fc from 'fast-check';
import { test } from 'tap';
import { epochOrder, fromArrays } from '../../sdk/dataset/dataset.js';
import { resize } from '../../sdk/dataset/transforms.js';

const two = { images: Uint8Array.of(1, 2, 3, 4), labels: [1, 0], height: 1, width: 2, classes: 2 };

test('a data set knows its size, its classes and what its transforms come to', async (t) => {
  const data = fromArrays({ ...two, transforms: [resize(3, 4)] });
  t.same([data.size, data.classes, data.source], [2, 2, 'memory']);
  t.same([data.plan.source, data.plan.height, data.plan.width], [{ height: 1, width: 2, channels: 1 }, 3, 4]);
  t.same(data.labels, Int32Array.of(1, 0));
  t.equal(data.images, two.images, 'the bytes are not copied');
});

test('images, labels and classes that disagree are refused, naming the source', async (t) => {
  const source = 'train-images';
  t.throws(() => fromArrays({ ...two, source, labels: [], images: new Uint8Array(0) }), {
    code: 'E_EMPTY',
    message: /^train-images: holds no samples/,
  });
  t.throws(() => fromArrays({ ...two, source, images: new Uint8Array(5) }), {
    code: 'E_COUNT',
    message: /^train-images: 2 labels but 2.5 images/,
  });
  t.throws(() => fromArrays({ ...two, channels: 2 }), { code: 'E_COUNT', message: /2 labels but 1 images/ });
  for (const wrong of [2, -1, 0.5, Number.NaN]) {
    t.throws(() => fromArrays({ ...two, source, labels: [0, wrong] }), {
      code: 'E_LABEL',
      message: new RegExp(`^train-images: sample 1 has the label ${wrong}; with 2 classes it must be 0 to 1`),
    });
  }
});

test('images that are no bytes, as JavaScript can give them, are refused', (t) => {
  for (const images of [new Float32Array(4), new Uint8ClampedArray(4), [1, 2, 3, 4], undefined]) {
    const wrong = { ...two };
    Reflect.set(wrong, 'images', images);
    const name = Object.prototype.toString.call(images).slice(8, -1);
    const message = `memory: images must be a Uint8Array, a byte for each value, not ${name}`;
    t.throws(() => fromArrays(wrong), { name: 'DatasetError', code: 'E_TYPE', message });
  }
  t.equal(fromArrays({ ...two, images: Buffer.from(two.images) }).size, 2);
  t.end();
});

test('an epoch visits every sample once, in an order that seed and epoch alone decide', async () => {
  const numbers = fc.record({ seed: fc.integer(), epoch: fc.nat() });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 200 }), numbers, (size, when) => {
      const order = epochOrder(size, when);
      const again = epochOrder(size, when);
      return (
        order.toSorted().every((position, i) => position === i) && order.every((position, i) => position === again[i])
      );
    }),
  );
});

test('another seed or epoch gives another order', async (t) => {
  const orders = [
    epochOrder(100, { seed: 1, epoch: 1 }),
    epochOrder(100, { seed: 1, epoch: 2 }),
    epochOrder(100, { seed: 2, epoch: 1 }),
    epochOrder(100, { seed: 11, epoch: 1 }),
    epochOrder(100, { seed: 1, epoch: 11 }),
  ].map((order) => order.join(' '));
  t.equal(new Set(orders).size, orders.length);
});

test('every order is about as likely as any other', async (t) => {
  const counts = new Map<string, number>();
  for (let epoch = 0; epoch < 6000; epoch++) {
    const order = epochOrder(3, { seed: 1, epoch }).join('');
    counts.set(order, (counts.get(order) ?? 0) + 1);
  }
  t.equal(counts.size, 6);
  // 1000 each, give or take five standard deviations of 29.
  for (const [order, times] of counts) t.ok(Math.abs(times - 1000) < 145, `${order}: ${times}`);
});

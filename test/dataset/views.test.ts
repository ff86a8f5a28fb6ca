import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { normalize, rescale, resize } from '../../sdk/dataset/transforms.js';
import { centerCrop, drawView, planViews, randomHorizontalFlip, randomResizedCrop } from '../../sdk/dataset/views.js';

const sizes = fc.record({ width: fc.integer({ min: 1, max: 5000 }), height: fc.integer({ min: 1, max: 5000 }) });

test('a random part lies in the image, with a share of its area and a ratio as asked for', async (t) => {
  const plan = planViews([randomResizedCrop(224)]);
  fc.assert(
    fc.property(sizes, fc.integer(), (size, seed) => {
      const { from, resize, keep, flip } = drawView(plan, size, seededRandom(seed));
      t.ok(from.left >= 0 && from.top >= 0 && from.width >= 1 && from.height >= 1);
      t.ok(from.left + from.width <= size.width && from.top + from.height <= size.height);
      t.same([resize, keep, flip], [{ width: 224, height: 224 }, { left: 0, top: 0, width: 224, height: 224 }, false]);
      if (Math.min(size.width, size.height) < 100) return;
      const ratio = from.width / from.height;
      t.ok(ratio > 0.7 && ratio < 1.4, `${ratio}`);
      // A long narrow image has no part of the ratio asked for but a small one.
      const natural = size.width / size.height;
      if (natural > 0.75 && natural < 4 / 3) t.ok((from.width * from.height) / (size.width * size.height) > 0.07);
    }),
  );
});

test('where no part has the ratio asked for, the largest in the middle that does is taken', async (t) => {
  const plan = planViews([randomResizedCrop(8, { scale: [1, 1] })]);
  const partOf = (width: number, height: number) => drawView(plan, { width, height }, seededRandom(1)).from;
  t.same(partOf(1000, 30), { left: 480, top: 0, width: 40, height: 30 });
  t.same(partOf(30, 1000), { left: 0, top: 480, width: 30, height: 40 });
  t.same(partOf(100, 1), { left: 49, top: 0, width: 1, height: 1 });
});

test('shares of the area and ratios are spread as asked for, and half of the images flipped', async (t) => {
  const plan = planViews([randomResizedCrop(224), randomHorizontalFlip()]);
  let [shares, ratios, flips] = [0, 0, 0];
  for (let i = 0; i < 4000; i++) {
    const { from, flip } = drawView(plan, { width: 1000, height: 1000 }, seededRandom(1, i));
    shares += (from.width * from.height) / 1e6 / 4000;
    ratios += Math.log(from.width / from.height) / 4000;
    flips += Number(flip) / 4000;
  }
  // Parts near the whole image fit only if they are nearly square, so that the mean share is below 0.54.
  t.ok(Math.abs(shares - 0.5) < 0.03, `${shares}`);
  t.ok(Math.abs(ratios) < 0.02, `${ratios}`);
  t.ok(Math.abs(flips - 0.5) < 0.03, `${flips}`);
});

test('the middle is that of torchvision: the shorter side resized, the longer cut to a whole number', async (t) => {
  const plan = planViews([centerCrop(224)]);
  t.same(drawView(plan, { width: 500, height: 375 }, seededRandom(1)), {
    from: { left: 0, top: 0, width: 500, height: 375 },
    resize: { width: 341, height: 256 },
    keep: { left: 58, top: 16, width: 224, height: 224 },
    flip: false,
  });
  t.match(drawView(plan, { width: 10, height: 3 }, seededRandom(1)), { resize: { width: 853, height: 256 } });
});

test('transforms begin with one crop, and flip before the engine does its part', async (t) => {
  const refused = (transforms: Parameters<typeof planViews>[0], message: RegExp): unknown =>
    t.throws(() => planViews(transforms), { name: 'DatasetError', code: 'E_TRANSFORM', message });
  refused([], /need randomResizedCrop or centerCrop/);
  refused([rescale(1 / 255)], /as their first transform/);
  refused([centerCrop(8), centerCrop(8)], /cropped only once/);
  refused([centerCrop(8), rescale(2), randomHorizontalFlip()], /belongs before rescale/);
  refused([centerCrop(8), randomHorizontalFlip(1.5)], /not at 1\.5/);
  refused([centerCrop(0)], /whole number from 1/);
  refused([centerCrop(8, { resize: 7 })], /8 pixels cannot be kept of images resized to 7/);
  refused([randomResizedCrop(8, { scale: [0, 1] })], /scale/);
  refused([randomResizedCrop(8, { ratio: [2, 1] })], /ratio/);
  const { input, flip } = planViews([centerCrop(8), randomHorizontalFlip(0.25), resize(4, 4), normalize(1, [1, 2, 4])]);
  t.equal(flip, 0.25);
  t.match(input, { height: 4, source: { height: 8, channels: 3 }, scale: [1, 0.5, 0.25] });
});

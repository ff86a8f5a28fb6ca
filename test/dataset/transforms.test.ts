import { test } from 'tap';
import { normalize, planInput, rescale, resize, type Transform } from '../../sdk/dataset/transforms.js';

const grey = { height: 28, width: 28, channels: 1 };
const colour = { height: 4, width: 6, channels: 3 };

test('without transforms the network reads the bytes as they are', async (t) => {
  t.same(planInput(colour, []), { source: colour, height: 4, width: 6, scale: [1, 1, 1], shift: [0, 0, 0] });
});

test("MNIST's usual transforms come to one resize, scale and shift", async (t) => {
  const plan = planInput(grey, [resize(32, 32), rescale(1 / 255), normalize(0.1307, 0.3081)]);
  t.same([plan.source, plan.height, plan.width], [grey, 32, 32]);
  t.same(plan.scale, [1 / 255 / 0.3081]);
  t.same(plan.shift, [-0.1307 / 0.3081]);
});

test('transforms work one after another: each also changes the shift so far', async (t) => {
  // ((x − 2) / 4) · 8 = 2x − 4, then (2x − 4 − 1) / 2 = x − 2½
  const plan = planInput(grey, [normalize(2, 4), rescale(8), normalize(1, 2)]);
  t.same([plan.scale, plan.shift], [[1], [-2.5]]);
  const swapped = planInput(grey, [rescale(8), normalize(2, 4)]);
  t.same([swapped.scale, swapped.shift], [[2], [-0.5]]);
});

test('one number stands for every channel, a list has one per channel', async (t) => {
  const plan = planInput(colour, [normalize([1, 2, 3], 2)]);
  t.same(
    [plan.scale, plan.shift],
    [
      [0.5, 0.5, 0.5],
      [-0.5, -1, -1.5],
    ],
  );
});

test('a transform that does not fit the images is refused, saying why', async (t) => {
  const mistakes: readonly [readonly Transform[], RegExp][] = [
    [[resize(32, 32), rescale(2), resize(32, 32)], /only once/],
    [[resize(0, 32)], /resize: .* not 0/],
    [[resize(32, 1.5)], /resize: .* not 1.5/],
    [[rescale(Number.NaN)], /rescale must be a number, not NaN/],
    [[normalize([1, 2], 1)], /normalize: 2 values of mean for 3 channels/],
    [[normalize(1, [1, 1, 1, 1])], /normalize: 4 values of std for 3 channels/],
    [[normalize([], 1)], /normalize: 0 values of mean/],
    [[normalize(0, [1, 0, 1])], /std must not be 0/],
    [[normalize(Number.POSITIVE_INFINITY, 1)], /normalize: mean must be a number, not Infinity/],
  ];
  for (const [transforms, message] of mistakes) {
    t.throws(() => planInput(colour, transforms), { code: 'E_TRANSFORM', message });
  }
});

import * as fc from 'fast-check';
import { test } from 'tap';
import { NetworkError } from '../../sdk/base/errors.js';
import { input } from '../../sdk/nn/layers.js';
import { type WindowOptions, windowOver } from '../../sdk/nn/window.js';

const image = input([3, 8, 6]);

test('`same` padding makes ⌈size / stride⌉ places, an odd row or column at the end', async (t) => {
  const { window, places } = windowOver('conv', image, { kernelSize: [3, 2], stride: [1, 2], padding: 'same' });
  t.same(places, [8, 3]);
  t.same(window, {
    kernelSize: [3, 2],
    stride: [1, 2],
    padding: { top: 1, bottom: 1, left: 0, right: 0 },
  });
  const { window: odd } = windowOver('conv', image, { kernelSize: 4, padding: 'same' });
  t.same(odd.padding, { top: 1, bottom: 2, left: 1, right: 2 });
  const { window: apart, places: few } = windowOver('pool', image, { kernelSize: 1, stride: 3, padding: 'same' });
  t.same([apart.padding, few], [{ top: 0, bottom: 0, left: 0, right: 0 }, [3, 2]], 'none where windows lie apart');
});

test('a number pads both sides, and two pad rows and columns', async (t) => {
  t.same(windowOver('conv', image, { kernelSize: 3, padding: 1 }).places, [8, 6]);
  t.same(windowOver('conv', image, { kernelSize: 3, padding: [0, 2] }).places, [6, 8]);
  t.same(windowOver('conv', image, { kernelSize: 9, padding: 2 }).places, [4, 2], 'a kernel may need its padding');
});

test('padding of another name says which there are', async (t) => {
  // From JavaScript.
  const options = { kernelSize: 3, padding: 'full' };
  t.throws(() => Reflect.apply(windowOver, undefined, ['conv1', image, options]), {
    code: 'E_SHAPE',
    message: `conv1: padding must be 'same', 'valid', a number or rows and columns, not "full"`,
  });
});

test('any window has the places that its definition counts, and each holds some of the image', async () => {
  const size = fc.integer({ min: 1, max: 9 });
  const padding = fc.oneof(fc.constantFrom('valid' as const, 'same' as const), fc.nat(8));
  fc.assert(
    fc.property(size, size, size, padding, (height, kernelSize, stride, drawn) => {
      fc.pre(drawn === 'same' || kernelSize <= height);
      fc.pre(typeof drawn !== 'number' || drawn < kernelSize);
      const { window, places } = windowOver('it', input([1, height, 1]), {
        kernelSize: [kernelSize, 1],
        stride: [stride, 1],
        padding: typeof drawn === 'number' ? [drawn, 0] : drawn,
      });
      const { top, bottom } = window.padding;
      const starts: number[] = [];
      for (let start = -top; start + kernelSize <= height + bottom; start += stride) starts.push(start);
      return (
        places[0] === starts.length &&
        (drawn !== 'same' || places[0] === Math.ceil(height / stride)) &&
        starts.every((start) => start < height && start + kernelSize > 0)
      );
    }),
  );
});

test('a window that cannot lie on the image is refused, naming its layer', async (t) => {
  const mistakes: readonly [WindowOptions, RegExp][] = [
    [{ kernelSize: 7 }, /^conv9: a 7×7 window does not fit into its input \[3, 8, 6\]$/],
    [{ kernelSize: [13, 1], padding: [2, 0] }, /^conv9: a 13×1 window .* even with its padding$/],
    [{ kernelSize: 2, padding: 2 }, /^conv9: a padding of 2 is no less than the kernel of 2/],
    [{ kernelSize: 2, padding: -1 }, /^conv9: padding .* not -1/],
    [{ kernelSize: 2, padding: 0.5 }, /^conv9: padding .* not 0.5/],
    [{ kernelSize: 2, stride: 0 }, /^conv9: stride .* not 0/],
    [{ kernelSize: [1, Number.NaN] }, /^conv9: kernelSize .* not NaN/],
  ];
  for (const [options, message] of mistakes) {
    t.throws(() => windowOver('conv9', image, options), { name: NetworkError.name, code: 'E_SHAPE', message });
  }
});

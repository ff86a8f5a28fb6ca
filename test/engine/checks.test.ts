/** Sizes that would run over 32-bit numbers, and data sets that are not what they say, never reach the kernels. */
import { test } from 'tap';
import { everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import { resize } from '../../sdk/dataset/transforms.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { dense, flatten, input } from '../../sdk/nn/layers.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { network } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';

const pixel = { images: new Uint8Array(4), labels: [0, 1, 0, 1], height: 1, width: 1, classes: 2 };
const settings = { loss: softmaxCrossEntropy(), optimizer: sgd() };

for (const engine of [nativeEngine({ threads: 2 }), referenceEngine()]) {
  test(`${engine.name}: a network or batch of absurd size is refused`, async (t) => {
    const huge = fromArrays({ ...pixel, transforms: [resize(65_536, 65_536)] });
    const pooled = maxPool2d(input([1, 65_536, 65_536]), { kernelSize: 65_536 });
    const absurd = network('absurd', dense(flatten(pooled), { name: 'fc', outFeatures: 2 }));
    t.throws(() => engine.compile(absurd, { ...settings, batchSize: 1, input: huge.plan }), { code: 'E_SIZE' });
    const small = network('small', dense(flatten(input([1, 1, 1])), { name: 'fc', outFeatures: 2 }));
    const { plan } = fromArrays(pixel);
    for (const batchSize of [0, 1.5, 2 ** 31 - 1, 2 ** 32, Number.NaN]) {
      t.throws(
        () => engine.compile(small, { ...settings, batchSize, input: plan }),
        { code: 'E_BATCH_SIZE' },
        `${batchSize}`,
      );
    }
  });

  test(`${engine.name}: windows that run over 32-bit numbers are refused, whatever comes out of them`, async (t) => {
    const { plan } = fromArrays(pixel);
    for (const options of [
      { kernelSize: 2 ** 32 + 3, stride: 1, padding: 'same' },
      { kernelSize: [1, 2 ** 31], padding: [0, 2 ** 31 - 1], stride: 2 ** 31 },
      { kernelSize: 1, stride: 2 ** 32 },
    ] as const) {
      const wide = network('wide', flatten(maxPool2d(input([1, 1, 1]), options)));
      t.throws(() => engine.compile(wide, { ...settings, batchSize: 1, input: plan }), { code: 'E_SIZE' });
    }
  });

  test(`${engine.name}: a data set that says it is larger than it is is refused`, async (t) => {
    const data = fromArrays(pixel);
    const small = network('small', dense(flatten(input([1, 1, 1])), { name: 'fc', outFeatures: 2 }));
    const program = engine.compile(small, { ...settings, batchSize: 2, input: data.plan });
    await t.rejects(program.predict({ ...data, size: 1e9 }, Int32Array.of(900_000_000)), { code: 'E_COUNT' });
    await t.rejects(program.evaluate({ ...data, labels: new Int32Array(1) }, everySample(data)), { code: 'E_COUNT' });
    program.close();
  });
}

test('images without rows or columns are refused', async (t) => {
  for (const [height, width] of [
    [0, 28],
    [28, 0],
    [0, 4_294_967_295],
  ]) {
    t.throws(() => fromArrays({ ...pixel, images: new Uint8Array(), height, width }), { code: 'E_SHAPE' });
  }
});

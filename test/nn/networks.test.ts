import { test } from 'tap';
import { fromArrays } from '../../sdk/dataset/dataset.js';
import { buildNetwork, NETWORK_NAMES } from '../../sdk/nn/networks.js';

test('every network is built by its name, for ten classes of grey images', async (t) => {
  const built = NETWORK_NAMES.map((name) => buildNetwork(name).network);
  t.same(
    built.map(({ parameterCount, inputShape, outputShape }) => ({ parameterCount, inputShape, outputShape })),
    [
      { parameterCount: 61_706, inputShape: [1, 32, 32], outputShape: [10] },
      { parameterCount: 266_610, inputShape: [1, 28, 28], outputShape: [10] },
      { parameterCount: 431_080, inputShape: [1, 28, 28], outputShape: [10] },
      { parameterCount: 484_714, inputShape: [1, 28, 28], outputShape: [10] },
    ],
  );
});

test('its transforms make of any image what it reads', async (t) => {
  const expected = {
    lenet5: 1 / (255 * 0.3081),
    'lenet300-100': 1 / 256,
    'lenet5-caffe': 1 / 256,
    'lenet-keras': 1 / 255,
  };
  for (const name of NETWORK_NAMES) {
    for (const size of [{}, { height: 20, width: 24 }]) {
      const { network, transforms } = buildNetwork(name, size);
      const images = { images: new Uint8Array(35), labels: [0], height: 5, width: 7, classes: 10 };
      const { plan } = fromArrays({ ...images, transforms });
      t.same([1, plan.height, plan.width], network.inputShape, name);
      t.ok(Math.abs(plan.scale[0] / expected[name] - 1) < 1e-6, `${name}: bytes times ${plan.scale[0]}`);
    }
  }
});

test('an option that is undefined is one left out', async (t) => {
  const { network } = buildNetwork('lenet5', { classes: 7, channels: 3, height: undefined, width: undefined });
  t.same([network.inputShape, network.outputShape], [[3, 32, 32], [7]]);
});

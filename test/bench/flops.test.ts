import { test } from 'tap';
import { trainingFlops } from '../../bench/flops.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { network } from '../../sdk/nn/network.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';

test('LeNet-5 takes 2 263 920 operations per training image, 135.8 GFLOP per epoch of MNIST', async (t) => {
  const conv1 = 2 * (5 * 5 * 1) * 6 * (28 * 28); // 235 200
  const conv2 = 2 * (5 * 5 * 6) * 16 * (10 * 10); // 480 000
  const fc1 = 2 * (16 * 5 * 5) * 120; // 96 000
  const fc2 = 2 * 120 * 84; // 20 160
  const fc3 = 2 * 84 * 10; // 1 680
  // Nothing before conv1 learns, so that its input needs no gradient.
  const perImage = 2 * conv1 + 3 * (conv2 + fc1 + fc2 + fc3);
  t.equal(perImage, 2_263_920);
  t.equal(trainingFlops(LeNet5()), perImage);
  t.equal(Math.round((60_000 * perImage) / 1e8) / 10, 135.8);
});

test('layers without weights cost nothing and hand on whether something before them learns', async (t) => {
  const image = relu(maxPool2d(input([1, 4, 4]), { kernelSize: 2 }));
  const first = conv2d(image, { name: 'conv', outChannels: 3, kernelSize: 2 }); // 1×1 positions, 12 weights
  const second = dense(flatten(relu(first)), { name: 'fc', outFeatures: 2 }); // 6 weights
  t.equal(trainingFlops(network('small', second)), 2 * (2 * 12) + 3 * (2 * 6));
});

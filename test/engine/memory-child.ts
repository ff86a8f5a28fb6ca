/** Trains a network with batch normalisation in a batch that memory is too small for, then in one that it is not. */
import { fromArrays } from '../../sdk/dataset/dataset.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { batchNorm, flatten, input } from '../../sdk/nn/layers.js';
import { network } from '../../sdk/nn/network.js';
import { globalAvgPool2d } from '../../sdk/nn/pooling.js';
import { Model } from '../../sdk/train/model.js';

const samples = 100_000;
const wide = conv2d(input([1, 8, 8]), { name: 'conv1', outChannels: 64, kernelSize: 3, padding: 'same' });
const model = new Model({
  network: network('wide', flatten(globalAvgPool2d(batchNorm(wide, { name: 'bn1' })))),
  engine: nativeEngine({ threads: 2 }),
});
const size = { height: 8, width: 8, classes: 64 };
const data = fromArrays({ images: new Uint8Array(samples * 64), labels: new Uint8Array(samples), ...size });
const few = fromArrays({ images: new Uint8Array(32 * 64), labels: new Uint8Array(32), ...size });
try {
  await model.train(data, { epochs: 1, batchSize: samples });
} catch (error) {
  console.log(error instanceof Error ? error.message : error);
}
const [{ loss }] = await model.train(few, { epochs: 1, batchSize: 32 });
console.log(`then ${loss > 0}`);

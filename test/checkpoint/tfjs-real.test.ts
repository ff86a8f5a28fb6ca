/** TensorFlow.js itself loads what we write, and we read what it saves; both predict the same. */
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { seededRandom } from '../../sdk/base/random.js';
import { type Float32Tensor } from '../../sdk/checkpoint/tensor-file.js';
import { readTfjs, writeTfjs } from '../../sdk/checkpoint/tfjs.js';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { batchNorm, dense, dropout, flatten, input, relu, softmax } from '../../sdk/nn/layers.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { buildNetwork, NETWORK_NAMES } from '../../sdk/nn/networks.js';
import { avgPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import { relativeDifference } from '../engine/closeness.js';
import { arbitraryCase } from '../engine/random-network.js';
import { asFile, asInput, drawImages, drawParameters, everyLayer, predictions } from './networks.js';
import { loadModel, loadTensorFlow, saveModel, type TensorFlow, type TfModel } from './tensorflow.js';

const tf = loadTensorFlow();
const skip = tf ? false : 'TensorFlow.js is not installed; MINDTS_TEST_TFJS may name a folder where it is';

test('TensorFlow.js predicts as we do with the networks that have names', { skip }, async (t) => {
  for (const name of NETWORK_NAMES) {
    const { network: net } = buildNetwork(name);
    const difference = await compareWritten(net, { folder: t.testdir(), count: 8, seed: 3 });
    t.ok(difference < 1e-5, `${name}: ${difference}`);
  }
});

test('TensorFlow.js predicts as we do with every kind of layer, in random networks', { skip }, async (t) => {
  const drawn = fc.sample(arbitraryCase(), { numRuns: 120, seed: 7 }).map((found) => found.network);
  const faults: unknown[] = [];
  for (const [seed, net] of [everyLayer(), ...drawn].entries()) {
    const difference = await compareWritten(net, { folder: t.testdir(), count: 3, seed });
    if (!(difference < 1e-5)) faults.push({ seed, difference, layers: net.nodes.map(({ layer }) => layer) });
  }
  t.same(faults, []);
});

test("we predict as TensorFlow.js does with a model of its own, whose dense layers read Keras's flattened images", {
  skip,
}, async (t) => {
  if (!tf) return;
  for (const build of [kerasLeNet, withBatchNorm]) {
    const { model, net } = build(tf);
    const random = seededRandom(5, 'weights');
    // Positive, so that a moving variance may be any of them.
    const weights = model.getWeights().map(({ shape }) => {
      const size = shape.reduce((product, n) => product * n, 1);
      const scale = shape.length === 1 ? 1 : 3 / Math.sqrt(size / (shape.at(-1) ?? 1));
      const offset = shape.length === 1 ? 0.5 : -0.5;
      return tf.tensor(
        Float32Array.from({ length: size }, () => scale * (random.uniform() + offset)),
        shape,
      );
    });
    model.setWeights(weights);
    const path = join(t.testdir(), 'model.json');
    await saveModel(model, path);
    const { tensors } = await readTfjs(path);
    t.same([...tensors.keys()].toSorted(), net.parameters.map(({ name }) => name).toSorted());
    const difference = await compare(model, { net, parameters: floatsOf(tensors), count: 8, seed: 9 });
    t.ok(difference < 1e-5, `${net.name}: ${difference}`);
    model.dispose();
  }
});

interface Samples {
  readonly count: number;
  readonly seed: number;
}

/** How far TensorFlow.js is from us with what we write, as a share of the largest output. */
async function compareWritten(
  net: Network,
  { folder, ...samples }: Samples & { readonly folder: string },
): Promise<number> {
  if (!tf) return Number.NaN;
  const parameters = drawParameters(net, samples.seed);
  const path = join(folder, 'model.json');
  await writeTfjs(path, asFile(parameters), net);
  const model = await loadModel(tf, path);
  const difference = await compare(model, { net, parameters, ...samples });
  model.dispose();
  return difference;
}

async function compare(
  model: TfModel,
  {
    net,
    parameters,
    count,
    seed,
  }: Samples & { readonly net: Network; readonly parameters: ReadonlyMap<string, Float32Tensor> },
): Promise<number> {
  if (!tf) return Number.NaN;
  const images = drawImages(net, count, seed);
  const [channels, ...places] = net.inputShape;
  const x = tf.tensor(asInput(images), [count, ...places, channels]);
  const theirs = model.predict(x);
  const difference = relativeDifference(theirs.dataSync(), await predictions(net, parameters, { images }));
  x.dispose();
  theirs.dispose();
  return difference;
}

function floatsOf(tensors: Awaited<ReturnType<typeof readTfjs>>['tensors']): Map<string, Float32Tensor> {
  const result = new Map<string, Float32Tensor>();
  for (const [name, { shape, data }] of tensors) if (data instanceof Float32Array) result.set(name, { shape, data });
  return result;
}

interface Pair {
  readonly model: TfModel;
  /** The same, of ours. */
  readonly net: Network;
}

/** Keras's MNIST example. */
function kerasLeNet({ layers, sequential }: TensorFlow): Pair {
  const model = sequential({
    layers: [
      layers['conv2d']({
        name: 'conv2d_1',
        filters: 6,
        kernelSize: 5,
        padding: 'same',
        activation: 'relu',
        inputShape: [12, 10, 2],
      }),
      layers['maxPooling2d']({ poolSize: 2 }),
      layers['conv2d']({ name: 'conv2d_2', filters: 5, kernelSize: [3, 2], activation: 'relu' }),
      layers['dropout']({ rate: 0.25 }),
      layers['flatten']({}),
      layers['dropout']({ rate: 0.25 }),
      layers['dense']({ name: 'dense_1', units: 16, activation: 'relu' }),
      layers['dense']({ name: 'dense_2', units: 10, activation: 'softmax', useBias: false }),
    ],
  });
  let x = input([2, 12, 10]);
  x = relu(conv2d(x, { name: 'conv2d_1', outChannels: 6, kernelSize: 5, padding: 'same' }));
  x = relu(conv2d(maxPool2d(x, { kernelSize: 2 }), { name: 'conv2d_2', outChannels: 5, kernelSize: [3, 2] }));
  x = relu(dense(flatten(dropout(x, { rate: 0.25 })), { name: 'dense_1', outFeatures: 16 }));
  return { model, net: network('keras', softmax(dense(x, { name: 'dense_2', outFeatures: 10, bias: false }))) };
}

/** A batch normalisation of the flattened image, and one without a γ. */
function withBatchNorm({ layers, sequential }: TensorFlow): Pair {
  const model = sequential({
    layers: [
      layers['zeroPadding2d']({
        padding: [
          [1, 1],
          [2, 2],
        ],
        inputShape: [6, 7, 3],
      }),
      layers['depthwiseConv2d']({ name: 'dw', kernelSize: 3, depthMultiplier: 2, strides: 2 }),
      layers['batchNormalization']({ name: 'bn_1', epsilon: 0.01, scale: false }),
      layers['averagePooling2d']({ poolSize: 3, strides: 1, padding: 'same' }),
      layers['flatten']({}),
      layers['batchNormalization']({ name: 'bn_2', epsilon: 0.02 }),
      layers['reLU']({}),
      layers['dense']({ name: 'head', units: 4 }),
    ],
  });
  let x = input([3, 6, 7]);
  x = depthwiseConv2d(x, { name: 'dw', kernelSize: 3, multiplier: 2, stride: 2, padding: [1, 2] });
  x = avgPool2d(batchNorm(x, { name: 'bn_1', epsilon: 0.01 }), { kernelSize: 3, stride: 1, padding: 'same' });
  x = relu(batchNorm(flatten(x), { name: 'bn_2', epsilon: 0.02 }));
  return { model, net: network('keras-bn', dense(x, { name: 'head', outFeatures: 4 })) };
}

/** Networks with parameters and images, and what we make of them: by this, files of other frameworks are judged. */
import { seededRandom } from '../../sdk/base/random.js';
import type { Float32Tensor, TensorFile } from '../../sdk/checkpoint/tensor-file.js';
import { everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import { rescale } from '../../sdk/dataset/transforms.js';
import type { Engine } from '../../sdk/engine/engine.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { add, batchNorm, concat, dense, dropout, flatten, input, relu, softmax } from '../../sdk/nn/layers.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { avgPool2d, globalAvgPool2d, globalMaxPool2d, maxPool2d } from '../../sdk/nn/pooling.js';
import type { Value } from '../../sdk/nn/value.js';

/** A network that has every kind of layer, pools whose padding Keras does not have, and layers that read flattened images. */
export function everyLayer(): Network {
  const conv = (x: Value, name: string, kernelSize: number): Value => conv2d(x, { name, outChannels: 8, kernelSize });
  const first = conv2d(input([2, 11, 9]), { name: 'conv1', outChannels: 4, kernelSize: [3, 4], padding: [1, 2] });
  const stem = relu(batchNorm(first, { name: 'bn1' }));
  const half = { kernelSize: 3, stride: 2 } as const;
  const deep = depthwiseConv2d(stem, { name: 'dw1', ...half, multiplier: 2, padding: 'same', bias: false });
  const down = maxPool2d(conv(stem, 'conv2', 1), { ...half, padding: 1 });
  const mean = avgPool2d(dropout(add(deep, down), { rate: 0.3 }), { kernelSize: [3, 2], stride: [2, 1], padding: 1 });
  const flat = concat(flatten(concat(mean, relu(mean))), globalMaxPool2d(deep), globalAvgPool2d(stem));
  const shifted = batchNorm(flat, { name: 'bn2', epsilon: 0.01, momentum: 0.5 });
  const wide = dense(shifted, { name: 'fc1', outFeatures: 12 });
  const last = dense(add(wide, relu(wide), flatten(wide)), { name: 'fc2', outFeatures: 5, bias: false });
  return network('every-layer', softmax(last));
}

/** Parameters that keep values near their size from layer to layer; none is 0, no variance below ½. */
export function drawParameters(net: Network, seed: number): ReadonlyMap<string, Float32Tensor> {
  const random = seededRandom(seed, 'parameters');
  return new Map(
    net.parameters.map(({ name, shape, size }) => {
      const isAround1 = name.endsWith('.gamma');
      const sigma = shape.length === 1 ? 0.1 : Math.sqrt((2 * shape[0]) / size);
      const draw = (): number =>
        name.endsWith('.moving_variance') ? 0.5 + random.uniform() : Number(isAround1) + sigma * random.normal();
      return [name, { shape, data: Float32Array.from({ length: size }, draw) }];
    }),
  );
}

/** Parameters alone, as a file holds them. */
export function asFile(parameters: ReadonlyMap<string, Float32Tensor>): TensorFile {
  return { tensors: parameters, texts: new Map() };
}

/** Images of a network's input: `[count, rows, columns, channels]` bytes. */
export function drawImages({ inputShape }: Network, count: number, seed: number): Uint8Array {
  const random = seededRandom(seed, 'images');
  const size = inputShape.reduce((product, n) => product * n, 1);
  return Uint8Array.from({ length: count * size }, () => random.below(256));
}

/** Images as networks read them: bytes / 256, which no rounding changes. */
export function asInput(images: Uint8Array): Float32Array {
  return Float32Array.from(images, (byte) => byte / 256);
}

/** `[count, rows, columns, channels]` as `[count, channels, rows, columns]`. */
export function channelsFirst({ inputShape }: Network, images: Float32Array): Float32Array {
  const [channels, rows = 1, columns = 1] = inputShape;
  const places = inputShape.length === 3 ? rows * columns : channels;
  const depth = inputShape.length === 3 ? channels : 1;
  const size = places * depth;
  return Float32Array.from(images, (_, i) => {
    const inImage = i % size;
    return images[i - inImage + (inImage % places) * depth + Math.floor(inImage / places)];
  });
}

/** What the network makes of images, by an engine of ours: `[count, outputs]`. */
export async function predictions(
  net: Network,
  parameters: ReadonlyMap<string, Float32Tensor>,
  { images, engine = referenceEngine() }: { readonly images: Uint8Array; readonly engine?: Engine },
): Promise<Float32Array> {
  const [channels, height, width] = net.inputShape.length === 3 ? net.inputShape : [1, 1, net.inputShape[0]];
  const labels = new Int32Array(images.length / (channels * height * width));
  const [classes] = net.outputShape;
  const data = fromArrays({ images, labels, height, width, channels, classes, transforms: [rescale(1 / 256)] });
  const program = engine.compile(net, {
    loss: softmaxCrossEntropy(),
    optimizer: sgd({ learningRate: 0.1 }),
    batchSize: Math.min(64, labels.length),
    input: data.plan,
  });
  const flat = Float32Array.from(net.parameters.flatMap(({ name }) => [...(parameters.get(name)?.data ?? [])]));
  program.load({ parameters: flat, slots: [], step: 0 });
  const outputs = await program.predict(data, everySample(data));
  program.close();
  return outputs;
}

/** The place of the largest number of each row. */
export function classesOf(outputs: ArrayLike<number>, columns: number): number[] {
  return Array.from({ length: outputs.length / columns }, (_, row) => {
    const values = Array.from({ length: columns }, (__, i) => outputs[row * columns + i]);
    return values.indexOf(Math.max(...values));
  });
}

/** Small random networks with data to train them on: what every engine must compute alike. */
import * as fc from 'fast-check';
import { type Random, seededRandom } from '../../sdk/base/random.js';
import { type Dataset, fromArrays } from '../../sdk/dataset/dataset.js';
import { normalize, rescale, resize, type Transform } from '../../sdk/dataset/transforms.js';
import { dense, flatten, input } from '../../sdk/nn/layers.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { adam, type Optimizer, sgd } from '../../sdk/nn/optimizers.js';
import type { Value } from '../../sdk/nn/value.js';
import { type Append, imageLayer, vectorLayer } from './random-layers.js';

/** A network, and all that a program needs to train it. */
export interface Case {
  readonly network: Network;
  /** Its `plan` is the input plan to compile with. */
  readonly data: Dataset;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
  /** The network's parameters; unlike a new network's, none is 0 or 1. */
  readonly parameters: Float32Array;
  /** Drew the images, labels and parameters; draw more of it if more is needed. */
  readonly seed: number;
}

/**
 * Any small network: any layers on images, each reading any before it, then any on vectors; 1 to 9 channels, images of 1 to 13 rows and
 * columns, 1 to 20 samples, batches of 1 to 8.
 */
export function arbitraryCase(): fc.Arbitrary<Case> {
  return fc
    .record({
      seed: fc.nat(),
      channels: fc.integer({ min: 1, max: 9 }),
      stored: imageSize,
      resized: fc.option(imageSize),
      means: fc.boolean(),
      vector: fc.integer({ min: 0, max: 5 }).map((n) => n === 5),
      imageLayers: fc.array(imageLayer, { maxLength: 7 }),
      vectorLayers: fc.array(vectorLayer, { maxLength: 4 }),
      classes: fc.option(fc.integer({ min: 1, max: 10 }), { freq: 4 }),
      samples: fc.integer({ min: 1, max: 20 }),
      batchSize: fc.integer({ min: 1, max: 8 }),
      optimizer: arbitraryOptimizer(),
    })
    .map(toCase);
}

/**
 * Either optimizer with any settings, but such that engines whose rounding differs stay together. Learning rates are
 * small, lest a difference grow from step to step; Adam's epsilon is large, lest a gradient that is 0 but for rounding
 * move its parameter as far as any other.
 */
export function arbitraryOptimizer(): fc.Arbitrary<Optimizer> {
  const learningRate = fc.constantFrom(0.0003, 0.001, 0.003);
  const weightDecay = fc.constantFrom(0, 0.01);
  return fc.oneof(
    fc.record({ learningRate, weightDecay }).map(sgd),
    fc.record({ learningRate, weightDecay, momentum: fc.constantFrom(0.5, 0.9), nesterov: fc.boolean() }).map(sgd),
    fc.record({ learningRate, weightDecay, epsilon: fc.constantFrom(0.001, 0.01) }).map(adam),
  );
}

const imageSize = fc.tuple(fc.integer({ min: 1, max: 13 }), fc.integer({ min: 1, max: 13 }));

interface Recipe {
  readonly seed: number;
  readonly channels: number;
  readonly stored: readonly [number, number];
  readonly resized: readonly [number, number] | null;
  readonly means: boolean;
  /** Whether the network reads the images as vectors. */
  readonly vector: boolean;
  readonly imageLayers: readonly Append[];
  readonly vectorLayers: readonly Append[];
  /** Outputs of a last dense layer; null: the network ends before it. */
  readonly classes: number | null;
  readonly samples: number;
  readonly batchSize: number;
  readonly optimizer: Optimizer;
}

function toCase(recipe: Recipe): Case {
  const { seed, optimizer } = recipe;
  const random = seededRandom(seed, 'case');
  // Resizing makes pixels that are equal but for rounding; unmixed, as outputs, they would leave the prediction to chance.
  const kept = recipe.classes === null ? { ...recipe, resized: null } : recipe;
  const net = build(kept);
  // Over one or two samples, or the same one again and again, batch normalisation leaves little but rounding.
  const least = net.nodes.some(({ layer }) => layer.kind === 'batchNorm') ? 4 : 1;
  const data = drawData({ ...kept, samples: Math.max(recipe.samples, least) }, net.outputShape[0], random);
  const batchSize = Math.max(recipe.batchSize, least);
  const drawn = { network: net, data, batchSize, optimizer, parameters: drawParameters(net, random), seed };
  return Object.defineProperty(drawn, fc.toStringMethod, { value: () => show(drawn) });
}

function build({ channels, stored, resized, vector, imageLayers, vectorLayers, classes }: Recipe): Network {
  const [rows, columns] = resized ?? stored;
  let x = input(vector ? [channels * rows * columns] : [channels, rows, columns]);
  if (!vector) x = flatten(append(x, 'image', imageLayers));
  x = append(x, 'vector', vectorLayers);
  return network('random', classes === null ? x : dense(x, { name: 'head', outFeatures: classes }));
}

function append(start: Value, name: string, layers: readonly Append[]): Value {
  const values = [start];
  for (const [i, layer] of layers.entries()) values.push(layer(values, `${name}${i}`));
  return values[values.length - 1];
}

function drawData({ channels, stored, resized, means, samples }: Recipe, classes: number, random: Random): Dataset {
  const [height, width] = stored;
  const transforms: Transform[] = resized ? [resize(...resized)] : [];
  transforms.push(rescale(1 / 255));
  if (means) {
    const perChannel = Array.from({ length: channels }, () => random.uniform());
    transforms.push(normalize(perChannel, 0.4));
  }
  const images = Uint8Array.from({ length: samples * height * width * channels }, () => random.below(256));
  const labels = Int32Array.from({ length: samples }, () => random.below(classes));
  return fromArrays({ images, labels, height, width, channels, classes, transforms });
}

/** Weights N(0, 2 / fanIn), so that values keep their size from layer to layer; γ and moving variances around 1, all else around 0. */
function drawParameters(net: Network, random: Random): Float32Array {
  const values = net.parameters.flatMap(({ name, shape, size }) => {
    const sigma = shape.length === 1 ? 0.1 : Math.sqrt((2 * shape[0]) / size);
    const deviations = Array.from({ length: size }, () => sigma * random.normal());
    if (name.endsWith('.gamma')) return deviations.map((d) => 1 + d);
    return name.endsWith('.moving_variance') ? deviations.map(Math.exp) : deviations;
  });
  return Float32Array.from(values);
}

function show({ network: { nodes }, data, batchSize, optimizer, seed }: Case): string {
  const layers = nodes.map(({ name, layer, shape }) => `${name} ${JSON.stringify(layer)} → [${shape.join(', ')}]`);
  const rest = { size: data.size, batchSize, optimizer, seed, plan: data.plan };
  return [...layers, JSON.stringify(rest)].join('\n');
}

/** A small data set and a network that has learnt it, to be pruned. */
import { makeDigits } from '../../datasets/digits.js';
import { type Dataset, fromArrays } from '../../sdk/dataset/dataset.js';
import { rescale, resize } from '../../sdk/dataset/transforms.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { type Network, network } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { type PruneChoices, type PruneSettings, settingsFor } from '../../sdk/pruning/settings.js';
import { Model } from '../../sdk/train/model.js';

/** 49 inputs, 16 and 10 units. */
export function smallNetwork(): Network {
  const x = relu(dense(flatten(input([1, 7, 7])), { name: 'fc1', outFeatures: 16 }));
  return network('small', dense(x, { name: 'fc2', outFeatures: 10 }));
}

/** Digits of 7×7. */
export function smallDigits(count = 400): Dataset {
  const { train } = makeDigits({ train: count, test: 0 });
  const transforms = [resize(7, 7), rescale(1 / 255)];
  return fromArrays({ ...train, height: 28, width: 28, classes: 10, transforms });
}

/** A network, its data, and what it has learnt of it. */
export async function trained(): Promise<{
  readonly network: Network;
  readonly data: Dataset;
  readonly parameters: Float32Array;
}> {
  const [net, data] = [smallNetwork(), smallDigits()];
  const optimizer = sgd({ learningRate: 0.1, momentum: 0.9 });
  const model = new Model({ network: net, engine: referenceEngine(), optimizer, seed: 1 });
  await model.train(data, { epochs: 8, batchSize: 20 });
  return { network: net, data, parameters: model.state.parameters };
}

/** Settings of a run of a moment. */
export function quickSettings(choices: PruneChoices = {}): Promise<PruneSettings> {
  return settingsFor('small', {
    iterations: 60,
    prune_stop: 40,
    search_every: 10,
    search_budget: 30,
    search_images: 40,
    target_ratio: 4,
    batch_size: 20,
    validation: 0.2,
    ...choices,
  });
}

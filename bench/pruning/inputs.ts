/**
 * What pruning is measured on: MNIST and the published networks, or, where they are not here, the built-in digits and networks that have
 * just learnt them. All lies in one folder under short names, so that commands which run there say nothing of this machine.
 */
import { existsSync } from 'node:fs';
import { rm, symlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { log } from '../../sdk/base/log.js';
import { packageRoot } from '../../sdk/base/package.js';
import { loadCheckpoint, saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import type { Dataset } from '../../sdk/dataset/dataset.js';
import { mnist } from '../../sdk/dataset/mnist.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import type { Network } from '../../sdk/nn/network.js';
import { buildNetwork } from '../../sdk/nn/networks.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { prepareData } from '../../sdk/platform/prepare.js';
import { Model } from '../../sdk/train/model.js';

/** The networks with published parameters. */
export type PrunedNetwork = keyof typeof PUBLISHED;

/** See the head of this file. */
export interface Inputs {
  /** Where commands run. */
  readonly folder: string;
  /** Whether it is all there: MNIST, and the published networks. Else targets that speak of them are not judged. */
  readonly isPublished: boolean;
  /** The data's name in the folder. */
  readonly zip: string;
  /** A trained network's file's name in the folder; where it was not published, it is trained now. */
  checkpointOf(name: PrunedNetwork): Promise<string>;
}

/** A trained network and the images that it is pruned with. */
export interface Trained {
  readonly network: Network;
  readonly data: Dataset;
  readonly parameters: Float32Array;
}

/**
 * Looks for the files.
 *
 * @param folder where to work
 * @param from a folder with `MNISTData.zip` and caffemodels; `../shared/data` beside the package where none is said
 */
export async function findInputs(folder: string, from?: string): Promise<Inputs> {
  const source = from === undefined ? join(packageRoot, '..', 'shared', 'data') : resolve(from);
  const link = async (name: string): Promise<boolean> => {
    if (!existsSync(join(source, name))) return false;
    await symlink(join(source, name), join(folder, name));
    return true;
  };
  const hasMnist = await link(ZIP);
  const published = new Set<string>();
  for (const name of Object.values(PUBLISHED)) if (hasMnist && (await link(name))) published.add(name);
  const isPublished = hasMnist && published.size === Object.keys(PUBLISHED).length;
  const where = '(--data_folder names a folder with them)';
  if (!hasMnist)
    log.warn(`no MNIST here ${where}: measuring with the built-in digits; targets that speak of MNIST are not judged`);
  else if (!isPublished)
    log.warn(`not all published networks are here ${where}: targets that speak of them are not judged`);
  const zip = hasMnist ? ZIP : await drawDigits(folder);
  return {
    folder,
    isPublished,
    zip,
    async checkpointOf(name) {
      if (published.has(PUBLISHED[name])) return PUBLISHED[name];
      return learn(name, folder, zip);
    },
  };
}

/** A network with its parameters, and the training images as it takes them. */
export async function loadTrained(name: PrunedNetwork, inputs: Inputs): Promise<Trained> {
  const path = join(inputs.folder, await inputs.checkpointOf(name));
  const { network, transforms } = buildNetwork(name);
  const data = await mnist(await prepareData(join(inputs.folder, inputs.zip)), { split: 'train', transforms });
  const model = new Model({ network, engine: nativeEngine({ threads: 1 }) });
  model.load(await loadCheckpoint(path), { source: path });
  return { network, data, parameters: model.state.parameters };
}

const ZIP = 'MNISTData.zip';
const PUBLISHED = {
  'lenet300-100': 'lenet300100_iter_10000.caffemodel',
  'lenet5-caffe': 'lenet5_original.caffemodel',
} as const;

async function drawDigits(folder: string): Promise<string> {
  const drawn = join(folder, 'digits');
  await writeDigits(drawn);
  await makeZip(drawn, join(folder, 'digits.zip'));
  await rm(drawn, { recursive: true });
  return 'digits.zip';
}

/** Trains a network for some epochs, once. */
async function learn(name: PrunedNetwork, folder: string, zip: string): Promise<string> {
  const file = `${name}.ckpt`;
  const path = join(folder, file);
  if (existsSync(path)) return file;
  const { network, transforms } = buildNetwork(name);
  const data = await mnist(await prepareData(join(folder, zip)), { split: 'train', transforms });
  const optimizer = sgd({ learningRate: 0.05, momentum: 0.9 });
  const model = new Model({ network, optimizer, engine: nativeEngine({ threads: 2 }), seed: 1 });
  await model.train(data, { epochs: 5, batchSize: 32 });
  await saveCheckpoint(path, model.checkpoint());
  return file;
}

/** Training steps beside real PyTorch, where `python3` or `/usr/bin/python3` has it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { makeDigits } from '../../datasets/digits.js';
import { packageRoot } from '../../sdk/base/package.js';
import { seededRandom } from '../../sdk/base/random.js';
import { type Dataset, everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import { mnistTransforms } from '../../sdk/dataset/mnist.js';
import { rescale } from '../../sdk/dataset/transforms.js';
import type { Engine } from '../../sdk/engine/engine.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { conv2d, depthwiseConv2d } from '../../sdk/nn/convolution.js';
import { add, batchNorm, concat, dense, flatten, input, relu } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters, type Network, network } from '../../sdk/nn/network.js';
import { adam, type Optimizer, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { avgPool2d } from '../../sdk/nn/pooling.js';
import { relativeDifference } from '../engine/closeness.js';

const python = [process.env['MINDTS_TEST_PYTHON'] ?? 'python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import torch']).status === 0,
);
const skip = python ? false : 'no PyTorch here';

const plans = [
  {
    optimizer: sgd({ learningRate: 0.05, momentum: 0.9, nesterov: true, weightDecay: 1e-3 }),
    plan: { kind: 'sgd', settings: { lr: 0.05, momentum: 0.9, nesterov: true, weight_decay: 1e-3 } },
  },
  { optimizer: sgd({ learningRate: 0.1 }), plan: { kind: 'sgd', settings: { lr: 0.1 } } },
  // A tiny ε, since PyTorch adds it elsewhere in the formula.
  {
    optimizer: adam({ learningRate: 0.001, epsilon: 1e-12 }),
    plan: { kind: 'adam', settings: { lr: 0.001, eps: 1e-12 } },
  },
];

test('both engines take the steps of LeNet-5 that PyTorch takes', { skip }, async (t) => {
  const { train } = makeDigits({ seed: 4, train: 150, test: 0 });
  const data = fromArrays({ ...train, height: 28, width: 28, classes: 10, transforms: mnistTransforms() });
  const job = { network: LeNet5({ sigma: 0.1 }), data, batchSize: 32 };
  for (const { optimizer, plan } of plans) {
    const theirs = inTorch('torch_lenet_steps.py', t.testdir(), { ...job, plan });
    for (const engine of [nativeEngine({ threads: 2 }), referenceEngine()]) {
      const { trained } = await inEngine(engine, { ...job, optimizer });
      const { by, name } = furthest(job.network, trained, theirs('trained'));
      t.ok(by < 1e-3, `${engine.name}, ${plan.kind}: ${name} differs by ${by}`);
    }
  }
});

test('both engines take the steps of a network with branches and batch normalisation that PyTorch takes', {
  skip,
}, async (t) => {
  const random = seededRandom(1, 'torch');
  const images = Uint8Array.from({ length: 60 * 12 * 12 * 3 }, () => random.below(256));
  const labels = Int32Array.from({ length: 60 }, () => random.below(5));
  const transforms = [rescale(1 / 255)];
  const data = fromArrays({ images, labels, height: 12, width: 12, channels: 3, classes: 5, transforms });
  const job = { network: branches(), data, batchSize: 16 };
  for (const { optimizer, plan } of plans) {
    const theirs = inTorch('torch_graph_steps.py', t.testdir(), { ...job, plan });
    // The reference computes in float64, as PyTorch does here.
    for (const engine of [nativeEngine({ threads: 2 }), referenceEngine({ precision: 'float64' })]) {
      const { trained, predicted } = await inEngine(engine, { ...job, optimizer });
      const { by, name } = furthest(job.network, trained, theirs('trained'));
      t.ok(by < 1e-5, `${engine.name}, ${plan.kind}: ${name} differs by ${by}`);
      const apart = relativeDifference(predicted, theirs('predicted'));
      t.ok(apart < 1e-5, `${engine.name}, ${plan.kind}: the trained network's predictions differ by ${apart}`);
    }
  }
});

/** The network that torch_graph_steps.py writes down in PyTorch. */
function branches(): Network {
  const norm = (name: string): { name: string; epsilon: number; momentum: number } => {
    return { name, epsilon: 1e-3, momentum: 0.8 };
  };
  const x = input([3, 12, 12]);
  const first = conv2d(x, { name: 'conv1', outChannels: 8, kernelSize: 3, stride: 2, padding: 1, bias: false });
  const trunk = relu(batchNorm(first, norm('norm1')));
  const second = depthwiseConv2d(trunk, { name: 'conv2', kernelSize: 3, padding: 'same', multiplier: 2, bias: false });
  const branch = relu(batchNorm(second, norm('norm2')));
  const sum = add(trunk, conv2d(branch, { name: 'conv3', outChannels: 8, kernelSize: 1 }));
  const pooled = avgPool2d(concat(sum, trunk), { kernelSize: 3, stride: 2, padding: 1 });
  return network('branches', dense(flatten(pooled), { name: 'fc', outFeatures: 5 }));
}

interface Job {
  readonly network: Network;
  readonly data: Dataset;
  readonly batchSize: number;
}

/** Runs a script of this folder; gives what it wrote. */
function inTorch(
  script: string,
  folder: string,
  { network: net, data, batchSize, plan }: Job & { readonly plan: object },
): (name: string) => Float32Array {
  const at = (name: string): string => join(folder, `${name}.bin`);
  writeFileSync(at('parameters'), Buffer.from(initialParameters(net, 1).buffer));
  writeFileSync(at('images'), data.images);
  writeFileSync(at('labels'), Buffer.from(data.labels.buffer));
  writeFileSync(join(folder, 'plan.json'), JSON.stringify({ ...plan, batch: batchSize }));
  execFileSync(python ?? '', [join(packageRoot, 'test', 'interop', script), folder]);
  return (name) => new Float32Array(new Uint8Array(readFileSync(at(name))).buffer);
}

async function inEngine(
  engine: Engine,
  { network: net, data, batchSize, optimizer }: Job & { readonly optimizer: Optimizer },
): Promise<{ trained: Float32Array; predicted: Float32Array }> {
  const program = engine.compile(net, { loss: softmaxCrossEntropy(), optimizer, batchSize, input: data.plan });
  const parameters = initialParameters(net, 1);
  program.load({ parameters, slots: slotNames(optimizer).map(() => new Float32Array(parameters.length)), step: 0 });
  await program.train(data, everySample(data), { learningRate: optimizer.learningRate });
  const { parameters: trained } = program.state();
  const predicted = await program.predict(data, everySample(data));
  program.close();
  return { trained, predicted };
}

/** The parameter that differs most, and by how much. */
function furthest(
  { parameters }: Network,
  actual: Float32Array,
  expected: Float32Array,
): { readonly name: string; readonly by: number } {
  const differences = parameters.map(({ name, offset, size }) => {
    const [a, e] = [actual, expected].map((all) => all.subarray(offset, offset + size));
    return { name, by: relativeDifference(a, e) };
  });
  return differences.reduce((worst, each) => (each.by > worst.by ? each : worst));
}

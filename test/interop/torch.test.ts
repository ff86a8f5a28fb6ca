/** Training steps beside real PyTorch, where `python3` or `/usr/bin/python3` has it. */
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { makeDigits } from '../../datasets/digits.js';
import { packageRoot } from '../../sdk/base/package.js';
import { everySample, fromArrays } from '../../sdk/dataset/dataset.js';
import { mnistTransforms } from '../../sdk/dataset/mnist.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters } from '../../sdk/nn/network.js';
import { adam, sgd, slotNames } from '../../sdk/nn/optimizers.js';
import { relativeDifference } from '../engine/closeness.js';

const python = [process.env['MINDTS_TEST_PYTHON'] ?? 'python3', '/usr/bin/python3'].find(
  (name) => spawnSync(name, ['-c', 'import torch']).status === 0,
);

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

test('both engines take the steps that PyTorch takes', { skip: python ? false : 'no PyTorch here' }, async (t) => {
  const { train } = makeDigits({ seed: 4, train: 150, test: 0 });
  const data = fromArrays({ ...train, height: 28, width: 28, classes: 10, transforms: mnistTransforms() });
  const network = LeNet5({ sigma: 0.1 });
  const parameters = initialParameters(network, 1);
  for (const { optimizer, plan } of plans) {
    const folder = t.testdir();
    writeFileSync(join(folder, 'parameters.bin'), Buffer.from(parameters.buffer));
    writeFileSync(join(folder, 'images.bin'), data.images);
    writeFileSync(join(folder, 'labels.bin'), Buffer.from(data.labels.buffer));
    writeFileSync(join(folder, 'plan.json'), JSON.stringify({ ...plan, batch: 32 }));
    execFileSync(python ?? '', [join(packageRoot, 'test', 'interop', 'torch_lenet_steps.py'), folder]);
    const bytes = readFileSync(join(folder, 'trained.bin'));
    const theirs = new Float32Array(new Uint8Array(bytes).buffer);
    for (const engine of [nativeEngine({ threads: 2 }), referenceEngine()]) {
      const program = engine.compile(network, {
        loss: softmaxCrossEntropy(),
        optimizer,
        batchSize: 32,
        input: data.plan,
      });
      const slots = slotNames(optimizer).map(() => new Float32Array(parameters.length));
      program.load({ parameters, slots, step: 0 });
      await program.train(data, everySample(data), { learningRate: optimizer.learningRate });
      for (const { name, offset, size } of network.parameters) {
        const part = (all: Float32Array): Float32Array => all.subarray(offset, offset + size);
        const difference = relativeDifference(part(program.state().parameters), part(theirs));
        t.ok(difference < 1e-3, `${engine.name}, ${plan.kind}: ${name} differs by ${difference}`);
      }
      program.close();
    }
  }
});

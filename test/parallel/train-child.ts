/** One rank that trains on digits: `train-child.ts '{"samples": 320, …}'`; prints a line for each step, and how it ended. */
import { createHash } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { conv2d } from '../../sdk/nn/convolution.js';
import { batchNorm, dense, dropout, flatten, input, relu } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { network } from '../../sdk/nn/network.js';
import { adam, sgd } from '../../sdk/nn/optimizers.js';
import { maxPool2d } from '../../sdk/nn/pooling.js';
import { joinRanks, leaveRanks } from '../../sdk/parallel/ranks.js';
import { Model } from '../../sdk/train/model.js';
import { smallDigits } from '../small-digits.js';

const {
  samples = 320,
  epochs = 1,
  batchSize = 16,
  kind = 'lenet',
  optimizer = 'sgd',
  threads = 1,
  seed = 1,
  slow = 0,
  interrupt = 0,
  lastEpoch = 0,
  dropRemainder = true,
} = JSON.parse(process.argv[2]);

function normalised(): ReturnType<typeof network> {
  const x = relu(batchNorm(conv2d(input([1, 32, 32]), { name: 'c', outChannels: 4, kernelSize: 5 }), { name: 'bn' }));
  const y = dropout(flatten(maxPool2d(x, { kernelSize: 2 })), { rate: 0.3 });
  return network('normalised', dense(y, { name: 'fc', outFeatures: 10 }));
}

function dropping(): ReturnType<typeof network> {
  const x = relu(conv2d(input([1, 32, 32]), { name: 'c', outChannels: 4, kernelSize: 5, stride: 2 }));
  return network('dropping', dense(dropout(flatten(x), { rate: 0.3 }), { name: 'fc', outFeatures: 10 }));
}

const networks = { lenet: LeNet5, normalised, dropping };
const { train, test } = smallDigits({ train: samples });
const controller = new AbortController();
try {
  const ranks = await joinRanks();
  const model = new Model({
    network: networks[kind as keyof typeof networks](),
    optimizer: optimizer === 'adam' ? adam({ learningRate: 0.001 }) : sgd({ learningRate: 0.05, momentum: 0.9 }),
    engine: nativeEngine({ threads }),
    seed: seed,
  });
  let sum = 0;
  const history = await model.train(train, {
    epochs,
    batchSize,
    dropRemainder,
    validation: test,
    signal: controller.signal,
    callbacks: [
      {
        name: 'Steps',
        everySteps: 1,
        async onPause(run) {
          const whole = run.loss * run.stepInEpoch;
          console.log(JSON.stringify({ step: run.step, loss: whole - (run.stepInEpoch === 1 ? 0 : sum) }));
          sum = whole;
          if (run.step === interrupt) controller.abort();
          if (slow > 0) await wait(slow);
        },
        onEpochEnd(run, { epoch }) {
          if (epoch === lastEpoch) run.stop('earlyStopping');
        },
      },
    ],
  });
  const { parameters } = model.state;
  const hash = createHash('sha256').update(new Uint8Array(parameters.buffer)).digest('hex');
  console.log(JSON.stringify({ rank: ranks.id, accuracy: history.at(-1)?.accuracy, hash }));
  leaveRanks();
} catch (error) {
  const { code, message } = Object(error);
  console.log(JSON.stringify({ code, message }));
  leaveRanks(message);
  process.exitCode = 1;
}

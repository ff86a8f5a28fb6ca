/** One of the ranks of bench/ranks, or the only one: `ranks-losses FOLDER BATCH`. Trains 200 steps; rank 0 prints the loss of each. */
import { mnist } from '../sdk/dataset/mnist.js';
import { nativeEngine } from '../sdk/engine/native/native.js';
import { LeNet5 } from '../sdk/nn/lenet.js';
import { joinRanks, leaveRanks } from '../sdk/parallel/ranks.js';
import { Model } from '../sdk/train/model.js';

const STEPS = 200;

const [folder, batch] = process.argv.slice(2);
const { id } = await joinRanks();
const data = await mnist(folder, { split: 'train' });
const model = new Model({ network: LeNet5(), engine: nativeEngine({ threads: 1 }) });
const losses: number[] = [];
let before = 0;
await model.train(data, {
  epochs: 1,
  batchSize: Number(batch),
  callbacks: [
    {
      name: 'Losses',
      everySteps: 1,
      onPause(run) {
        const sum = run.loss * run.stepInEpoch;
        losses.push(sum - before);
        before = sum;
        if (run.step === STEPS) run.stop('earlyStopping');
      },
    },
  ],
});
if (id === 0) process.stdout.write(JSON.stringify(losses));
leaveRanks();

/** One rank that prunes a network as it trains: `mask-child.ts '{"maskedStay": true}'`; prints its losses and hashes of what it ends with. */
import { createHash } from 'node:crypto';
import { epochOrder } from '../../sdk/dataset/dataset.js';
import { nativeEngine } from '../../sdk/engine/native/native.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { initialParameters } from '../../sdk/nn/network.js';
import { sgd } from '../../sdk/nn/optimizers.js';
import { joinRanks, leaveRanks } from '../../sdk/parallel/ranks.js';
import { fullMask, prunedLayers } from '../../sdk/pruning/pruned-layers.js';
import { boundsOf, snapshotOf } from '../../sdk/pruning/surgery.js';
import { smallDigits } from '../small-digits.js';

const { maskedStay } = JSON.parse(process.argv[2]);
const network = LeNet5();
const { train } = smallDigits({ train: 640 });
const { communicator: peers } = await joinRanks();
const optimizer = sgd({ learningRate: 0.05, momentum: 0.9, weightDecay: 5e-4 });
const options = { loss: softmaxCrossEntropy(), optimizer, batchSize: 32, input: train.plan, peers };
const program = nativeEngine({ threads: 1 }).compile(network, options);
const parameters = initialParameters(network, 1);
program.load({ parameters, slots: [new Float32Array(parameters.length)], step: 0 });

const layers = prunedLayers(network);
const { statistics } = snapshotOf(parameters, fullMask(parameters.length), layers);
const bounds = statistics.flatMap((each) => {
  const { prune, splice } = boundsOf(each, 1.2);
  return [prune, splice];
});
const result = await program.train(train, epochOrder(640, { seed: 1, epoch: 0 }), {
  learningRate: 0.05,
  maskedStay,
  surgery: {
    spans: Int32Array.from(layers.flatMap(({ offset, size }) => [offset, offset + size])),
    bounds: Float32Array.from(bounds),
    active: new Uint8Array(20 * layers.length).fill(1),
  },
});
const mask = program.masking?.get() ?? new Uint8Array();
const state = program.state();
const hash = (array: Uint8Array): string => createHash('sha256').update(array).digest('hex');
console.log(
  JSON.stringify({
    losses: [...result.losses],
    exchanged: result.exchangeSeconds > 0,
    kept: mask.reduce((sum, bit) => sum + bit, 0),
    mask: hash(mask),
    parameters: hash(new Uint8Array(state.parameters.buffer)),
  }),
);
program.close();
leaveRanks();

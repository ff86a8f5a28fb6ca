/** Writes a model over the one that is there, and says what became of it. */
import { MindtsError } from '../../sdk/base/errors.js';
import { writeTfjs } from '../../sdk/checkpoint/tfjs.js';
import { dense, input } from '../../sdk/nn/layers.js';
import { network } from '../../sdk/nn/network.js';
import { asFile, drawParameters } from './networks.js';

const net = network('small', dense(input([3]), { name: 'fc', outFeatures: 2 }));
try {
  await writeTfjs(process.argv[2], asFile(drawParameters(net, 2)), net);
  console.log('written');
} catch (error) {
  console.log(error instanceof MindtsError ? `${error.code}: ${error.message}` : error);
}

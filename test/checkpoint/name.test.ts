import { test } from 'tap';
import { compareCheckpoints, parseCheckpointName } from '../../sdk/checkpoint/name.js';
import { buildNetwork, NETWORK_NAMES } from '../../sdk/nn/networks.js';

test('the names of checkpoints of every network are taken apart, digits and hyphens in them or not', async (t) => {
  for (const name of NETWORK_NAMES) {
    const prefix = `checkpoint_${buildNetwork(name).network.name}`;
    for (const extension of ['ckpt', 'safetensors']) {
      t.same(parseCheckpointName(`${prefix}-1_1875.${extension}`), { prefix, epoch: 1, step: 1875 });
    }
  }
  t.same(parseCheckpointName('checkpoint_lenet300-100-1_1875.ckpt')?.prefix, 'checkpoint_lenet300-100');
  for (const file of ['checkpoint_lenet.ckpt', 'lenet-1.ckpt', '-1_2.ckpt', 'a-1_2.onnx', 'a-1_2.ckpt.partial']) {
    t.equal(parseCheckpointName(file), undefined, file);
  }
});

test('the oldest checkpoint is first: by epoch, then by step', async (t) => {
  const names = ['a-10_1.ckpt', 'a-2_30.ckpt', 'a-2_4.ckpt'].flatMap((file) => parseCheckpointName(file) ?? []);
  t.same(
    names.sort(compareCheckpoints).map(({ epoch, step }) => [epoch, step]),
    [
      [2, 4],
      [2, 30],
      [10, 1],
    ],
  );
});

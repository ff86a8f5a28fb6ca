import { test } from 'tap';
import { matchParameters } from '../../sdk/checkpoint/match.js';
import { floats } from './files.js';

const lenet = new Map([
  ['conv1.weight', floats([1, 2], 1, 2)],
  ['fc.bias', floats([2], 1, 2)],
]);

test('a checkpoint that holds what the network wants fits; what it has besides is returned', async (t) => {
  t.same(matchParameters(lenet, new Map([['fc.bias', [2]]]), 'a.ckpt'), ['conv1.weight']);
  t.same(matchParameters(lenet, new Map(), 'a.ckpt'), ['conv1.weight', 'fc.bias']);
});

test('a parameter that is missing, or of another shape, is named', async (t) => {
  const wanted = new Map([
    ['fc.bias', [2]],
    ['fc.weight', [2, 3]],
  ]);
  t.throws(() => matchParameters(lenet, wanted, 'a.ckpt'), {
    code: 'E_CKPT_MISSING',
    message: 'a.ckpt: lacks "fc.weight"; is it a checkpoint of another network?',
  });
  t.throws(() => matchParameters(lenet, new Map([['conv1.weight', [2, 1]]]), 'a.ckpt'), {
    code: 'E_CKPT_SHAPE',
    message: 'a.ckpt: "conv1.weight" has the shape [1, 2], and this network wants [2, 1]',
  });
  t.throws(() => matchParameters(lenet, new Map([['fc.bias', []]]), 'a.ckpt'), { code: 'E_CKPT_SHAPE' });
});

test('a checkpoint of another network says what each has', async (t) => {
  const wanted = new Map(Array.from({ length: 8 }, (_, i) => [`layer${i}.weight`, [1]]));
  t.throws(() => matchParameters(lenet, wanted, 'a.ckpt'), {
    code: 'E_CKPT_NETWORK',
    message: /^a\.ckpt: .* holds "conv1\.weight", "fc\.bias"; this network wants "layer0\.weight".* and 2 more$/,
  });
  t.throws(() => matchParameters(new Map(), wanted, 'a.ckpt'), { message: /holds no parameters/ });
});

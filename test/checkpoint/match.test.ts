import { test } from 'tap';
import { matchParameters, requireFinite } from '../../sdk/checkpoint/match.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
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
  t.throws(() => matchParameters(lenet, new Map([['fc.bias', []]]), 'a.ckpt'), { code: 'E_CKPT_SHAPE' });
});

test('all parameters that do not fit are named in one error, with both shapes and what to do', async (t) => {
  const wanted = new Map([
    ['conv1.weight', [2, 1]],
    ['conv1.bias', [2]],
    ['fc.bias', [12]],
  ]);
  t.throws(() => matchParameters(lenet, wanted, 'a.ckpt'), {
    code: 'E_CKPT_SHAPE',
    message:
      'a.ckpt: "conv1.weight" has the shape [1, 2], and this network wants [2, 1]; "fc.bias" has the shape [2], and this network wants [12]; lacks "conv1.bias"; is it a checkpoint of another network?',
  });
  const many = Array.from({ length: 30 }, (_, i) => `layer${i}.weight`);
  t.throws(
    () =>
      matchParameters(
        new Map(many.map((name) => [name, floats([1], 0)])),
        new Map(many.map((name) => [name, [2]])),
        'x',
      ),
    {
      message:
        /"layer11\.weight" has the shape \[1\], and this network wants \[2\] and 18 more; was it for other classes or another image size\?$/,
    },
  );
});

test('what would help is named where whoever reads it can use it', async (t) => {
  const of = (options: Parameters<typeof LeNet5>[0]) => {
    return new Map(LeNet5(options).parameters.map(({ name, shape }) => [name, shape]));
  };
  const given = new Map(Array.from(of({ classes: 12 }), ([name, shape]) => [name, floats(shape)]));
  const remedies = ['--network', '--num_classes'] as const;
  for (const [expected, message] of [
    [of({}), /; its classes are 12: --num_classes 12$/],
    [of({ height: 64, classes: 12 }), /; these parameters fit --network lenet5 --image_height 32 --image_width 32$/],
    [of({ height: 64 }), / fit --network lenet5 --num_classes 12 --image_height 32 --image_width 32$/],
    [new Map([['ip1.weight', [1]]]), / wants "ip1\.weight"; these parameters fit --network lenet5 --num_classes 12$/],
    [
      new Map([...of({ classes: 12 }), ['fc4.weight', [1]]]),
      /lacks "fc4\.weight"; these parameters fit --network lenet5 --num_classes 12$/,
    ],
  ] as const) {
    t.throws(() => matchParameters(given, expected, 'a.ckpt', { remedies }), { message });
  }
  const training = { remedies: [...remedies, '--ckpt_skip'] as const };
  t.throws(() => matchParameters(given, of({}), 'a.ckpt', training), {
    message: /; its classes are 12: --num_classes 12; training can start layers afresh: --ckpt_skip fc3$/,
  });
  t.throws(() => matchParameters(given, new Map([...of({}), ['fc4.weight', [1]]]), 'a.ckpt', training), {
    message: /; these parameters fit --network lenet5 --num_classes 12$/,
  });
  t.throws(() => matchParameters(given, of({}), 'a.ckpt'), { message: /another image size\?$/ });
});

test('parameters that are no numbers are all named, with how many', async (t) => {
  const parameters = new Map([
    ['a', floats([3], 1, Number.NaN, Infinity)],
    ['b', floats([1], 1)],
    ['c', floats([1], -Infinity)],
  ]);
  t.throws(() => requireFinite(parameters, [{ name: 'a' }, { name: 'b' }, { name: 'c' }], 'a.ckpt'), {
    code: 'E_CKPT_NAN',
    message: /^a\.ckpt: NaN or infinite are 2 of the 3 numbers of "a", 1 of the 1 numbers of "c": .* older checkpoint$/,
  });
  t.doesNotThrow(() => requireFinite(parameters, [{ name: 'b' }], 'a.ckpt'));
});

test('a variance below 0 has no root, and so is no better than NaN', async (t) => {
  const parameters = new Map([
    ['bn.moving_mean', floats([2], -1, 0)],
    ['bn.moving_variance', floats([2], 0, -1e-30)],
  ]);
  t.doesNotThrow(() => requireFinite(parameters, [{ name: 'bn.moving_mean' }], 'a.ckpt'));
  t.throws(() => requireFinite(parameters, [{ name: 'bn.moving_mean' }, { name: 'bn.moving_variance' }], 'a.ckpt'), {
    code: 'E_CKPT_NAN',
    message: /^a\.ckpt: NaN, infinite or variances below 0 are 1 of the 2 numbers of "bn\.moving_variance": /,
  });
});

test('a checkpoint of another network says what each has', async (t) => {
  const wanted = new Map(Array.from({ length: 14 }, (_, i) => [`layer${i}.weight`, [1]]));
  t.throws(() => matchParameters(lenet, wanted, 'a.ckpt'), {
    code: 'E_CKPT_NETWORK',
    message: /^a\.ckpt: .* holds "conv1\.weight", "fc\.bias"; this network wants "layer0\.weight".* and 2 more$/,
  });
  t.throws(() => matchParameters(new Map(), wanted, 'a.ckpt'), { message: /holds no parameters/ });
});

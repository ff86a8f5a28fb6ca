import { test } from 'tap';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { adam, sgd, slotNames } from '../../sdk/nn/optimizers.js';

test('optimizers and losses are plain data with their defaults filled in', async (t) => {
  t.same(sgd(), { kind: 'sgd', learningRate: 0.01, momentum: 0, nesterov: false, weightDecay: 0 });
  t.same(adam({ beta1: 0.8 }), {
    kind: 'adam',
    learningRate: 0.001,
    beta1: 0.8,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0,
  });
  t.same(softmaxCrossEntropy(), { kind: 'softmaxCrossEntropy' });
});

test('slots have the names that MindSpore gives them', async (t) => {
  t.same(slotNames(sgd()), []);
  t.same(slotNames(sgd({ momentum: 0.9 })), ['moments']);
  t.same(slotNames(adam()), ['moment1', 'moment2']);
});

test('a value outside its range is refused, saying which and why', async (t) => {
  for (const optimizer of [sgd, adam]) {
    for (const learningRate of [0, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.throws(() => optimizer({ learningRate }), { code: 'E_OPTIMIZER', message: /learning rate .* not/ });
    }
    for (const weightDecay of [-0.1, Number.NaN, Number.POSITIVE_INFINITY]) {
      t.throws(() => optimizer({ weightDecay }), { code: 'E_OPTIMIZER', message: /weight decay .* not/ });
    }
  }
  for (const fraction of [-0.1, 1, Number.NaN]) {
    t.throws(() => sgd({ momentum: fraction }), { code: 'E_OPTIMIZER', message: /^momentum .* not/ });
    t.throws(() => adam({ beta1: fraction }), { code: 'E_OPTIMIZER', message: /^beta1 .* not/ });
    t.throws(() => adam({ beta2: fraction }), { code: 'E_OPTIMIZER', message: /^beta2 .* not/ });
  }
  t.throws(() => adam({ epsilon: 0 }), { code: 'E_OPTIMIZER', message: /^epsilon .* not 0/ });
  t.throws(() => sgd({ nesterov: true }), { code: 'E_OPTIMIZER', message: /momentum above 0/ });
});

import { test } from 'tap';
import { type Facts, judge, table } from '../../bench/report.js';

const speed: Facts = { title: 'an epoch', unit: 's', target: { is: '≤', limit: 1 / 4, ofPeer: true } };
const accuracy: Facts = { title: 'test accuracy', unit: '%', target: { is: '≥', limit: 98.8, ofMnist: true } };
const share: Facts = { title: 'share of the peak', unit: '%' };
const onMnist = { isMnist: true };

test('a target relative to the peer is given in the unit of the figure', async (t) => {
  t.same(judge(speed, { value: 0.5, peer: 6 }, onMnist), {
    value: 0.5,
    unit: 's',
    peer: 6,
    ratio: 0.08333,
    target: 1.5,
    ok: true,
  });
  t.equal(judge(speed, { value: 1.51, peer: 6 }, onMnist).ok, false);
});

test('without a peer such a target is not judged', async (t) => {
  t.same(judge(speed, { value: 0.5 }, onMnist), {
    value: 0.5,
    unit: 's',
    peer: null,
    ratio: null,
    target: null,
    ok: null,
  });
});

test('a target is met at its limit, and missed by less than what is shown', async (t) => {
  t.equal(judge(accuracy, { value: 98.8 }, onMnist).ok, true);
  const close = judge(accuracy, { value: 98.799 }, onMnist);
  t.equal(close.value, 98.8);
  t.equal(close.ok, false);
});

test('a target that speaks of MNIST is shown but not judged with other data', async (t) => {
  const { target, ok } = judge(accuracy, { value: 99.9 }, { isMnist: false });
  t.equal(target, 98.8);
  t.equal(ok, null);
  t.equal(judge(speed, { value: 1, peer: 2 }, { isMnist: false }).ok, false);
});

test('what has no target, or could not be measured, is not judged', async (t) => {
  t.equal(judge(share, { value: 48 }, onMnist).ok, null);
  t.same(judge(accuracy, undefined, onMnist), {
    value: null,
    unit: '%',
    peer: null,
    ratio: null,
    target: 98.8,
    ok: null,
  });
});

test('the table is aligned, with ratios as fractions and targets as sentences', async (t) => {
  const rows = [
    { name: 'accuracy', facts: accuracy, result: judge(accuracy, { value: 98.5 }, onMnist) },
    { name: 'epoch', facts: speed, result: judge(speed, { value: 0.5, peer: 6 }, onMnist), note: 'beside PyTorch' },
    { name: 'slow', facts: speed, result: judge(speed, { value: 9, peer: 6 }, onMnist) },
    { name: 'share', facts: share, result: judge(share, undefined, onMnist) },
  ];
  t.equal(
    table(rows),
    [
      'figure    value   PyTorch  ratio  target            met  what',
      'accuracy  98.5 %  –        –      ≥ 98.8 %          NO   test accuracy',
      'epoch     0.5 s   6 s      1/12   ≤ 1/4 of PyTorch  yes  an epoch (beside PyTorch)',
      'slow      9 s     6 s      1.5    ≤ 1/4 of PyTorch  NO   an epoch',
      'share     –       –        –      –                 –    share of the peak',
    ].join('\n'),
  );
});

import * as fc from 'fast-check';
import { test } from 'tap';
import { argmax, lossFunction } from '../../sdk/engine/reference/loss.js';
import { softmaxCrossEntropy } from '../../sdk/nn/losses.js';
import { relativeDifference } from './closeness.js';

const loss = lossFunction(softmaxCrossEntropy());

test('equal outputs of n classes cost log n', async (t) => {
  t.equal(loss.forward(Float64Array.of(7, 7, 7, 7), 2), Math.log(4));
});

test('outputs of log 1, log 2 and log 5 stand for 1/8, 2/8 and 5/8', async (t) => {
  const output = Float64Array.of(0, Math.log(2), Math.log(5));
  t.ok(relativeDifference([loss.forward(output, 1)], [Math.log(4)]) < 1e-14);
  const doutput = new Float64Array(3);
  loss.backward(output, 1, { doutput, scale: 0.5 });
  t.ok(relativeDifference(doutput, [1 / 16, (2 / 8 - 1) / 2, 5 / 16]) < 1e-14);
});

test('large outputs do not overflow', async (t) => {
  const output = Float64Array.of(1e6, 0);
  t.equal(loss.forward(output, 0), 0);
  t.equal(loss.forward(output, 1), 1e6);
  const doutput = new Float64Array(2);
  loss.backward(output, 1, { doutput, scale: 1 });
  t.same([...doutput], [1, -1]);
});

test('an output that is not finite makes the loss not finite', async (t) => {
  for (const bad of [Number.NaN, Number.POSITIVE_INFINITY]) {
    t.notOk(Number.isFinite(loss.forward(Float64Array.of(0, bad, 0), 0)), String(bad));
  }
});

test("the loss's gradient is that of finite differences", async () => {
  const outputs = fc.array(fc.double({ min: -9, max: 9, noNaN: true }), { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(outputs, fc.nat(), (values, draw) => {
      const label = draw % values.length;
      const output = Float64Array.from(values);
      const doutput = new Float64Array(values.length);
      loss.backward(output, label, { doutput, scale: 1 });
      const h = 1e-5;
      const moved = (c: number, by: number): number =>
        loss.forward(
          output.map((z, i) => (i === c ? z + by : z)),
          label,
        );
      const expected = values.map((_, c) => (moved(c, h) - moved(c, -h)) / (2 * h));
      return relativeDifference(doutput, expected, 1) < 1e-8;
    }),
  );
});

test('of equal outputs the first one is the prediction', async (t) => {
  t.equal(argmax(Float64Array.of(1, 3, 3)), 1);
});

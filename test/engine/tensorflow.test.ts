/** The TensorFlow engine, run by plain TensorFlow.js on its backend in JavaScript, against the reference and the native engine. */
import tf from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { test } from 'tap';
import { epochOrder } from '../../sdk/dataset/dataset.js';
import { referenceEngine } from '../../sdk/engine/reference/reference.js';
import { tensorflowEngine } from '../../sdk/engine/tensorflow/tensorflow.js';
import { sameState } from './closeness.js';
import { arbitraryCase } from './random-network.js';
import { compile, equal, near, sameParameters, sameResult, trainEpoch } from './same.js';

tf.env().set('IS_TEST', true);
const tensorflow = await tensorflowEngine({ tf });
const reference = referenceEngine();
const TOLERANCE = 1e-3;
const cases = { seed: 1, numRuns: 200 };

test('training any network is as the reference trains it', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), async (drawn) => {
      const program = compile(tensorflow, drawn);
      const expected = compile(reference, drawn);
      for (let epoch = 0; epoch < 2; epoch++) {
        sameResult(await trainEpoch(program, drawn, epoch), await trainEpoch(expected, drawn, epoch), TOLERANCE);
        sameParameters(drawn.network, [program, expected], TOLERANCE);
      }
      program.close();
    }),
    cases,
  );
});

test('evaluating and predicting is as the reference does it, and changes nothing', async () => {
  await fc.assert(
    fc.asyncProperty(arbitraryCase(), async (drawn) => {
      const program = compile(tensorflow, drawn);
      const expected = compile(reference, drawn);
      const before = program.state();
      const order = epochOrder(drawn.data.size, { seed: drawn.seed, epoch: 0 });
      const result = await program.evaluate(drawn.data, order);
      const right = await expected.evaluate(drawn.data, order);
      near('loss', [result.loss], [right.loss], { tolerance: TOLERANCE, floor: 0.01 });
      equal('correct', result.correct, right.correct);
      near('outputs', await program.predict(drawn.data, order), await expected.predict(drawn.data, order), {
        tolerance: TOLERANCE,
      });
      equal('an unchanged state', sameState(program.state(), before), true);
      program.close();
    }),
    cases,
  );
});

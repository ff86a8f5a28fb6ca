/** The C ABI on this machine: every instruction set it has, and several thread counts, against the reference engine. */
import t from 'tap';
import { compileDriver, missing, results, wrongResults } from './driver.js';

const skip = missing('c++');

t.test('the library computes what the reference engine does, without Node', { skip }, async (t) => {
  const folder = t.testdir();
  const driver = compileDriver({ folder, compiler: 'c++' });
  for (const set of driver().split(',')) {
    for (const threads of [1, 2, 3]) {
      t.same(await wrongResults(driver, { folder, set, threads }), [], `${set}, ${threads} threads`);
    }
    const again = () => results(driver, { folder, set, threads: 3 });
    t.ok(again().equals(again()), `${set}: two runs are the same bit for bit`);
  }
});

/** The library for 64-bit ARM as it is packed: compiled across, run by an emulator, against the reference engine. */
import t from 'tap';
import { compileDriver, missing, results, wrongResults } from './driver.js';

const compiler = 'aarch64-linux-gnu-g++';
const skip = missing(compiler, 'qemu-aarch64');

t.test('the NEON kernels compute what the reference engine does', { skip }, async (t) => {
  const folder = t.testdir();
  const driver = compileDriver({
    folder,
    compiler,
    options: ['--arch', 'arm64', '--portable'],
    runner: ['qemu-aarch64', '-L', '/usr/aarch64-linux-gnu'],
  });
  t.equal(driver(), 'neon');
  for (const threads of [1, 3]) {
    t.same(await wrongResults(driver, { folder, set: 'neon', threads }), [], `${threads} threads`);
  }
  const again = () => results(driver, { folder, set: 'neon', threads: 2 });
  t.ok(again().equals(again()), 'two runs are the same bit for bit');
});

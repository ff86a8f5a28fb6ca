/** What engines do where memory is short. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'tap';
import { evaluatedAtOnce } from '../../sdk/engine/turns.js';
import { flatten, input } from '../../sdk/nn/layers.js';
import { LeNet5 } from '../../sdk/nn/lenet.js';
import { network } from '../../sdk/nn/network.js';

const skip = process.platform !== 'linux' && 'only Linux limits a process’s memory';

test('a batch that memory is too small for is an error that says what to do, and the process goes on', {
  skip,
}, async (t) => {
  const child = fileURLToPath(new URL('memory-child.ts', import.meta.url));
  // In KiB, what Node reserves for itself included; the batch would take 6 GiB.
  const command = ['-c', 'ulimit -v 4000000; exec "$@"', 'sh', process.execPath, ...process.execArgv, child];
  const { status, stdout, stderr } = spawnSync('sh', command, { encoding: 'utf8' });
  t.equal(status, 0, stderr);
  t.match(stdout, /^network wide: not enough memory: batch normalisation keeps a whole batch, .*\nthen true\n$/);
});

test('a data set is evaluated in parts that fit into memory, however large it is', async (t) => {
  t.equal(evaluatedAtOnce(LeNet5(), 32), 32, 'a program’s own batches where they are small');
  const many = evaluatedAtOnce(LeNet5(), 60_000);
  t.ok(many > 1000 && many < 10_000, `${many}`);
  // 2²⁵ numbers a sample.
  const wide = network('wide', flatten(flatten(input([1, 2 ** 12, 2 ** 12]))));
  t.equal(evaluatedAtOnce(wide, 60_000), 2);
});

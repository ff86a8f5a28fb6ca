import { join } from 'node:path';
import { test } from 'tap';
import { packageVersion } from '../../sdk/base/package.js';
import { run } from './command.js';

test('doctor tells what is here, and exits with 0 where the native engine works', async (t) => {
  const cache = t.testdir();
  const { code, stdout, stderr } = await run(['doctor'], { cache });
  t.equal(code, 0, stderr);
  t.equal(stderr, '');
  t.match(stdout, `mindts     ${packageVersion()}\n`);
  t.match(stdout, `node       ${process.version}, ${process.platform}-${process.arch}\n`);
  t.match(stdout, /\nprocessor {2}.+, \d+ to use\nmemory {5}\d+\.\d of \d+\.\d GiB free\n/);
  t.match(stdout, `work       ${cache}\n`);
  t.match(stdout, /\nnative {5}.*mindts\.(so|dylib): [a-z0-9, ]+\nCPU {8}native \(\w+, \d+ threads?\)\n/);
  t.match(stdout, /\nAscend .*\nGPU .*\n$/);
});

test('without the native engine doctor still tells the rest, says why and what to do, and exits with 1', async (t) => {
  const cache = t.testdir({ 'text.so': 'no library' });
  const cases: readonly [string, RegExp][] = [
    ['off', /switched off \(MINDTS_NATIVE=off\): unset MINDTS_NATIVE/],
    [join(cache, 'none.so'), /not built .*: install a C\+\+ compiler .*npm run build/],
    [join(cache, 'text.so'), /cannot be loaded \(.*text\.so.*\): build it here with `npm run build`/],
  ];
  for (const [MINDTS_NATIVE, message] of cases) {
    const { code, stdout, stderr } = await run(['doctor'], { cache, env: { MINDTS_NATIVE } });
    t.equal(code, 1, MINDTS_NATIVE);
    t.match(stderr, message);
    t.equal(stderr.trimEnd().split('\n').length, 1, `one line: ${stderr}`);
    t.match(stdout, /\nprocessor [^]*\nGPU /);
    t.match(stdout, /\nCPU {8}reference \(plain TypeScript, 1 thread\): about a hundred times slower\n/);
  }
});

test('an instruction set that this machine lacks is named, beside those it has', async (t) => {
  const { code, stdout, stderr } = await run(['doctor'], {
    cache: t.testdir(),
    env: { MINDTS_INSTRUCTION_SET: 'mmx' },
  });
  t.equal(code, 1);
  t.match(stderr, /cannot run mmx; it can run \w+/);
  t.notMatch(stdout, /\nCPU /);
});

test('doctor --help says what it does and what its exit code means', async (t) => {
  t.match(await run(['doctor', '--help'], { cache: t.testdir() }), { code: 0, stdout: /Exit code 1/, stderr: /^$/ });
});

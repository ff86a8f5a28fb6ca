/** The library under both compilers without a warning, and under sanitizers: memory, undefined behaviour, threads. */
import t from 'tap';
import { compileDriver, missing, wrongResults } from './driver.js';

for (const compiler of ['g++', 'clang++']) {
  t.test(`${compiler} has nothing to warn of, and its library is right`, { skip: missing(compiler) }, async (t) => {
    const folder = t.testdir();
    const driver = compileDriver({ folder, compiler, flags: ['-Wall', '-Wextra', '-Werror'] });
    for (const set of driver().split(',')) {
      t.same(await wrongResults(driver, { folder, set, threads: 2 }), [], set);
    }
  });
}

const sanitized = ['-O1', '-g', '-fno-omit-frame-pointer', '-fno-sanitize-recover=all'];
const skip = missing('g++');

t.test('sanitizers see no access out of bounds, nothing undefined and no leak', { skip }, async (t) => {
  const folder = t.testdir();
  const driver = compileDriver({ folder, compiler: 'g++', flags: [...sanitized, '-fsanitize=address,undefined'] });
  for (const set of driver().split(',')) {
    for (const threads of [1, 2, 3]) {
      t.same(await wrongResults(driver, { folder, set, threads }), [], `${set}, ${threads} threads`);
    }
  }
});

t.test('a sanitizer sees no two threads at one place unordered', { skip }, async (t) => {
  const folder = t.testdir();
  // Debian 12's sanitizer does not know the addresses that newer kernels draw at random.
  const runner = missing('setarch') ? [] : ['setarch', '-R'];
  const driver = compileDriver({ folder, compiler: 'g++', runner, flags: [...sanitized, '-fsanitize=thread'] });
  const [set] = driver().split(',');
  for (const threads of [2, 3]) {
    t.same(await wrongResults(driver, { folder, set, threads }), [], `${set}, ${threads} threads`);
  }
});

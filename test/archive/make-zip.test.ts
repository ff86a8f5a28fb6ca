import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { test } from 'tap';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { unzip } from '../../sdk/archive/unzip.js';
import { partialName } from '../../sdk/base/files.js';

test('what was packed comes out the same, Chinese names, empty folders and executables included', async (t) => {
  const folder = t.testdir({
    in: { '手写 数字.txt': '7', a: { b: 'x'.repeat(100_000) }, empty: {}, 'run.sh': '#!/bin/sh' },
  });
  chmodSync(join(folder, 'in/run.sh'), 0o755);
  writeFileSync(partialName(join(folder, 'in/a/b')), 'half');
  await makeZip(join(folder, 'in'), join(folder, 'out.zip'));
  t.same(await unzip(join(folder, 'out.zip'), join(folder, 'out')), { files: 3, bytes: 1 + 100_000 + 9 });
  const names = readdirSync(join(folder, 'out'), { recursive: true }).sort();
  t.same(names, ['a', 'a/b', 'empty', 'run.sh', '手写 数字.txt']);
  t.equal(readFileSync(join(folder, 'out/手写 数字.txt'), 'utf8'), '7');
  t.equal(statSync(join(folder, 'out/run.sh')).mode & 0o100, 0o100);
});

test('the same content gives the same bytes, whatever its times and the order it was made in', async (t) => {
  const folder = t.testdir({ one: {}, two: {} });
  for (const name of ['b', 'a', 'C', 'z/y']) {
    mkdirSync(join(folder, 'one/z'), { recursive: true });
    writeFileSync(join(folder, 'one', name), name);
  }
  for (const name of ['z/y', 'C', 'a', 'b']) {
    mkdirSync(join(folder, 'two/z'), { recursive: true });
    writeFileSync(join(folder, 'two', name), name);
    utimesSync(join(folder, 'two', name), 1, 1);
  }
  await makeZip(join(folder, 'one'), join(folder, 'one.zip'));
  await makeZip(join(folder, 'two'), join(folder, 'two.zip'));
  t.ok(readFileSync(join(folder, 'one.zip')).equals(readFileSync(join(folder, 'two.zip'))));
});

test('any small folder goes in and out', async (t) => {
  const folder = t.testdir({});
  const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).filter((s) => !/[/\\\0:]|^\.+$/.test(s));
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.dictionary(name, fc.uint8Array()), async (files) => {
      const source = join(folder, `${run}`);
      const out = join(folder, `${run++}.out`);
      mkdirSync(source);
      for (const [file, content] of Object.entries(files)) writeFileSync(join(source, file), content);
      await makeZip(source, `${source}.zip`);
      await unzip(`${source}.zip`, out);
      return Object.entries(files).every(([file, content]) => readFileSync(join(out, file)).equals(content));
    }),
    { numRuns: 30 },
  );
});

test('what cannot be packed is refused, and an older archive stays', async (t) => {
  const folder = t.testdir({ in: { a: 'x' }, 'out.zip': 'old' });
  const [source, archive] = [join(folder, 'in'), join(folder, 'out.zip')];
  await t.rejects(makeZip(join(folder, 'no'), archive), { code: 'E_ZIP_NOT_FOUND', message: /no: no such file/ });
  await t.rejects(makeZip(join(source, 'a'), archive), { code: 'E_ZIP_READ' });
  await t.rejects(makeZip(source, join(source, 'in.zip')), { code: 'E_ZIP_TARGET' });
  await t.rejects(makeZip(source, join(archive, 'x')), { code: 'E_ZIP_WRITE' });
  symlinkSync('a', join(source, 'link'));
  await t.rejects(makeZip(source, archive), { code: 'E_ZIP_SYMLINK', message: /"link" is a link/ });
  rmSync(join(source, 'link'));
  rmSync(join(source, 'a'));
  writeFileSync(join(source, 'back\\slash'), '');
  await t.rejects(makeZip(source, archive), { code: 'E_ZIP_PATH' });
  rmSync(join(source, 'back\\slash'));
  execFileSync('mkfifo', [join(source, 'pipe')]);
  await t.rejects(makeZip(source, archive), { code: 'E_ZIP_SPECIAL' });
  t.equal(readFileSync(archive, 'utf8'), 'old');
});

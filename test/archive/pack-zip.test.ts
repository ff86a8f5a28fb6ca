import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as fc from 'fast-check';
import { test } from 'tap';
import { type FileToPack, packZip } from '../../sdk/archive/pack-zip.js';
import { unzip } from '../../sdk/archive/unzip.js';

function file(name: string, content: string | Uint8Array): FileToPack {
  return { name, content: Readable.from([Buffer.from(content)]) };
}

const hasUnzip = existsSync('/usr/bin/unzip');

test('what was packed comes out the same, empty files and Chinese names included', async (t) => {
  const folder = t.testdir({});
  const archive = join(folder, 'new', 'a.zip');
  await packZip(archive, [file('a/b.txt', 'seven'), file('手写 数字.txt', '7'), file('empty', '')]);
  t.same(await unzip(archive, join(folder, 'out')), { files: 3, bytes: 6 });
  t.equal(readFileSync(join(folder, 'out/a/b.txt'), 'utf8'), 'seven');
  t.equal(readFileSync(join(folder, 'out/手写 数字.txt'), 'utf8'), '7');
});

test('any files, in chunks of any size, go in and come out', async (t) => {
  const folder = t.testdir({});
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.uint8Array({ maxLength: 5000 }), { maxLength: 5 }), { maxLength: 5 }),
      async (all) => {
        const [archive, out] = [join(folder, `${run}.zip`), join(folder, `${run++}.out`)];
        await packZip(
          archive,
          all.map((chunks, i) => ({ name: `f${i}`, content: Readable.from(chunks) })),
        );
        await unzip(archive, out);
        for (const [i, chunks] of all.entries()) {
          if (!readFileSync(join(out, `f${i}`)).equals(Buffer.concat(chunks))) return false;
        }
        return true;
      },
    ),
    { numRuns: 30 },
  );
});

test("Info-ZIP finds nothing wrong with it, and the names' bytes as they were", { skip: !hasUnzip }, async (t) => {
  const archive = join(t.testdir({}), 'a.zip');
  await packZip(archive, [file('train/数字', Buffer.alloc(1 << 20, 'mnist')), file('test/b', 'b')]);
  t.match(execFileSync('unzip', ['-t', archive], { encoding: 'utf8' }), /No errors detected/);
  t.match(execFileSync('unzip', ['-Z', archive], { encoding: 'utf8' }), /-rw-r--r--.*1048576.*defN/);
  t.equal(execFileSync('unzip', ['-p', archive, 'test/b'], { encoding: 'utf8' }), 'b');
});

test('the same content gives the same bytes', async (t) => {
  const folder = t.testdir({});
  for (const name of ['one.zip', 'two.zip']) await packZip(join(folder, name), [file('a', 'x'), file('b', 'y')]);
  t.ok(readFileSync(join(folder, 'one.zip')).equals(readFileSync(join(folder, 'two.zip'))));
});

test('a content that fails leaves the archive that was there, and no half of a new one', async (t) => {
  const folder = t.testdir({ 'a.zip': 'old' });
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield Buffer.from('half');
    throw new Error('the source went away');
  }
  const archive = join(folder, 'a.zip');
  await t.rejects(packZip(archive, [file('a', 'x'), { name: 'b', content: broken() }]), /the source went away/);
  t.same(readdirSync(folder), ['a.zip']);
  t.equal(readFileSync(archive, 'utf8'), 'old');
});

test('names that lead out of the folder, or come twice, are refused', async (t) => {
  const archive = join(t.testdir({}), 'a.zip');
  await t.rejects(packZip(archive, [file('../a', 'x')]), { code: 'E_ZIP_PATH' });
  await t.rejects(packZip(archive, [file('a', 'x'), file('a', 'y')]), { code: 'E_ZIP_DUPLICATE' });
});

test('a place that cannot be written is named', async (t) => {
  const folder = t.testdir({ file: '' });
  writeFileSync(join(folder, 'other'), '');
  await t.rejects(packZip(join(folder, 'file', 'a.zip'), [file('a', 'x')]), {
    code: 'E_ZIP_WRITE',
    message: /file\/a\.zip/,
  });
});

import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { refusalOf } from '../../sdk/archive/archive-error.js';
import { FolderWriter } from '../../sdk/archive/folder-writer.js';

const refuse = refusalOf('ZIP', 'in.zip');
const file = (name: string): { name: string; isExecutable: boolean } => ({ name, isExecutable: false });

test('on a slow disk many files are written side by side, and all are there when it is finished', async (t) => {
  const folder = t.testdir({});
  const writer = new FolderWriter(folder, refuse, { slowMs: -1 });
  let [done, most] = [0, 0];
  for (let i = 0; i < 1000; i++) {
    await writer.write(file(`${i % 7}/${i}`), Buffer.from(`content ${i}`), () => done++);
    most = Math.max(most, i + 1 - done);
  }
  t.ok(most > 1 && most <= 16, `${most} at once`);
  await writer.finish();
  t.equal(done, 1000);
  t.equal(readdirSync(folder, { recursive: true }).length, 1007);
  t.equal(readFileSync(join(folder, '6/999'.replace('6', `${999 % 7}`)), 'utf8'), 'content 999');
});

test('what goes wrong with a file that is written aside is said by a later call, or at the end', async (t) => {
  const folder = t.testdir({});
  const writer = new FolderWriter(folder, refuse, { slowMs: -1 });
  const nothing = (): void => {};
  for (const name of '12345678bb') await writer.write(file(name), Buffer.from('x'), nothing);
  await writer.settle();
  const refused = { code: 'E_ZIP_DUPLICATE', message: /in\.zip: "b" is there twice/ };
  await t.rejects(writer.write(file('c'), Buffer.from('x'), nothing), refused);
  await t.rejects(writer.finish(), refused);
  t.same(readdirSync(folder).sort(), [...'12345678b']);
});

test('a folder that is there is fine, and a file in its place is not', async (t) => {
  const folder = t.testdir({ file: '' });
  mkdirSync(join(folder, 'there'));
  const writer = new FolderWriter(folder, refuse);
  writer.makeFolder('there');
  writer.makeFolder('there/a/b');
  writer.makeFolder('there/a/b');
  t.throws(() => writer.makeFolder('file'), { code: 'E_ZIP_DUPLICATE' });
  t.same(readdirSync(folder, { recursive: true }).sort(), ['file', 'there', 'there/a', 'there/a/b']);
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'tap';
import { isPartial, partialName, replaceFile, writeFileAtomic } from '../../sdk/base/files.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';

test('a file is written whole, in folders that are made, and nothing else is left', async (t) => {
  const path = join(t.testdir(), 'a', 'b', 'note.txt');
  await writeFileAtomic(path, 'one');
  await writeFileAtomic(path, Uint8Array.of(0x74, 0x77, 0x6f));
  t.equal(readFileSync(path, 'utf8'), 'two');
  t.same(readdirSync(join(path, '..')), ['note.txt']);
});

test('many writers at once make the same missing folders', async (t) => {
  const folder = t.testdir();
  for (const round of Array(50).keys()) {
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => writeFileAtomic(join(folder, String(round), 'x', 'y', name), name)));
    t.same(readdirSync(join(folder, String(round), 'x', 'y')).sort(), names);
  }
});

test('of many writers at once one wins, and its file is whole', async (t) => {
  const path = join(t.testdir(), 'many');
  const contents = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i).repeat(100_000));
  await Promise.all(contents.map((content) => writeFileAtomic(path, content)));
  t.ok(contents.includes(readFileSync(path, 'utf8')));
  t.same(readdirSync(join(path, '..')), ['many']);
});

test('what is not whole yet has a name of its own, in the same folder, that is known again', async (t) => {
  const name = partialName('out/lenet.ckpt');
  t.match(name, /^out\/\.lenet\.ckpt\.[0-9a-f]{8}\.partial$/);
  t.not(partialName('out/lenet.ckpt'), name);
  for (const known of [name, partialName('/x'), partialName('数据.zip'), partialName('a'.repeat(255))]) {
    t.ok(isPartial(known), known);
  }
  for (const other of [
    'lenet.ckpt',
    'a.partial',
    '.partial',
    '.a.1a2b3c4d.partial.txt',
    'a.1a2b3c4d.partial',
    '.a.1A2B3C4D.partial',
  ]) {
    t.notOk(isPartial(other), other);
  }
});

test('a name as long as the disk allows can be written', async (t) => {
  const folder = t.testdir();
  for (const name of ['a'.repeat(255), '数'.repeat(85), '😀'.repeat(63)]) {
    await writeFileAtomic(join(folder, name), name);
    t.equal(readFileSync(join(folder, name), 'utf8'), name);
  }
  const tooLong = writeFileAtomic(join(folder, 'a'.repeat(256)), '');
  await t.rejects(tooLong, { name: 'StorageError', code: 'E_WRITE', message: /the name is too long/ });
  t.equal(readdirSync(folder).length, 3, 'nothing is left of it');
});

test('a place that cannot be written is named, with the reason', async (t) => {
  const folder = t.testdir({ file: 'old', folder: { inner: '' } });
  const refused = async (path: string, reason: RegExp): Promise<void> => {
    const whole = join(folder, path);
    const writing = writeFileAtomic(whole, 'new');
    await t.rejects(writing, { name: 'StorageError', code: 'E_WRITE', message: reason }, path);
    await t.rejects(writing, { message: new RegExp(`^cannot write ${whole}: `) });
  };
  await refused(join('file', 'x'), /a file stands where a folder should be/);
  await refused(join('file', 'deep', 'x'), /a part of the path is not a folder/);
  await refused('folder', /it is a folder/);
  t.equal(readFileSync(join(folder, 'file'), 'utf8'), 'old');
  t.same(readdirSync(folder), ['file', 'folder']);
});

test('when filling fails the old file stays, nothing is left, and an error that is not of the system passes through', async (t) => {
  const folder = t.testdir({ kept: 'old' });
  const fault = new RangeError('no more');
  const filling = replaceFile(join(folder, 'kept'), async (partial) => {
    await writeFile(partial, 'half');
    t.ok(isPartial(partial));
    t.equal(join(partial, '..'), folder, 'beside it: a rename cannot cross disks');
    throw fault;
  });
  await t.rejects(filling, fault);
  t.equal(readFileSync(join(folder, 'kept'), 'utf8'), 'old');
  t.same(readdirSync(folder), ['kept']);
});

test('a full disk leaves the old file whole and gives its space back', { skip: noSmallDisk }, async (t) => {
  const path = join(smallDisk(t, 1 << 18), 'kept');
  await writeFileAtomic(path, 'old');
  const writing = writeFileAtomic(path, new Uint8Array(1 << 20));
  await t.rejects(writing, { code: 'E_WRITE', message: `cannot write ${path}: no space left on the device` });
  t.equal(readFileSync(path, 'utf8'), 'old');
  t.same(readdirSync(join(path, '..')), ['kept']);
  await writeFileAtomic(path, new Uint8Array(1 << 17));
  t.equal(readFileSync(path).length, 1 << 17);
});

test('a process killed while it writes leaves the old file whole, and a partial file that is known as one', async (t) => {
  const folder = t.testdir({ kept: 'old' });
  const module = pathToFileURL(join(import.meta.dirname, '../../sdk/base/files.ts')).href;
  const script = `
    import { writeFileSync } from 'node:fs';
    import { replaceFile } from ${JSON.stringify(module)};
    await replaceFile(${JSON.stringify(join(folder, 'kept'))}, async (partial) => {
      writeFileSync(partial, 'half');
      process.stdout.write('half');
      await new Promise((resolve) => process.stdin.on('end', resolve).resume());
    });`;
  const child = spawn(process.execPath, [...process.execArgv, '--input-type=module', '-e', script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  t.same(await once(child, 'exit'), [null, 'SIGKILL']);
  t.equal(readFileSync(join(folder, 'kept'), 'utf8'), 'old');
  const left = readdirSync(folder).filter((name) => name !== 'kept');
  t.equal(left.length, 1);
  t.ok(left.every(isPartial), `${left}`);
});

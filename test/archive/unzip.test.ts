import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Test, test } from 'tap';
import { unzip } from '../../sdk/archive/unzip.js';
import { isPartial, partialName } from '../../sdk/base/files.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';
import { type Crafted, craftZip, zip64End } from './craft.js';

/** A folder with this archive in it, and the path of a folder to unpack into that does not exist. */
function place(t: Test, archive: Buffer): { zip: string; out: string; folder: string } {
  const folder = t.testdir({});
  const zip = join(folder, 'in.zip');
  writeFileSync(zip, archive);
  return { zip, out: join(folder, 'out'), folder };
}

const text = (content: string): Buffer => Buffer.from(content);

test('files come out with their content, their folders and their executable bit, and nothing setuid', async (t) => {
  const big = Buffer.alloc(300_000, 'mindts');
  const { zip, out, folder } = place(
    t,
    craftZip([
      { name: 'train/' },
      { name: 'train/images', data: big, method: 8 },
      { name: './deep//er/labels', data: text('stored') },
      { name: 'run.sh', data: text('#!/bin/sh'), mode: 0o104755 },
      { name: 'train/' },
      { name: 'none', method: 8 },
    ]),
  );
  const seen: number[] = [];
  const done = await unzip(zip, out, { onProgress: ({ entriesDone }) => seen.push(entriesDone) });
  t.same(done, { files: 4, bytes: 300_000 + 6 + 9 });
  t.equal(seen.at(-1), 6);
  t.ok(readFileSync(join(out, 'train/images')).equals(big));
  t.equal(readFileSync(join(out, 'deep/er/labels'), 'utf8'), 'stored');
  t.equal(statSync(join(out, 'none')).size, 0);
  t.equal(statSync(join(out, 'run.sh')).mode & 0o7100, 0o100);
  t.equal(statSync(join(out, 'none')).mode & 0o111, 0);
  t.same(readdirSync(folder).sort(), ['in.zip', 'out']);
});

test('Chinese names come out right, whichever way the archive holds them', async (t) => {
  const gbk = Buffer.from('cad6d0b4', 'hex');
  const { zip, out } = place(t, craftZip([{ name: '数字', flags: 0x800 }, { name: gbk }]));
  await unzip(zip, out);
  t.same(readdirSync(out).sort(), ['手写', '数字'].sort());
});

test('an existing folder is replaced whole, through a link too', async (t) => {
  const { zip, out, folder } = place(t, craftZip([{ name: 'new' }]));
  mkdirSync(join(out, 'deep'), { recursive: true });
  writeFileSync(join(out, 'deep/old'), 'x');
  symlinkSync('out', join(folder, 'link'));
  await unzip(zip, join(folder, 'link'));
  t.same(readdirSync(out), ['new']);
  t.same(readdirSync(folder).sort(), ['in.zip', 'link', 'out']);
});

const REFUSED: Readonly<Record<string, readonly Crafted[]>> = {
  E_ZIP_SYMLINK: [{ name: 'a' }, { name: 'link', data: text('/etc/passwd'), mode: 0o120777 }],
  E_ZIP_SPECIAL: [{ name: 'pipe', mode: 0o010644 }],
  E_ZIP_ENCRYPTED: [{ name: 'a', data: text('secret'), flags: 1 }],
  E_ZIP_METHOD: [{ name: 'a', data: text('lzma'), method: 14 }],
  E_ZIP_CRC: [{ name: 'ok' }, { name: 'a', data: text('123'), method: 8, crc: 7 }],
  E_ZIP_TRUNCATED: [{ name: 'a', data: text('123'), size: 1000, packedSize: 1000 }],
  E_ZIP_DAMAGED: [{ name: 'a', data: text('123'), offset: 1 }],
};
for (const [code, entries] of Object.entries(REFUSED)) {
  test(`an archive is refused with ${code}, one line that names it, and leaves everything as it was`, async (t) => {
    const { zip, out, folder } = place(t, craftZip(entries));
    mkdirSync(out);
    writeFileSync(join(out, 'mine'), 'kept');
    await t.rejects(unzip(zip, out), { name: 'ArchiveError', code, message: /^[^\n]*in\.zip: [^\n]*; [^\n]*$/ });
    t.same(readdirSync(folder).sort(), ['in.zip', 'out']);
    t.equal(readFileSync(join(out, 'mine'), 'utf8'), 'kept');
  });
}

test('names that lead out of the folder are refused, however they are written', async (t) => {
  for (const name of ['../evil', 'a/../../evil', '/evil', 'C:\\evil', 'C:evil', '..\\evil', 'a\0b', '\x1b[2Jx/../..']) {
    const { zip, out, folder } = place(t, craftZip([{ name: 'ok' }, { name, data: text('x') }]));
    // oxlint-disable-next-line no-control-regex -- none may reach the terminal
    await t.rejects(unzip(zip, out), { code: 'E_ZIP_PATH', message: /^[^\u0000-\u001f]*$/ }, JSON.stringify(name));
    t.same(readdirSync(folder), ['in.zip']);
  }
  const { zip, out } = place(t, craftZip([{ name: 'x'.repeat(300) }]));
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_PATH', message: /too long/ });
});

test('a name that is there twice, or as a file and as a folder, is refused', async (t) => {
  for (const names of [
    ['a', 'a'],
    ['a', './a'],
    ['a', 'a/b'],
    ['a/b', 'a'],
    ['a', 'a/'],
    ['a/', 'a'],
  ]) {
    const { zip, out } = place(t, craftZip(names.map((name) => ({ name }))));
    await t.rejects(unzip(zip, out), { code: 'E_ZIP_DUPLICATE' }, names.join(' '));
    t.notOk(existsSync(out));
  }
});

test('sizes that are not true are noticed while the bytes come', async (t) => {
  const data = Buffer.alloc(5 << 20);
  for (const entry of [
    { name: 'more', data, method: 8, size: 10 },
    { name: 'less', data: text('123'), method: 8, size: 10 },
    { name: 'more', data: text('123'), size: 1 },
    { name: 'less', data: text('123'), size: 4 },
  ]) {
    const { zip, out } = place(t, craftZip([entry]));
    let written = 0;
    const run = unzip(zip, out, { onProgress: ({ bytes }) => (written = bytes) });
    await t.rejects(run, { code: 'E_ZIP_SIZE', message: new RegExp(`"${entry.name}" holds`) });
    t.ok(written <= 10, 'stopped at once');
  }
});

test('a bomb is refused by its size, its ratio or its number of entries, and zeros below 16 MiB are not', async (t) => {
  const zeros = place(t, craftZip([{ name: 'mask', data: Buffer.alloc(16 << 20), method: 8 }]));
  t.same(await unzip(zeros.zip, zeros.out, { maxRatio: 100 }), { files: 1, bytes: 16 << 20 });
  const data = Buffer.alloc((16 << 20) + 1);
  const bomb = place(t, craftZip([{ name: 'bomb', data, method: 8 }]));
  const refused = { code: 'E_ZIP_BOMB', message: /"bomb".*maxRatio = 100; / };
  await t.rejects(unzip(bomb.zip, bomb.out, { maxRatio: 100 }), refused);
  await t.rejects(unzip(bomb.zip, bomb.out, { maxBytes: 1 << 20 }), {
    code: 'E_ZIP_BOMB',
    message: /maxBytes = 1048576/,
  });
  t.equal((await unzip(bomb.zip, bomb.out, { maxRatio: 1e6 })).bytes, data.length);
  // Many entries that share the same bytes, each of a fair ratio: together they are not.
  const shared = { data: Buffer.alloc(1 << 20), method: 8, offset: 0 };
  const overlapping = craftZip([{ ...shared, name: 'f' }]).subarray(0, -22);
  const entries = Array.from({ length: 40 }, (_, i) => ({ ...shared, name: String.fromCharCode(0x41 + i) }));
  const whole = craftZip(entries);
  const directory = whole.subarray(whole.readUInt32LE(whole.length - 6), whole.length);
  const start = overlapping.indexOf('PK\x01\x02');
  directory.writeUInt32LE(start, directory.length - 6);
  const nest = place(t, Buffer.concat([overlapping.subarray(0, start), directory]));
  await t.rejects(unzip(nest.zip, nest.out), { code: 'E_ZIP_BOMB', message: /all together would grow/ });
  await t.rejects(unzip(nest.zip, nest.out, { maxEntries: 39 }), { code: 'E_ZIP_BOMB', message: /maxEntries = 39/ });
});

test('entries beyond the number that the end says are not lost without a word', async (t) => {
  const { zip, out } = place(t, craftZip([{ name: 'a' }, { name: 'b' }], { count: 1 }));
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_DAMAGED', message: /more entries than it says/ });
});

test('an archive of the 64-bit form is unpacked, and one whose places lie beyond any file is refused', async (t) => {
  const files = craftZip([{ name: 'a', data: text('64') }]).subarray(0, -22);
  const start = BigInt(files.indexOf('PK\x01\x02'));
  const right = place(t, Buffer.concat([files, zip64End(1n, start, files.length)]));
  t.same(await unzip(right.zip, right.out), { files: 1, bytes: 2 });
  for (const [count, offset, at] of [
    [1n, 2n ** 63n, files.length],
    [0n, 2n ** 63n, files.length],
    [1n, start, 2 ** 60],
    [2n ** 40n, start, files.length],
  ] as const) {
    const { zip, out, folder } = place(t, Buffer.concat([files, zip64End(count, offset, at)]));
    await t.rejects(unzip(zip, out), { name: 'ArchiveError', code: /TRUNCATED|DAMAGED|BOMB/ });
    t.same(readdirSync(folder), ['in.zip']);
  }
});

test('what is no archive, or none that can be read, is said', async (t) => {
  const whole = craftZip([{ name: 'a', data: Buffer.alloc(1000) }]);
  const { zip, out, folder } = place(t, whole.subarray(0, 900));
  await t.rejects(unzip(zip, out), {
    code: 'E_ZIP_TRUNCATED',
    message: /its end is missing; copy or download it again/,
  });
  writeFileSync(zip, 'PLAIN TEXT');
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_NOT_ZIP' });
  writeFileSync(zip, '');
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_NOT_ZIP', message: /is empty/ });
  await t.rejects(unzip(join(folder, 'no.zip'), out), { code: 'E_ZIP_NOT_FOUND' });
  await t.rejects(unzip(folder, out), { code: 'E_ZIP_NOT_ZIP', message: /is a folder/ });
  writeFileSync(zip, craftZip([{ name: 'a' }], { disk: 1 }));
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_DAMAGED', message: /multi-disk/ });
  writeFileSync(zip, craftZip([]));
  t.same(await unzip(zip, out), { files: 0, bytes: 0 });
});

test('a folder that holds the archive or the current folder, and a file, are not replaced', async (t) => {
  const { zip, out, folder } = place(t, craftZip([{ name: 'a' }]));
  await t.rejects(unzip(zip, folder), { code: 'E_ZIP_TARGET', message: /the archive itself/ });
  const here = process.cwd();
  mkdirSync(join(folder, 'here'));
  process.chdir(join(folder, 'here'));
  await t.rejects(unzip(zip, '.'), { code: 'E_ZIP_TARGET', message: /the current folder/ });
  process.chdir(here);
  await t.rejects(unzip(zip, '/'), { code: 'E_ZIP_TARGET' });
  writeFileSync(out, 'mine');
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_TARGET', message: /is not a folder/ });
  await t.rejects(unzip(zip, join(out, 'x')), { code: 'E_ZIP_WRITE', message: /a part of the path is not a folder/ });
  t.equal(readFileSync(out, 'utf8'), 'mine');
});

test('a stopped extraction leaves nothing', async (t) => {
  const { zip, out, folder } = place(t, craftZip([{ name: 'a', data: Buffer.alloc(1 << 20) }, { name: 'b' }]));
  const stop = new AbortController();
  const run = unzip(zip, out, { signal: stop.signal, onProgress: () => stop.abort() });
  await t.rejects(run, { code: 'E_ZIP_ABORTED' });
  t.same(readdirSync(folder), ['in.zip']);
});

test('a full disk is said and leaves nothing', { skip: noSmallDisk }, async (t) => {
  const disk = smallDisk(t, 1 << 20);
  const { zip } = place(t, craftZip([{ name: 'a', data: Buffer.alloc(2 << 20) }]));
  const refused = { code: 'E_ZIP_WRITE', message: /no space left on the device; free some space/ };
  await t.rejects(unzip(zip, join(disk, 'out')), refused);
  t.same(readdirSync(disk), []);
});

test('a process killed half way leaves no folder, and the next call cleans up and succeeds', async (t) => {
  const { zip, out, folder } = place(
    t,
    craftZip([
      { name: 'a', data: text('1') },
      { name: 'b', data: text('2') },
    ]),
  );
  const script = fileURLToPath(new URL('unzip-child.ts', import.meta.url));
  const child = spawn(process.execPath, [...process.execArgv, script, zip, out], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const left = readdirSync(folder).filter(isPartial);
  t.equal(left.length, 1);
  t.same(await unzip(zip, join(folder, 'other')), { files: 2, bytes: 2 }, 'another folder does not mind');
  t.same(await unzip(zip, out), { files: 2, bytes: 2 }, 'nor does this one');
  t.ok(existsSync(join(folder, left[0] ?? '')), 'a process that lives keeps its place');
  const closed = once(child, 'close');
  child.kill('SIGKILL');
  await closed;
  t.equal(readFileSync(join(folder, left[0] ?? '', 'new/a'), 'utf8'), '1');
  t.same(await unzip(zip, out), { files: 2, bytes: 2 });
  t.same(readdirSync(folder).sort(), ['in.zip', 'other', 'out']);
});

test('a process killed while it exchanged the folders loses neither', async (t) => {
  const { zip, out, folder } = place(t, craftZip([{ name: 'a', crc: 1, data: text('1') }]));
  // The moment between the two renames, as a process on another machine would leave it.
  const work = partialName(out);
  mkdirSync(join(work, 'old'), { recursive: true });
  writeFileSync(join(work, 'old/mine'), 'kept');
  writeFileSync(join(work, 'owner'), '1 elsewhere');
  await t.rejects(unzip(zip, out), { code: 'E_ZIP_CRC' });
  t.equal(readFileSync(join(out, 'mine'), 'utf8'), 'kept');
  t.same(readdirSync(folder).sort(), ['in.zip', 'out']);
});

test('one whose work was taken for a leftover says so, and does not put half in place', async (t) => {
  const { zip, out, folder } = place(t, craftZip([{ name: 'a' }, { name: 'b/c' }]));
  // What a process on another machine does, to whom nobody works here.
  const interfere = (): void => {
    for (const name of readdirSync(folder).filter(isPartial)) rmSync(join(folder, name), { recursive: true });
  };
  await t.rejects(unzip(zip, out, { onProgress: interfere }), { code: 'E_ARCHIVE_WRITE', message: /another process/ });
  t.same(readdirSync(folder), ['in.zip']);
});

test('many who unpack the same at the same time do not mind one another', async (t) => {
  const { zip, out, folder } = place(t, craftZip([{ name: 'a', data: text('1') }, { name: 'b/c' }]));
  for (let turn = 0; turn < 20; turn++) {
    if (turn % 2 === 0) rmSync(out, { recursive: true, force: true });
    const done = await Promise.all(Array.from({ length: 8 }, () => unzip(zip, out)));
    t.ok(done.every(({ files }) => files === 2));
    t.equal(readFileSync(join(out, 'a'), 'utf8'), '1');
    t.same(readdirSync(folder).sort(), ['in.zip', 'out']);
  }
});

const MNIST = fileURLToPath(new URL('../../../shared/data/MNISTData.zip', import.meta.url));
const noMnist = !existsSync(MNIST) && 'MNISTData.zip is not there';
test('MNISTData.zip gives the four files of MNIST', { skip: noMnist }, async (t) => {
  const out = join(t.testdir({}), 'MNISTData');
  t.same(await unzip(MNIST, out), { files: 4, bytes: 54_950_048 });
  const files = readdirSync(out, { recursive: true, withFileTypes: true }).filter((item) => item.isFile());
  t.same(files.map((item) => relative(out, join(item.parentPath, item.name))).sort(), [
    'test/t10k-images-idx3-ubyte',
    'test/t10k-labels-idx1-ubyte',
    'train/train-images-idx3-ubyte',
    'train/train-labels-idx1-ubyte',
  ]);
});

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { untar } from '../../sdk/archive/untar.js';
import { type CraftedTar, craftTar, paxRecords } from './craft-tar.js';

/** A folder with this archive in it, and the path of a folder to unpack into that does not exist. */
function place(t: Test, archive: Buffer): { tar: string; out: string; folder: string } {
  const folder = t.testdir({});
  const tar = join(folder, 'in.tar');
  writeFileSync(tar, archive);
  return { tar, out: join(folder, 'out'), folder };
}

const text = (content: string): Buffer => Buffer.from(content);

/** Packs the files of `in` with the system's tar; returns the archive. */
function packed(folder: string, ...flags: readonly string[]): string {
  const archive = join(folder, 'in.tar');
  execFileSync('tar', ['-C', join(folder, 'in'), '-cf', archive, ...flags, '.']);
  return archive;
}

const LONG = `${'long/'.repeat(60)}${'手'.repeat(60)}`;
const FORMATS: Readonly<Record<string, readonly string[]>> = {
  v7: [],
  ustar: [`${'d'.repeat(90)}/${'f'.repeat(90)}`],
  oldgnu: [LONG],
  gnu: [LONG, `${'x'.repeat(99)}/y`],
  posix: [LONG, `${'x'.repeat(99)}/y`],
};
for (const [format, names] of Object.entries(FORMATS)) {
  test(`what tar packed as ${format} comes out the same, with gzip and without`, async (t) => {
    const folder = t.testdir({ in: { 手写: { '7.png': '7' }, empty: {}, none: '', big: 'mindts'.repeat(300_000) } });
    chmodSync(join(folder, 'in/none'), 0o755);
    for (const name of names) {
      mkdirSync(join(folder, 'in', name, '..'), { recursive: true });
      writeFileSync(join(folder, 'in', name), name);
    }
    for (const flags of [[], ['-z']]) {
      const archive = packed(folder, `--format=${format}`, ...flags);
      const done = await untar(archive, join(folder, 'out'));
      t.equal(done.files, 3 + names.length);
      execFileSync('diff', ['-r', join(folder, 'in'), join(folder, 'out')]);
      t.equal(statSync(join(folder, 'out/none')).mode & 0o100, 0o100);
      t.equal(statSync(join(folder, 'out/big')).mode & 0o111, 0);
    }
  });
}

test('names come out right in GBK, with a newline, and where an extended name is taken back', async (t) => {
  const { tar, out } = place(
    t,
    craftTar([
      { name: Buffer.from('cafdd7d6', 'hex') },
      { name: 'x', type: 'x', data: paxRecords({ path: 'two\nlines', mtime: '1.5' }) },
      { name: 'cut' },
      { name: 'x', type: 'x', data: paxRecords({ path: '' }) },
      { name: 'own' },
      { name: 'g', type: 'g', data: paxRecords({ comment: 'of git archive' }) },
      { name: 'folder/', magic: '', data: text('') },
      { name: '.', type: '5' },
      { name: 'last', prefix: 'up/down' },
    ]),
  );
  t.same(await untar(tar, out), { files: 4, bytes: 0 });
  t.same(readdirSync(out, { recursive: true }).sort(), [
    'folder',
    'own',
    'two\nlines',
    'up',
    'up/down',
    'up/down/last',
    '数字',
  ]);
});

test('a size too large for its octal digits is read from base 256 and from a pax header', async (t) => {
  const base256 = Buffer.concat([Buffer.of(0x80), Buffer.alloc(9), Buffer.of(0, 3)]).toString('latin1');
  const { tar, out } = place(
    t,
    craftTar([
      { name: 'a', size: base256, data: text('abc') },
      { name: 'x', type: 'x', data: paxRecords({ size: '5' }) },
      { name: 'b', size: 0, data: text('seven') },
    ]),
  );
  t.same(await untar(tar, out), { files: 2, bytes: 8 });
  t.equal(readFileSync(join(out, 'b'), 'utf8'), 'seven');
});

test('links, pipes and devices that tar packed are refused, and what was there stays', async (t) => {
  const make: Readonly<Record<string, (path: string) => void>> = {
    'E_TAR_SYMLINK "./z"': (path) => symlinkSync('/etc/passwd', path),
    'E_TAR_SYMLINK "./a"|"./z"': (path) => linkSync(join(path, '../a'), path),
    'E_TAR_SPECIAL "./z"': (path) => execFileSync('mkfifo', [path]),
  };
  for (const [wanted, link] of Object.entries(make)) {
    const folder = t.testdir({ in: { a: 'x' }, out: { mine: 'kept' } });
    link(join(folder, 'in/z'));
    const [code = '', name = ''] = wanted.split(' ');
    await t.rejects(untar(packed(folder), join(folder, 'out')), {
      code,
      message: new RegExp(`in\\.tar: (${name}) is a `),
    });
    t.equal(readFileSync(join(folder, 'out/mine'), 'utf8'), 'kept');
    t.same(readdirSync(folder).sort(), ['in', 'in.tar', 'out']);
  }
});

test('sparse files are refused in every form that tar writes them in', async (t) => {
  for (const flags of [['--format=gnu'], ...['0.0', '0.1', '1.0'].map((version) => [`--sparse-version=${version}`])]) {
    const folder = t.testdir({ in: { holes: 'x' } });
    truncateSync(join(folder, 'in/holes'), 10 << 20);
    await t.rejects(untar(packed(folder, '-S', ...flags), join(folder, 'out')), {
      code: 'E_TAR_SPARSE',
      message: /(holes" is|one of its files is) a sparse file; make it again without --sparse/,
    });
  }
});

const REFUSED: Readonly<Record<string, readonly (readonly CraftedTar[])[]>> = {
  E_TAR_PATH: ['../evil', 'a/../../evil', '/evil', 'C:\\evil', 'x'.repeat(90) + '/../..'].map((name) => [{ name }]),
  E_TAR_DUPLICATE: [
    ['a', 'a'],
    ['a', './a'],
    ['a', 'a/b'],
    ['a/b', 'a'],
    ['a', 'a/'],
    ['a/', 'a'],
  ].map((names) => names.map((name) => ({ name }))),
  E_TAR_SPECIAL: [[{ name: 'tty', type: '3' }], [{ name: 'sda', type: '4' }], [{ name: 'dump', type: 'M' }]],
  E_TAR_SYMLINK: [[{ name: 'a' }, { name: 'b', type: '1' }], [{ name: 'l', type: '2' }]],
  E_TAR_DAMAGED: [
    [{ name: 'a' }, { name: 'b', checksum: 1 }],
    [{ name: 'a', checksum: 1 }],
    [{ name: 'a', size: 'zzz' }],
    [{ name: 'x', type: 'x', data: text('99 path=evil\n') }, { name: 'a' }],
    [{ name: 'x', type: 'x', data: text('12 path=evil') }, { name: 'a' }],
    [{ name: 'x', type: 'x', data: paxRecords({ size: '-1' }) }, { name: 'a' }],
    [{ name: 'x', type: 'x', data: paxRecords({ path: 'evil' }) }],
    [{ name: 'x', type: 'x', data: Buffer.alloc(2 << 20) }, { name: 'a' }],
    [{ name: 'g', type: 'g', data: paxRecords({ path: 'evil' }) }, { name: 'a' }],
  ],
};
for (const [code, archives] of Object.entries(REFUSED)) {
  test(`a tar is refused with ${code}, one line that names it, and leaves nothing`, async (t) => {
    for (const entries of archives) {
      const { tar, out, folder } = place(t, craftTar(entries));
      const shown = entries.map(({ name }) => name).join(' ');
      await t.rejects(
        untar(tar, out),
        { name: 'ArchiveError', code, message: /^[^\n]*in\.tar: [^\n]*; [^\n]*$/ },
        shown,
      );
      t.same(readdirSync(folder), ['in.tar']);
    }
  });
}

test('a tar that ends anywhere but at its end is refused, packed or not', async (t) => {
  const folder = t.testdir({ in: { a: 'x'.repeat(700), b: { c: '' } } });
  const whole = readFileSync(packed(folder, '--format=posix', '-b1'));
  const squeezed = gzipSync(whole);
  const out = join(folder, 'out');
  for (let cut = 512; cut < whole.length - 1024; cut += 256) {
    const { tar } = place(t, whole.subarray(0, cut));
    await t.rejects(untar(tar, out), { code: 'E_TAR_TRUNCATED', message: /copy or download it again/ }, `${cut}`);
  }
  for (let cut = 20; cut < squeezed.length; cut += 7) {
    const { tar } = place(t, squeezed.subarray(0, cut));
    await t.rejects(untar(tar, out), { code: 'E_TAR_TRUNCATED', message: /its end is missing/ }, `${cut} of gzip`);
  }
  t.notOk(existsSync(out));
});

test('gzip is held against its checksum, and may come in several members', async (t) => {
  const whole = craftTar([{ name: 'a', data: text('abc') }]);
  const members = Buffer.concat([gzipSync(whole.subarray(0, 700)), gzipSync(whole.subarray(700))]);
  const { tar, out } = place(t, members);
  t.same(await untar(tar, out), { files: 1, bytes: 3 });
  const damaged = gzipSync(whole);
  damaged[damaged.length - 6] ^= 1;
  writeFileSync(tar, damaged);
  await t.rejects(untar(tar, out), {
    code: 'E_TAR_CRC',
    message: /checksum does not agree; copy or download it again/,
  });
  t.equal(readFileSync(join(out, 'a'), 'utf8'), 'abc', 'what was there stays');
});

test('files behind the end are not lost without a word, and filling is fine', async (t) => {
  const [one, two] = ['a', 'b'].map((name) => craftTar([{ name, data: text(name) }]));
  const { tar, out } = place(t, Buffer.concat([one ?? text(''), two ?? text('')]));
  await t.rejects(untar(tar, out), { code: 'E_TAR_DAMAGED', message: /goes on behind its end/ });
  for (const end of [512, 1024, 10_240, 10_000]) {
    writeFileSync(tar, craftTar([{ name: 'a' }], Buffer.alloc(end)));
    t.same(await untar(tar, out), { files: 1, bytes: 0 }, `${end} bytes`);
  }
});

test('a bomb is refused by its size, its growth or its number of entries, and zeros below 16 MiB are not', async (t) => {
  const zeros = place(t, gzipSync(craftTar([{ name: 'mask', data: Buffer.alloc(16 << 20) }])));
  t.equal((await untar(zeros.tar, zeros.out, { maxRatio: 10 })).bytes, 16 << 20);
  const files = craftTar(Array.from({ length: 5 }, (_, i) => ({ name: `${i}`, data: Buffer.alloc(4 << 20) })));
  const bomb = place(t, gzipSync(files));
  const grows = { code: 'E_TAR_BOMB', message: /all together would grow .* maxRatio = 100; / };
  await t.rejects(untar(bomb.tar, bomb.out, { maxRatio: 100 }), grows);
  await t.rejects(untar(bomb.tar, bomb.out, { maxBytes: 20e6 }), {
    code: 'E_TAR_BOMB',
    message: /maxBytes = 20000000/,
  });
  await t.rejects(untar(bomb.tar, bomb.out, { maxEntries: 4 }), { code: 'E_TAR_BOMB', message: /maxEntries = 4/ });
  t.equal((await untar(bomb.tar, bomb.out, { maxRatio: 1e6 })).files, 5);
  const behind = place(t, gzipSync(craftTar([{ name: 'a' }], Buffer.alloc(20 << 20))));
  await t.rejects(untar(behind.tar, behind.out, { maxRatio: 100 }), {
    code: 'E_TAR_BOMB',
    message: /behind its end would grow/,
  });
});

test('what is no tar is said', async (t) => {
  const { tar, out, folder } = place(t, text('PLAIN TEXT'.repeat(100)));
  const refused = (what: RegExp) => t.rejects(untar(tar, out), { code: 'E_TAR_NOT_TAR', message: what });
  await refused(/is not a tar; give a \.tar or \.tar\.gz/);
  writeFileSync(tar, gzipSync(text('PLAIN TEXT'.repeat(100))));
  await refused(/is not a tar/);
  writeFileSync(tar, Buffer.alloc(10_240));
  await refused(/is not a tar/);
  writeFileSync(tar, '');
  await refused(/is empty/);
  await t.rejects(untar(folder, out), { code: 'E_TAR_NOT_TAR', message: /is a folder/ });
  await t.rejects(untar(join(folder, 'no.tar'), out), { code: 'E_TAR_NOT_FOUND' });
  t.same(readdirSync(folder), ['in.tar']);
});

test('a stopped extraction leaves nothing', async (t) => {
  const { tar, out, folder } = place(t, craftTar([{ name: 'a', data: Buffer.alloc(3 << 20) }, { name: 'b' }]));
  const stop = new AbortController();
  const run = untar(tar, out, { signal: stop.signal, onProgress: () => stop.abort() });
  await t.rejects(run, { code: 'E_TAR_ABORTED' });
  t.same(readdirSync(folder), ['in.tar']);
});

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { test } from 'tap';
import type { ArchiveSource } from '../../sdk/archive/archive-source.js';
import { unpack } from '../../sdk/archive/unpack.js';
import { StorageError } from '../../sdk/base/errors.js';
import { seededRandom } from '../../sdk/base/random.js';
import { craftZip, zip64End } from './craft.js';
import { craftTar } from './craft-tar.js';

interface Counted extends ArchiveSource {
  readonly reads: [start: number, end: number][];
}

/** An archive that lies elsewhere, and comes in pieces of no convenient size. */
function elsewhere(bytes: Buffer, size = bytes.length): Counted {
  const reads: [number, number][] = [];
  return {
    name: 'far://in',
    size,
    reads,
    read(start, end) {
      reads.push([start, end]);
      const asked = bytes.subarray(start, end);
      return Readable.from(
        (function* () {
          for (let at = 0; at < asked.length; at += 9973) yield asked.subarray(at, at + 9973);
        })(),
        { objectMode: false },
      );
    },
  };
}

const random = seededRandom(1, 'contents');
const noise = (length: number): Buffer => Buffer.from(Array.from({ length }, () => random.below(256)));
const FILES = Array.from({ length: 1500 }, (_, i) => ({
  name: `class ${i % 10}/${i}.bin`,
  data: i % 1000 === 7 ? Buffer.alloc((2 << 20) + i, noise(5000)) : noise(200 + (i % 500)),
}));

function checkFiles(out: string): boolean {
  return FILES.every(({ name, data }) => readFileSync(join(out, name)).equals(data));
}

test('a zip elsewhere costs a request for its start, one for its end, one for its directory and one for all files', async (t) => {
  const out = join(t.testdir({}), 'out');
  const bytes = craftZip(FILES.map((file, i) => ({ ...file, method: i % 2 === 0 ? 8 : 0 })));
  const source = elsewhere(bytes);
  let last = { packed: 0, files: 0 };
  const done = await unpack(source, out, { onProgress: (progress) => (last = progress) });
  t.same(done, { files: 1500, bytes: FILES.reduce((sum, { data }) => sum + data.length, 0) });
  t.ok(checkFiles(out));
  t.equal(source.reads.length, 4);
  const directory = bytes.readUInt32LE(bytes.length - 6);
  t.same(source.reads.at(-1), [0, directory]);
  t.equal(last.packed, directory, 'progress ends where the files end');
});

test('a directory that is sorted otherwise than the files costs no more requests', async (t) => {
  const out = join(t.testdir({}), 'out');
  const whole = craftZip(FILES);
  const at = whole.readUInt32LE(whole.length - 6);
  const entries: Buffer[] = [];
  for (let place = at; whole.readUInt32BE(place) === 0x504b0102; ) {
    const end = place + 46 + whole.readUInt16LE(place + 28) + whole.readUInt16LE(place + 30);
    entries.unshift(whole.subarray(place, end));
    place = end;
  }
  const source = elsewhere(Buffer.concat([whole.subarray(0, at), ...entries, whole.subarray(-22)]));
  t.equal((await unpack(source, out)).files, 1500);
  t.ok(checkFiles(out));
  t.equal(source.reads.length, 4);
});

test('a tar elsewhere costs one request, and one for its start, packed or not', async (t) => {
  const out = join(t.testdir({}), 'out');
  const tar = craftTar(FILES);
  for (const bytes of [tar, gzipSync(tar, { level: 1 })]) {
    const source = elsewhere(bytes);
    let packed = 0;
    const done = await unpack(source, out, { onProgress: (progress) => (packed = progress.packed) });
    t.equal(done.files, 1500);
    t.ok(checkFiles(out));
    t.same(source.reads, [
      [0, 512],
      [0, bytes.length],
    ]);
    t.ok(packed > bytes.length - 20_000 && packed <= bytes.length, 'progress is in bytes of the archive');
  }
});

test('more than 65 535 files, in the 64-bit form, come out all', async (t) => {
  const out = join(t.testdir({}), 'out');
  const names = Array.from({ length: 66_000 }, (_, i) => ({ name: `${i % 100}/${i}` }));
  const files = craftZip(names, { count: 0xffff }).subarray(0, -22);
  const start = files.indexOf('PK\x01\x02');
  const source = elsewhere(Buffer.concat([files, zip64End(66_000n, BigInt(start), files.length)]));
  t.same(await unpack(source, out), { files: 66_000, bytes: 0 });
  t.equal(
    readdirSync(out).reduce((sum, name) => sum + readdirSync(join(out, name)).length, 0),
    66_000,
  );
  t.ok(source.reads.length <= 6, `${source.reads.length} requests`);
});

test('what a source says is wrong with it is said as it says it, and nothing is left', async (t) => {
  const folder = t.testdir({});
  const bytes = craftZip(FILES);
  for (const after of [0, 1, 2, 3]) {
    const source = elsewhere(bytes);
    const broken: ArchiveSource = {
      ...source,
      read(start, end) {
        if (source.reads.length < after) return source.read(start, end);
        source.reads.push([start, end]);
        return Readable.from(
          // oxlint-disable-next-line require-yield -- it fails before it gives anything
          (function* (): Generator<Buffer> {
            throw new StorageError('E_DENIED', 'far://in: no key');
          })(),
        );
      },
    };
    await t.rejects(
      unpack(broken, join(folder, 'out')),
      { name: 'StorageError', code: 'E_DENIED' },
      `request ${after}`,
    );
    t.same(readdirSync(folder), []);
  }
});

test('an archive that is shorter than its source says is refused', async (t) => {
  const out = join(t.testdir({}), 'out');
  const zip = craftZip(FILES);
  await t.rejects(unpack(elsewhere(zip, zip.length + 70_000), out), {
    code: 'E_ZIP_TRUNCATED',
    message: /^far:\/\/in: /,
  });
  const tar = craftTar(FILES);
  await t.rejects(unpack(elsewhere(tar.subarray(0, 100_000), tar.length), out), { code: 'E_TAR_TRUNCATED' });
  t.notOk(existsSync(out));
});

test('an extraction is stopped even while nothing comes', async (t) => {
  const folder = t.testdir({});
  for (const [bytes, code] of [
    [craftZip(FILES), 'E_ZIP_ABORTED'],
    [craftTar(FILES), 'E_TAR_ABORTED'],
    [gzipSync(craftTar(FILES), { level: 1 }), 'E_TAR_ABORTED'],
  ] as const) {
    // The last request of each kind: for the files themselves.
    for (const stalled of code === 'E_ZIP_ABORTED' ? [1, 2, 3] : [1]) {
      const source = elsewhere(bytes);
      const stop = new AbortController();
      const silent: ArchiveSource = {
        ...source,
        read(start, end) {
          if (source.reads.length < stalled) return source.read(start, end);
          source.reads.push([start, end]);
          return new Readable({ read: () => stop.abort() });
        },
      };
      await t.rejects(unpack(silent, join(folder, 'out'), { signal: stop.signal }), { code }, `${code} at ${stalled}`);
      t.same(readdirSync(folder), []);
    }
  }
});

test('what is no archive is said, and a folder is none', async (t) => {
  const folder = t.testdir({ text: 'a,b\n1,2\n', empty: '' });
  const refused = (name: string, error: object) =>
    t.rejects(unpack(join(folder, name), join(folder, 'out')), error, name);
  await refused('text', {
    code: 'E_ARCHIVE_KIND',
    message: /text: is neither a zip nor a tar; give a \.zip, \.tar or \.tar\.gz$/,
  });
  await refused('empty', { code: 'E_ARCHIVE_KIND', message: /is empty/ });
  await refused('.', { code: 'E_ARCHIVE_KIND', message: /is a folder/ });
  await refused('none', { code: 'E_ARCHIVE_NOT_FOUND' });
  t.same(readdirSync(folder).sort(), ['empty', 'text']);
});

test('an archive that is called otherwise than it is comes out as what it is', async (t) => {
  const folder = t.testdir({});
  const made = {
    'a.tar': craftZip([{ name: 'x' }]),
    'b.zip': craftTar([{ name: 'x' }]),
    c: gzipSync(craftTar([{ name: 'x' }])),
  };
  for (const [name, bytes] of Object.entries(made)) {
    writeFileSync(join(folder, name), bytes);
    t.same(await unpack(join(folder, name), join(folder, 'out')), { files: 1, bytes: 0 }, name);
  }
});

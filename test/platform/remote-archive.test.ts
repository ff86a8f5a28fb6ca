import { once } from 'node:events';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { delimiter, join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { type Test, test } from 'tap';
import { StorageError } from '../../sdk/base/errors.js';
import { prepareData } from '../../sdk/platform/prepare.js';
import { workFolder } from '../../sdk/platform/work-folders.js';
import type { Entry, Store } from '../../sdk/storage/store.js';
import { craftZip } from '../archive/craft.js';
import { craftTar } from '../archive/craft-tar.js';

/** A server that gives its files in ranges, and notes what it was asked for. */
async function serve(t: Test, files: Record<string, Buffer>): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const name = decodeURIComponent((request.url ?? '').slice(1));
    const { range = '' } = request.headers;
    requests.push(`${name} ${range}`);
    const [, start, last] = /^bytes=(\d+)-(\d+)$/.exec(range) ?? [];
    const asked = files[name]?.subarray(Number(start), Number(last) + 1);
    response.writeHead(asked === undefined ? 404 : 206).end(asked);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, requests };
}

/** A store over such a server, as far as reading goes: `far://bucket/name`. */
function storeOf(url: string, files: Record<string, Buffer>): Store {
  const nameIn = (address: string): string => address.replace(/^far:\/\/bucket\/?/, '').replace(/\/$/, '');
  const entryOf = (name: string, content: Buffer): Entry => ({
    kind: 'file',
    size: content.length,
    modified: 1,
    version: `of ${name}`,
  });
  const refuse = (): never => {
    throw new StorageError('E_READ_ONLY', 'far:// is for reading');
  };
  return {
    keepsTimes: false,
    async stat(address) {
      const name = nameIn(address);
      const content = files[name];
      if (content !== undefined) return entryOf(name, content);
      const isFolder = Object.keys(files).some((file) => file.startsWith(name === '' ? '' : `${name}/`));
      return isFolder ? { kind: 'folder', size: 0, modified: 0 } : undefined;
    },
    async *list(address) {
      const prefix = nameIn(address) === '' ? '' : `${nameIn(address)}/`;
      for (const [file, content] of Object.entries(files)) {
        const name = file.slice(prefix.length);
        if (file.startsWith(prefix)) yield { ...entryOf(file, content), name };
      }
    },
    read(address, { start = 0, end = Number.MAX_SAFE_INTEGER, version } = {}) {
      const name = nameIn(address);
      if (version !== `of ${name}`) return refuse();
      return Readable.from(
        (async function* () {
          const headers = { range: `bytes=${start}-${end - 1}` };
          const { status, body } = await fetch(`${url}/${encodeURIComponent(name)}`, { headers });
          if (status !== 206 || body === null) throw new StorageError('E_HTTP', `${address}: HTTP ${status}`);
          yield* body;
        })(),
        { objectMode: false },
      );
    },
    write: refuse,
    upload: refuse,
    remove: refuse,
    makeFolder: refuse,
    locate: async (address) => address,
  };
}

const ENTRIES = Array.from({ length: 500 }, (_, i) => ({ name: `train/${i}`, data: Buffer.alloc(3000, `image ${i}`) }));
const ARCHIVES = {
  'set.zip': craftZip(ENTRIES),
  'set.tar': craftTar(ENTRIES),
  'a b/set.tar.gz': gzipSync(craftTar(ENTRIES), { level: 1 }),
};

test('an archive in a store is unpacked while it comes: few requests, and no copy of it on the disk', async (t) => {
  for (const [name, most] of Object.entries({ 'set.zip': 3, 'set.tar': 2, 'a b/set.tar.gz': 2 })) {
    const cache = t.testdir({});
    process.env['MINDTS_CACHE'] = cache;
    const { url, requests } = await serve(t, ARCHIVES);
    const store = storeOf(url, ARCHIVES);
    const data = await prepareData(`far://bucket/${name}`, { store });
    for (const file of ENTRIES) {
      if (!readFileSync(join(data, file.name)).equals(file.data)) t.fail(`${name}: ${file.name}`);
    }
    t.equal(requests.length, most, requests.join('\n'));
    const folder = workFolder('data', `far://bucket/${name}`);
    t.equal(data, folder);
    const left = readdirSync(join(cache, 'data'));
    t.same(left.map((item) => join(cache, 'data', item)).sort(), [folder, `${folder}.prepared`]);
    t.equal(await prepareData(`far://bucket/${name}`, { store }), data);
    t.equal(requests.length, most, 'nothing is read the second time');
  }
});

test('a folder in a store that holds one archive stands for it, and one with two is refused', async (t) => {
  process.env['MINDTS_CACHE'] = t.testdir({});
  const { url, requests } = await serve(t, ARCHIVES);
  const data = await prepareData('far://bucket/a b', { store: storeOf(url, ARCHIVES) });
  t.equal(data, workFolder('data', 'far://bucket/a b/set.tar.gz'));
  t.equal(requests.length, 2);
  const two = { 'up/a.tgz': Buffer.of(), 'up/b.ZIP': Buffer.of() };
  await t.rejects(prepareData('far://bucket/up', { store: storeOf(url, two) }), {
    code: 'E_DATA_URL',
    message: /^--data_url far:\/\/bucket\/up: holds 2 archives; name one of a\.tgz, b\.ZIP$/,
  });
});

test('what the server or the archive has wrong is said by its URL, and no half of it is taken for a data set', async (t) => {
  const cache = t.testdir({});
  process.env['MINDTS_CACHE'] = cache;
  const { url } = await serve(t, {});
  const refused = (name: string, files: Record<string, Buffer>, code: string) =>
    t.rejects(prepareData(`far://bucket/${name}`, { store: storeOf(url, files) }), {
      code,
      message: /far:\/\/bucket\//,
    });
  await refused('set.zip', ARCHIVES, 'E_HTTP');
  const damaged = Buffer.from(ARCHIVES['set.tar']);
  damaged.fill(0xff, 200_000, 210_000);
  for (const [bytes, code] of [
    [ARCHIVES['set.zip'].subarray(0, -100), 'E_ZIP_TRUNCATED'],
    [damaged, 'E_TAR_DAMAGED'],
    [Buffer.from('a,b'), 'E_DATA_URL'],
  ] as const) {
    const files = { set: bytes };
    const served = await serve(t, files);
    await t.rejects(prepareData('far://bucket/set', { store: storeOf(served.url, files) }), { code });
  }
  t.same(readdirSync(join(cache, 'data')), []);
});

test('files are flushed to the disk before the marker says that they are there', async (t) => {
  const folder = t.testdir({ bin: {}, cache: {} });
  process.env['MINDTS_CACHE'] = join(folder, 'cache');
  writeFileSync(join(folder, 'set.zip'), ARCHIVES['set.zip']);
  const data = workFolder('data', join(folder, 'set.zip'));
  const command = (end: string): void => {
    const script = `#!/bin/sh\n[ -e '${data}/train/499' ] && [ ! -e '${data}.prepared' ] && echo "sync $*" >> '${folder}/calls'\n${end}\n`;
    writeFileSync(join(folder, 'bin/sync'), script);
    chmodSync(join(folder, 'bin/sync'), 0o755);
  };
  const before = process.env['PATH'];
  process.env['PATH'] = `${join(folder, 'bin')}${delimiter}${before}`;
  t.teardown(() => {
    process.env['PATH'] = before;
  });
  command('exit 1');
  await t.rejects(prepareData(join(folder, 'set.zip')), { code: 'E_WRITE', message: /cannot flush .* with the sync/ });
  t.notOk(existsSync(`${data}.prepared`));
  command('[ "$1" != -f ]');
  t.equal(await prepareData(join(folder, 'set.zip')), data);
  t.equal(readFileSync(join(folder, 'calls'), 'utf8'), `sync -f ${data}\nsync \n`.repeat(2));
  t.equal(readFileSync(`${data}.prepared`, 'utf8').length > 0, true);
});

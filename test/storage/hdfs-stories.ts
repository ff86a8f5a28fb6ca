/** What is true of the store of HDFS, whichever server is behind it: our small one, and Hadoop itself. */
import { request } from 'node:http';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { type Test, test } from 'tap';
import { partialName } from '../../sdk/base/files.js';
import { hdfsStore as store } from '../../sdk/storage/hdfs.js';

export interface HdfsPlace {
  /** A folder that nobody else uses; it need not be there. */
  readonly folder: string;
  /** The same as another user, who may write nothing there. */
  readonly asStranger: string;
  /** The URL of WebHDFS, for requests that the store would not make, with all that they need in their query. */
  readonly raw: (path: string, query: string) => URL;
  /** Whether it replaces files at one stroke. */
  readonly replaces: boolean;
}

const TIME = 1_700_000_000_123;
export const read = (url: string, range?: { start?: number; end?: number }): Promise<Buffer> =>
  buffer(store.read(url, range));

/** Bytes that differ from one another wherever one looks. */
export function noise(size: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0, seed = 1; i < size; i++) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) >>> 0;
    bytes[i] = seed >>> 24;
  }
  return bytes;
}

export async function names(url: string, recursive: boolean): Promise<string[]> {
  const found: string[] = [];
  for await (const { name, kind } of store.list(url, { recursive })) found.push(kind === 'folder' ? `${name}/` : name);
  return found;
}

/** All that lies in a folder, hidden names too. */
export async function raw(place: HdfsPlace, folder: string): Promise<string[]> {
  const { body } = await send(place.raw(folder, 'op=LISTSTATUS'), 'GET');
  const { FileStatuses }: { FileStatuses: { FileStatus: { pathSuffix: string }[] } } = JSON.parse(body);
  return FileStatuses.FileStatus.map(({ pathSuffix }) => pathSuffix);
}

/** Registers the tests. */
export function hdfsStories(
  title: string,
  open: (t: Test) => Promise<HdfsPlace>,
  options: { readonly skip?: string | false } = {},
): void {
  const story = (name: string, tell: (t: Test, place: HdfsPlace) => Promise<void>): void => {
    test(`${title}: ${name}`, { ...options, timeout: 120_000 }, async (t) => tell(t, await open(t)));
  };

  story('a file written is there whole, with the time it was given, and nothing beside it', async (t, place) => {
    const url = `${place.folder}/deep/er/a.bin`;
    await store.write(url, Readable.from([Buffer.from('ab'), Buffer.from('cd')]), { modified: TIME });
    t.match(await store.stat(url), { kind: 'file', size: 4, modified: TIME });
    t.match(await store.stat(`${place.folder}/deep`), { kind: 'folder', size: 0 });
    t.equal((await read(url)).toString(), 'abcd');
    await store.write(url, Buffer.from('xyz'), { modified: TIME + 1 });
    t.equal((await read(url)).toString(), 'xyz', 'over an older one');
    t.match(await store.stat(url), { size: 3, modified: TIME + 1 });
    await store.write(`${place.folder}/deep/er/empty`, new Uint8Array(), { modified: TIME });
    t.match(await store.stat(`${place.folder}/deep/er/empty`), { kind: 'file', size: 0, modified: TIME });
    t.equal((await read(`${place.folder}/deep/er/empty`)).length, 0);
    t.same(await raw(place, `${place.folder}/deep/er`), ['a.bin', 'empty']);
  });

  story('names are paths as they are written', async (t, place) => {
    const strange = [
      '手写 数字',
      '100%',
      '100%25',
      'a b',
      'a#b',
      'a+b',
      'a;b',
      'a?b',
      'a&b=c',
      "a'b",
      'a"b',
      'a\\b',
      '😀',
      'x'.repeat(255),
    ];
    for (const name of strange) await store.write(`${place.folder}/${name}`, Buffer.from(name));
    t.same((await names(place.folder, true)).toSorted(), strange.toSorted());
    for (const name of strange) t.equal((await read(`${place.folder}/${name}`)).toString(), name);
    for (const name of strange) await store.remove(`${place.folder}/${name}`);
    t.same(await raw(place, place.folder), []);
  });

  story('a range counts its start in and its end out', async (t, place) => {
    await store.write(`${place.folder}/digits`, Buffer.from('0123456789'));
    await fc.assert(
      fc.asyncProperty(fc.nat(12), fc.nat(12), async (start, end) => {
        const content = await read(`${place.folder}/digits`, { start, end });
        return content.toString() === '0123456789'.slice(start, Math.max(start, end));
      }),
      { numRuns: 10 },
    );
  });

  story('a file of many blocks comes back as it went, and has the checksum that Hadoop gives', async (t, place) => {
    const url = `${place.folder}/blocks`;
    const content = noise(5_300_000);
    await store.write(url, Readable.from([content.subarray(0, 7), content.subarray(7)]), { modified: TIME });
    t.ok((await read(url)).equals(content));
    t.ok((await read(url, { start: 1_048_570, end: 2_100_000 })).equals(content.subarray(1_048_570, 2_100_000)));
    const entry = await store.stat(url);
    t.same(entry?.digest, { algorithm: 'md5-crc32c', value: '1a3e8a498a8129d10c7346fcb7f8567b', blockSize: 1 << 20 });
    t.equal((await buffer(store.read(url, { version: entry?.version }))).length, content.length);
    await store.write(url, Buffer.from('other'), { modified: TIME });
    await t.rejects(buffer(store.read(url, { version: entry?.version })), { code: 'E_CHANGED' });
  });

  story(
    'a list is in the order of the names as object stores have it, page after page, without what is hidden',
    async (t, place) => {
      const files = [
        'a!',
        'a.txt',
        'a/1',
        'a/b/2',
        'a0',
        ...Array.from({ length: 12 }, (_, i) => `b${i}`),
        'é',
        'aé',
        'a中/é',
        'a中/b',
        '中',
        '😀',
        '\ufb01',
      ];
      for (const name of files) await store.write(`${place.folder}/${name}`, Buffer.from(name));
      await store.makeFolder(`${place.folder}/a-b/empty`);
      await store.write(`${place.folder}/${partialName('killed')}`, Buffer.from('half'));
      const byBytes = (all: string[]): string[] =>
        all.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
      t.same(await names(place.folder, true), byBytes(files));
      t.same(
        await names(place.folder, false),
        byBytes([...files.filter((name) => !name.includes('/')), 'a/', 'a-b/', 'a中/']),
      );
      const all: string[] = [];
      for await (const { name, size } of store.list(`${place.folder}/`)) all.push(`${name} ${size}`);
      t.same(
        all,
        byBytes(files).map((name) => `${name} ${Buffer.byteLength(name)}`),
      );
    },
  );

  story('an upload goes on behind the last whole part that a killed process left', async (t, place) => {
    const url = `${place.folder}/up.bin`;
    const content = noise(2_500_000);
    const plan = { size: content.length, partSize: 700_000, modified: TIME, source: 'the same' };
    const part = (i: number): Buffer => content.subarray(i * plan.partSize, (i + 1) * plan.partSize);
    const first = await store.upload(url, plan);
    t.ok(first.inOrder);
    t.same([await first.put(0, part(0)), await first.put(1, part(1))], [true, true]);
    await first.leave();
    const [hidden] = await raw(place, place.folder);
    await cutAppend(place.raw(`${place.folder}/${hidden}`, 'op=APPEND'), part(2), 300_000);
    t.equal(await store.stat(url), undefined, 'nothing at its place');
    t.same(await names(place.folder, true), []);

    const second = await store.upload(url, plan);
    const moved: boolean[] = [];
    for (const i of [0, 1, 2, 3]) moved.push(await second.put(i, part(i)));
    t.same(moved, [false, false, true, true]);
    await second.finish();
    t.ok((await read(url)).equals(content));
    t.match(await store.stat(url), { size: content.length, modified: TIME });
    t.same(await raw(place, place.folder), ['up.bin']);

    const other = await store.upload(url, { ...plan, source: 'another' });
    t.equal(await other.put(0, part(3)), true);
    await other.abandon();
    t.same(await raw(place, place.folder), ['up.bin'], 'one that is given up leaves nothing');
    t.ok((await read(url)).equals(content));
    const none = await store.upload(`${place.folder}/none`, { ...plan, size: 0 });
    await none.finish();
    t.match(await store.stat(`${place.folder}/none`), { size: 0, modified: TIME });
  });

  story('several that write the same at once end with one whole file', async (t, place) => {
    const url = `${place.folder}/same`;
    const content = noise(100_000);
    const writers = Array.from({ length: 4 }, () => store.write(url, content, { modified: TIME }));
    const results = await Promise.allSettled(writers);
    for (const result of results) if (result.status === 'rejected') t.match(result.reason, { code: 'E_CHANGED' });
    t.ok(results.some(({ status }) => status === 'fulfilled'));
    t.same(await raw(place, place.folder), ['same']);
    t.ok((await read(url)).equals(content));
  });

  story('a stream that fails half way leaves the old file and nothing beside it', async (t, place) => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield Buffer.alloc(17 << 20, 7);
      throw new Error('the line went dead');
    }
    await store.write(`${place.folder}/a`, Buffer.from('old'));
    await t.rejects(store.write(`${place.folder}/a`, Readable.from(broken())), /the line went dead/);
    t.same(await raw(place, place.folder), ['a']);
    t.equal((await read(`${place.folder}/a`)).toString(), 'old');
  });

  story(
    'bytes are added to the end of a file, and taken back when the rest of them does not come',
    async (t, place) => {
      const url = `${place.folder}/log`;
      await store.write(url, Buffer.from('one\n'));
      await store.append(url, Buffer.from('two\n'));
      await store.append(url, Readable.from([Buffer.from('thr'), Buffer.from('ee\n')]));
      t.equal((await read(url)).toString(), 'one\ntwo\nthree\n');
      async function* broken(): AsyncGenerator<Buffer> {
        yield Buffer.alloc(17 << 20, 7);
        throw new Error('the line went dead');
      }
      await t.rejects(store.append(url, Readable.from(broken())), /the line went dead/);
      t.equal((await read(url)).toString(), 'one\ntwo\nthree\n');
      await t.rejects(store.append(`${place.folder}/none`, Buffer.from('x')), { code: 'E_NOT_FOUND' });
    },
  );

  story('files and folders get other names, and go', async (t, place) => {
    const at = (name: string): string => `${place.folder}/${name}`;
    for (const name of ['a', 'b', 'd/x', 'e/y']) await store.write(at(name), Buffer.from(name));
    t.equal(await store.rename?.(at('a'), at('new/deep')), true);
    t.equal(await store.stat(at('a')), undefined);
    t.equal((await read(at('new/deep'))).toString(), 'a');
    t.equal(await store.rename?.(at('b'), at('new/deep')), place.replaces);
    t.equal((await read(at('new/deep'))).toString(), place.replaces ? 'b' : 'a');
    t.equal(await store.rename?.(at('d'), at('moved')), true);
    t.same(await names(at('moved'), true), ['x']);
    t.equal(await store.rename?.(at('new/deep'), at('e')), false, 'not into a folder');
    t.equal(await store.rename?.(at('moved'), at('e')), false);
    t.same(await names(at('e'), true), ['y']);
    await store.remove(at('e'));
    await store.remove(at('e'));
    await store.remove(at('new/deep/'));
    t.equal((await store.stat(at('new/deep')))?.kind, 'file', 'a file is no folder');
    await store.remove(at('new/deep/below'));
    t.same(
      (await names(place.folder, false)).filter((name) => name !== 'b'),
      ['moved/', 'new/'],
    );
    await t.rejects(store.remove(place.folder.replace(/(:\/\/[^/]*\/).*/, '$1')), {
      code: 'E_DENIED',
      message: /whole of HDFS/,
    });
  });

  story('what cannot be is an error that names the URL and the server', async (t, place) => {
    const at = (name: string): string => `${place.folder}/${name}`;
    const shown = (name: string): RegExp =>
      new RegExp(
        `${at(name)
          .replace(/\/\/[^/@]*@/, '//')
          .replaceAll('.', '\\.')}.* \\(http://[^ ]+:\\d+, HTTP \\d+\\); `,
      );
    await store.write(at('file'), Buffer.from('x'));
    await store.makeFolder(at('folder'));
    await store.makeFolder(at('folder'));
    await t.rejects(store.write(at('file/below'), Buffer.from('x')), {
      code: 'E_NOT_FOLDER',
      message: shown('file/below'),
    });
    await t.rejects(store.makeFolder(at('file')), { code: 'E_NOT_FOLDER', message: shown('file') });
    await t.rejects(store.makeFolder(at('file/below')), { code: 'E_NOT_FOLDER' });
    await t.rejects(store.write(at('folder'), Buffer.from('x')), { code: 'E_NOT_FILE', message: /name a file in it/ });
    await t.rejects(store.upload(at('folder'), { size: 1, partSize: 1, modified: 1, source: '' }), {
      code: 'E_NOT_FILE',
    });
    await t.rejects(store.write(`${at('new')}/`, Buffer.from('x')), { code: 'E_NOT_FILE' });
    await t.rejects(read(at('none')), { code: 'E_NOT_FOUND' });
    await t.rejects(read(at('folder')), { code: 'E_NOT_FILE' });
    await t.rejects(names(at('none'), true), { code: 'E_NOT_FOUND', message: shown('none') });
    await t.rejects(names(at('file'), true), { code: 'E_NOT_FOLDER' });
    await t.rejects(store.write(at('a:b'), Buffer.from('x')), { code: 'E_NAME' });
    await t.rejects(store.write(at('../up'), Buffer.from('x')), { code: 'E_URL' });
    t.equal(await store.stat(at('none')), undefined);
    t.equal(await store.stat(at('file/below')), undefined);
    t.equal(await store.stat(`${at('file')}/`), undefined, 'a file where a folder is asked for');
    t.same(await raw(place, place.folder), ['file', 'folder'], 'nothing is left behind');

    const stranger = `${place.asStranger}/file`;
    await t.rejects(store.write(stranger, Buffer.from('y')), {
      code: 'E_DENIED',
      message: /Permission denied: user=stranger.*HADOOP_USER_NAME$/,
    });
    await t.rejects(store.append(stranger, Buffer.from('y')), { code: 'E_DENIED' });
    await t.rejects(store.remove(stranger), { code: 'E_DENIED' });
    await t.rejects(store.makeFolder(`${place.asStranger}/new`), { code: 'E_DENIED' });
    t.equal((await read(stranger)).toString(), 'x');
  });
}

async function send(url: URL, method: string, data?: Buffer): Promise<{ location: string | undefined; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, agent: false }, (response) => {
      buffer(response).then((body) => resolve({ location: response.headers.location, body: body.toString() }), reject);
    });
    sent.on('error', reject);
    sent.end(data);
  });
}

/** A writer that is killed: it says how much it sends, sends a part of that, and is gone. Comes back when the server has noticed. */
async function cutAppend(url: URL, data: Buffer, sent: number): Promise<void> {
  const { location, body } = await send(url, 'POST');
  const place = location ?? String(JSON.parse(body).Location);
  await new Promise<void>((resolve) => {
    const headers = { 'content-type': 'application/octet-stream', 'content-length': data.length };
    const writer = request(place, { method: 'POST', agent: false, headers }, () => {});
    writer.on('close', () => resolve());
    writer.on('error', () => resolve());
    writer.write(data.subarray(0, sent), () => writer.destroy());
  });
}

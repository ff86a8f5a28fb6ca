import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { type Test, test } from 'tap';
import { copyParallel } from '../../sdk/storage/copy.js';
import { hasherFor } from '../../sdk/storage/digest.js';
import { hdfsStore as store } from '../../sdk/storage/hdfs.js';
import { hdfsSettings } from '../../sdk/storage/hdfs-settings.js';
import { BLOCK_SIZE } from '../services/hdfs-files.js';
import { startWebHdfs, type WebHdfs, type WebHdfsOptions } from '../services/webhdfs.js';
import { hdfsStories, names, noise, read } from './hdfs-stories.js';

process.env['MINDTS_RETRY_WAIT_MS'] = '1';
for (const name of ['WEBHDFS_ENDPOINT', 'HADOOP_CONF_DIR', 'HADOOP_USER_NAME', 'HADOOP_TOKEN'])
  delete process.env[name];

function setEnvironment(t: Test, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    process.env[name] = value;
    t.teardown(() => delete process.env[name]);
  }
}

for (const { title, query, options } of [
  { title: 'WebHDFS that redirects', query: '', options: {} },
  { title: 'WebHDFS that names the datanode in JSON', query: '?noredirect=true', options: {} },
  { title: 'HttpFS', query: '', options: { isHttpFs: true } },
  { title: 'HttpFS that names itself in JSON', query: '?noredirect=true', options: { isHttpFs: true } },
  { title: 'an old WebHDFS', query: '', options: { without: ['LISTSTATUS_BATCH'] } },
] satisfies { title: string; query: string; options: WebHdfsOptions }[]) {
  hdfsStories(title, async (t) => {
    const { address } = await startWebHdfs(t, options);
    setEnvironment(t, { WEBHDFS_ENDPOINT: `http://${address}/${query}` });
    return {
      folder: 'hdfs://hdfs@cluster/tests/here',
      asStranger: 'hdfs://stranger@cluster/tests/here',
      raw: (url, operation) =>
        new URL(`http://${address}/webhdfs/v1${new URL(url).pathname}?user.name=hdfs&${operation}`),
      replaces: !('isHttpFs' in options),
    };
  });
}

async function start(t: Test, options: WebHdfsOptions = {}): Promise<{ server: WebHdfs; folder: string }> {
  const server = await startWebHdfs(t, options);
  return { server, folder: `webhdfs://hdfs@${server.address}/f` };
}

const operations = ({ seen }: WebHdfs): string[] => seen.map(({ op }) => op);

test('the checksum is the one that Hadoop 3.4.1 gives', async (t) => {
  const sumOf = (data: Buffer, blockSize = BLOCK_SIZE): string => {
    const hasher = hasherFor({ algorithm: 'md5-crc32c', value: '', blockSize });
    for (let at = 0; at < data.length; at += 777) hasher.update(data.subarray(at, at + 777));
    return hasher.value();
  };
  t.equal(sumOf(Buffer.from('hello2')), 'da63a5e5b3e33bf24079d05933fe540c');
  t.equal(sumOf(Buffer.from('hello')), '2ebac5fafc444475c9720587791d7412');
  t.equal(sumOf(Buffer.alloc(0)), '70bc8f4b72a86921468bf8e8441dce51', 'of nothing: 32 zeros');
  t.equal(sumOf(noise(2 * BLOCK_SIZE)), sumOf(noise(2 * BLOCK_SIZE)));
});

test('reading goes on where the connection broke', async (t) => {
  const { server, folder } = await start(t);
  const content = noise(300_000);
  await store.write(`${folder}/a`, content);
  server.faults.push({ op: 'OPEN', cutAfter: 100_000 }, { op: 'OPEN', cutAfter: 50_000 }, { op: 'OPEN', cutAfter: 0 });
  t.ok((await read(`${folder}/a`)).equals(content));
  const offsets = server.seen
    .filter(({ op, query }) => op === 'OPEN' && query.has('offset'))
    .map(({ query }) => Number(query.get('offset')));
  t.ok(new Set(offsets).size >= 3, `from where it had come: ${offsets}`);
  server.faults.push(...Array.from({ length: 20 }, () => ({ op: 'OPEN', cutAfter: 0 })));
  await t.rejects(read(`${folder}/a`), { code: 'E_NETWORK', message: /the connection broke.* \(http:\/\/127/ });
});

test('bytes that come damaged are noticed, on the way here and on the way there', async (t) => {
  const { server, folder } = await start(t);
  await store.write(`${folder}/a`, noise(1000));
  server.faults.push({ op: 'OPEN', flip: true });
  await t.rejects(read(`${folder}/a`), { name: 'PassingFailure', code: 'E_CHECKSUM' });
  server.faults.push({ op: 'CREATE', flip: true });
  await t.rejects(store.write(`${folder}/b`, noise(1000)), { name: 'PassingFailure', code: 'E_CHECKSUM' });
  t.same(
    server.files.list('/f').map(({ pathSuffix }) => pathSuffix),
    ['a'],
    'nothing of it stays',
  );
});

test('a write whose connections break is tried again, and no byte is there twice', async (t) => {
  const { server, folder } = await start(t);
  const content = noise(40 << 20);
  server.faults.push({ op: 'CREATE', cutAfter: 1_000_000 }, { op: 'CREATE', loseAnswer: true });
  server.faults.push({ op: 'APPEND', cutAfter: 1_000_000 }, { op: 'APPEND', loseAnswer: true });
  server.faults.push({ op: 'SETTIMES', loseAnswer: true }, { op: 'RENAME', loseAnswer: true });
  await store.write(`${folder}/a`, Readable.from([content]), { modified: 1_700_000_000_123 });
  t.same(server.faults, []);
  t.ok(server.files.read('/f/a', 0, Number.POSITIVE_INFINITY).equals(content));
  t.match(await store.stat(`${folder}/a`), { modified: 1_700_000_000_123 });
  t.ok(operations(server).includes('TRUNCATE'), 'what came of a broken append is cut off');
});

test('HttpFS replaces a file although it cannot, and puts the old one back when the new one does not come', async (t) => {
  const { server, folder } = await start(t, { isHttpFs: true });
  await store.write(`${folder}/a`, Buffer.from('old'));
  const twice = [{ op: 'RENAME', loseAnswer: true } as const, { op: 'RENAME', loseAnswer: true } as const];
  server.faults.push(...twice);
  await store.write(`${folder}/a`, Buffer.from('new'));
  t.equal((await read(`${folder}/a`)).toString(), 'new');
  t.same(
    server.files.list('/f').map(({ pathSuffix }) => pathSuffix),
    ['a'],
  );
});

test('a server that cannot cut files has an upload begun again', async (t) => {
  const { server, folder } = await start(t, { without: ['TRUNCATE'] });
  const plan = { size: 30, partSize: 10, modified: 1, source: 'x' };
  const content = noise(30);
  const first = await store.upload(`${folder}/a`, plan);
  await first.put(0, content.subarray(0, 10));
  server.faults.push({ op: 'APPEND', cutAfter: 3 });
  await t.rejects(first.put(1, content.subarray(10, 20)), {
    code: 'E_UNSUPPORTED',
    message: /TRUNCATE.*Hadoop is too old/,
  });
  const second = await store.upload(`${folder}/a`, plan);
  for (const i of [0, 1, 2]) t.equal(await second.put(i, content.subarray(10 * i, 10 * i + 10)), true);
  await second.finish();
  t.ok((await read(`${folder}/a`)).equals(content));
});

test('a file that the source no longer matches does not appear', async (t) => {
  const { folder, server } = await start(t);
  const plan = { size: 20, partSize: 10, modified: 1, source: 'x' };
  const first = await store.upload(`${folder}/a`, plan);
  await first.put(0, Buffer.from('0123456789'));
  const second = await store.upload(`${folder}/a`, plan);
  await second.put(0, Buffer.from('9876543210'));
  await second.put(1, Buffer.from('0123456789'));
  await t.rejects(second.finish(), { code: 'E_CHECKSUM' });
  t.same(server.files.list('/f'), []);
});

test('of several namenodes the active one is found, also when it is another one later', async (t) => {
  const [one, two] = [await startWebHdfs(t), await startWebHdfs(t)];
  one.standby = true;
  setEnvironment(t, {
    WEBHDFS_ENDPOINT: `127.0.0.1:1, ${one.address},http://${two.address}`,
    HADOOP_USER_NAME: 'hdfs',
  });
  await store.write('hdfs://cluster/f/a', Buffer.from('x'));
  t.equal((await read('hdfs:///f/a')).toString(), 'x');
  [one.standby, two.standby] = [false, true];
  t.equal(await store.stat('hdfs:///f/a'), undefined, 'it is the other one that is asked');
  await store.write('hdfs://cluster/f/b', Buffer.from('y'));
  t.same(await names('hdfs://cluster/f', true), ['b']);
  t.ok(one.files.list('/f').length === 1 && two.files.list('/f').length === 1);
});

test('a namenode alone that stands by, a quota and a safe mode are said', async (t) => {
  const { server, folder } = await start(t);
  const quota = 'The DiskSpace quota of /f is exceeded: quota = 10 B';
  server.faults.push({ op: 'CREATE', exception: 'DSQuotaExceededException', message: quota });
  await t.rejects(store.write(`${folder}/a`, noise(20)), {
    code: 'E_NO_SPACE',
    message: /quota of \/f is exceeded.*free some/,
  });
  server.faults.push({
    op: 'MKDIRS',
    exception: 'SafeModeException',
    message: 'Cannot create directory /f/d. Name node is in safe mode.',
  });
  await store.makeFolder(`${folder}/d`);
  t.equal((await store.stat(`${folder}/d`))?.kind, 'folder', 'when the safe mode has passed');
});

test('a delegation token goes with every request and is never shown', async (t) => {
  const { server, folder } = await start(t, { tokens: { sEcReT: 'hdfs' } });
  await t.rejects(store.stat(`${folder}/a`), { code: 'E_CREDENTIALS', message: /Kerberos.*HADOOP_TOKEN/ });
  setEnvironment(t, { HADOOP_TOKEN: 'sEcReT' });
  await store.write(`${folder}/a`, Buffer.from('x'));
  t.equal((await read(`${folder}/a`)).toString(), 'x');
  t.notOk(server.seen.slice(1).some(({ query }) => query.has('user.name') || query.get('delegation') !== 'sEcReT'));
  setEnvironment(t, { HADOOP_TOKEN: 'oLd sEcReT' });
  const error: unknown = await store.stat(`${folder}/a`).catch((reason: unknown) => reason);
  t.match(error, { code: 'E_EXPIRED', message: /HADOOP_TOKEN/ });
  t.notMatch(inspect(error, { depth: 9 }), /sEcReT/);
});

test('a server that is none, or no WebHDFS, is said', async (t) => {
  const web = createServer((_, response) => void response.end('<html>hello</html>'));
  await new Promise<void>((resolve) => void web.listen(0, '127.0.0.1', resolve));
  t.teardown(() => web.close());
  const address = web.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  await t.rejects(store.stat(`webhdfs://127.0.0.1:${address.port}/a`), {
    code: 'E_HTTP',
    message: /does not answer as WebHDFS does/,
  });
  const { server } = await start(t);
  setEnvironment(t, { WEBHDFS_ENDPOINT: `http://${server.address}/gateway` });
  await t.rejects(store.stat('hdfs:///a'), {
    code: 'E_HTTP',
    message: /there is no WebHDFS at that server.*WEBHDFS_ENDPOINT/,
  });
  setEnvironment(t, { WEBHDFS_ENDPOINT: 'http://[nonsense' });
  await t.rejects(store.stat('hdfs:///a'), { code: 'E_URL', message: /WEBHDFS_ENDPOINT/ });
});

test('folders go in and out, and what is there is not moved again', async (t) => {
  const { server, folder } = await start(t);
  const home = t.testdir({ source: { a: { '一 二': 'x'.repeat(100) } } });
  const [source, back] = [join(home, 'source'), join(home, 'back')];
  writeFileSync(join(source, 'large'), noise(9 << 20));
  t.match(await copyParallel(source, `${folder}/in`), { files: 2, skipped: 0 });
  t.match(await copyParallel(source, `${folder}/in`), { files: 0, skipped: 2 });
  t.match(await copyParallel(`${folder}/in`, back), { files: 2, bytes: 100 + (9 << 20) });
  t.match(await copyParallel(`${folder}/in`, back), { files: 0, skipped: 2 });
  t.equal(await store.locate(`${folder}/in/`), `webhdfs://${server.address}/f/in`);
});

test('which server a URL means', async (t) => {
  const conf = t.testdir({
    'core-site.xml':
      '<configuration><property><name>fs.defaultFS</name><value>hdfs://ns1</value></property></configuration>',
    'hdfs-site.xml': `<configuration>
      <!-- <property><name>dfs.ha.namenodes.ns1</name><value>old</value></property> -->
      <property><name>dfs.ha.namenodes.ns1</name><value>a, b</value></property>
      <property><name>dfs.namenode.http-address.ns1.a</name><value>one:9870</value></property>
      <property><name>dfs.namenode.http-address.ns1.b</name><value>two:50070</value><final>true</final></property>
      <property><name>dfs.namenode.https-address.ns1.a</name><value>one:9871</value></property>
    </configuration>`,
    single: {
      'hdfs-site.xml':
        '<configuration><property><name>dfs.namenode.http-address</name><value>0.0.0.0:1234</value></property></configuration>',
      'core-site.xml':
        '<configuration><property><name>fs.defaultFS</name><value>hdfs://node1:8020</value></property></configuration>',
    },
  });
  const of = (url: string, environment: Record<string, string> = {}): string[] =>
    hdfsSettings(url, { HADOOP_USER_NAME: 'li', ...environment }).endpoints.map(({ href }) => href);
  t.same(of('webhdfs://h/x'), ['http://h:9870/webhdfs/v1']);
  t.same(of('webhdfs://h:50070/x', { WEBHDFS_ENDPOINT: 'http://other' }), ['http://h:50070/webhdfs/v1']);
  t.same(of('swebhdfs://h/x'), ['https://h:9871/webhdfs/v1']);
  t.same(of('swebhdfs://[::1]:99/x'), ['https://[::1]:99/webhdfs/v1']);
  t.same(of('hdfs://h:8020/x'), ['http://h:9870/webhdfs/v1']);
  t.same(of('hdfs:///x'), []);
  t.same(of('hdfs://h/x', { WEBHDFS_ENDPOINT: 'a:1,https://b/gateway/v1?doas=li' }), [
    'http://a:1/webhdfs/v1',
    'https://b/gateway/v1?doas=li',
  ]);
  const HADOOP_CONF_DIR = conf;
  t.same(of('hdfs:///x', { HADOOP_CONF_DIR }), ['http://one:9870/webhdfs/v1', 'http://two:50070/webhdfs/v1']);
  t.same(of('hdfs://ns1/x', { HADOOP_CONF_DIR }), ['http://one:9870/webhdfs/v1', 'http://two:50070/webhdfs/v1']);
  t.same(of('swebhdfs://ns1/x', { HADOOP_CONF_DIR }), ['https://one:9871/webhdfs/v1']);
  t.same(of('hdfs://elsewhere/x', { HADOOP_CONF_DIR }), ['http://elsewhere:9870/webhdfs/v1']);
  const single = { HADOOP_CONF_DIR: join(conf, 'single') };
  t.same(of('hdfs:///x', single), ['http://node1:1234/webhdfs/v1']);
  t.same(of('hdfs://node1:8020/x', single), ['http://node1:1234/webhdfs/v1']);
  t.same(of('hdfs://node2/x', single), ['http://node2:9870/webhdfs/v1']);
  t.same(hdfsSettings('hdfs://wang@h/x', { HADOOP_USER_NAME: 'li' }).identity, ['user.name', 'wang']);
  t.same(hdfsSettings('hdfs://wang@h/x', { HADOOP_TOKEN: 'T' }).identity, ['delegation', 'T']);
  t.equal(hdfsSettings('hdfs://wang@h/x', {}).root, 'hdfs://h', 'who asks is not shown');
  await t.rejects(store.stat('hdfs:///x'), { code: 'E_URL', message: /WEBHDFS_ENDPOINT/ });
});

test('what a killed writer left is found by the next one that writes the same, and gone', async (t) => {
  const { server, folder } = await start(t);
  const write = (data: Buffer): Promise<void> => store.write(`${folder}/a`, data, { modified: 1_700_000_000_000 });
  const refusal = { exception: 'AuthenticationException', message: 'token (x) is expired' };
  server.faults.push({ op: 'RENAME', ...refusal }, { op: 'DELETE', ...refusal });
  await t.rejects(write(Buffer.from('whole')), { code: 'E_EXPIRED' });
  t.match(
    server.files.list('/f').map(({ pathSuffix }) => pathSuffix),
    [/^\.a\.[0-9a-f]{8}\.partial$/],
    'it could not be removed',
  );
  await write(Buffer.from('whole'));
  t.same(
    server.files.list('/f').map(({ pathSuffix }) => pathSuffix),
    ['a'],
  );
  t.equal(server.seen.filter(({ op, bytes }) => op === 'CREATE' && bytes > 0).length, 1, 'its bytes did not go twice');
});

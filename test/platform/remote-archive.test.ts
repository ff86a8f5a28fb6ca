/** Archives in a bucket: of a server of our own that checks OSS's signatures. */
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import tap, { test } from 'tap';
import { prepareData } from '../../sdk/platform/prepare.js';
import { workFolder } from '../../sdk/platform/work-folders.js';
import { ossStore } from '../../sdk/storage/oss.js';
import { craftZip } from '../archive/craft.js';
import { craftTar } from '../archive/craft-tar.js';
import type { ObjectServer } from '../services/object-server.js';
import { OSS_KEY, startOssServer } from '../services/oss-server.js';

const BUCKET = 'oss://training';

let started: Promise<ObjectServer> | undefined;
tap.teardown(async () => (await started)?.close());

/** Puts objects into a bucket, and returns how often bytes of one were asked for since. */
async function keep(files: Readonly<Record<string, Buffer>>): Promise<(name: string) => number> {
  const server = await (started ??= startOssServer());
  process.env['OSS_ENDPOINT'] = server.endpoint;
  process.env['OSS_REGION'] = server.region;
  process.env['OSS_ACCESS_KEY_ID'] = OSS_KEY.id;
  process.env['OSS_ACCESS_KEY_SECRET'] = OSS_KEY.secret;
  for (const [name, data] of Object.entries(files)) await ossStore.write(`${BUCKET}/${name}`, data);
  const before = server.asked.length;
  return (name) => {
    const isContent = (line: string): boolean => line.startsWith('GET ') && / 20[06]$/.test(line);
    return server.asked.slice(before).filter((line) => isContent(line) && line.includes(`${encodeURI(name)} `)).length;
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
    const requests = await keep(ARCHIVES);
    const data = await prepareData(`${BUCKET}/${name}`);
    for (const file of ENTRIES) {
      if (!readFileSync(join(data, file.name)).equals(file.data)) t.fail(`${name}: ${file.name}`);
    }
    t.equal(requests(name), most, name);
    const folder = workFolder('data', `${BUCKET}/${name}`);
    t.equal(data, folder);
    const left = readdirSync(join(cache, 'data'));
    t.same(left.map((item) => join(cache, 'data', item)).sort(), [folder, `${folder}.prepared`]);
    t.equal(await prepareData(`${BUCKET}/${name}`), data);
    t.equal(requests(name), most, 'nothing is read the second time');
  }
});

test('a folder in a store that holds one archive stands for it, and one with two is refused', async (t) => {
  process.env['MINDTS_CACHE'] = t.testdir({});
  const requests = await keep(ARCHIVES);
  const data = await prepareData(`${BUCKET}/a b`);
  t.equal(data, workFolder('data', `${BUCKET}/a b/set.tar.gz`));
  t.equal(requests('a b/set.tar.gz'), 2);
  await keep({ 'up/a.tgz': Buffer.of(), 'up/b.ZIP': Buffer.of() });
  await t.rejects(prepareData(`${BUCKET}/up`), {
    code: 'E_DATA_URL',
    message: /^--data_url oss:\/\/training\/up: holds 2 archives; name one of a\.tgz, b\.ZIP$/,
  });
});

test('what an archive has wrong is said by its URL, and no half of it is taken for a data set', async (t) => {
  const cache = t.testdir({});
  process.env['MINDTS_CACHE'] = cache;
  const damaged = Buffer.from(ARCHIVES['set.tar']);
  damaged.fill(0xff, 200_000, 210_000);
  await keep({ short: ARCHIVES['set.zip'].subarray(0, -100), damaged, text: Buffer.from('a,b') });
  const codes = { short: 'E_ZIP_TRUNCATED', damaged: 'E_TAR_DAMAGED', text: 'E_DATA_URL', absent: 'E_NOT_FOUND' };
  for (const [name, code] of Object.entries(codes)) {
    await t.rejects(prepareData(`${BUCKET}/${name}`), { code, message: new RegExp(`oss://training/${name}`) });
  }
  t.same(existsSync(join(cache, 'data')) ? readdirSync(join(cache, 'data')) : [], []);
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

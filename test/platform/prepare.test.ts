import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { mnist } from '../../sdk/dataset/mnist.js';
import { fetchFile, prepareData } from '../../sdk/platform/prepare.js';
import { onPlatform, workFolder } from '../../sdk/platform/work-folders.js';
import { startWeb } from '../services/web.js';

/** A folder of its own that also holds the cache. */
async function place(t: Test): Promise<string> {
  const folder = t.testdir();
  process.env['MINDTS_CACHE'] = join(folder, 'cache');
  await writeDigits(join(folder, 'set'), { train: 30, test: 20 });
  return folder;
}
const sizes = async (folder: string): Promise<number[]> => [
  (await mnist(folder, { split: 'train' })).size,
  (await mnist(folder, { split: 'test' })).size,
];

test('a local folder is read where it lies', async (t) => {
  const folder = await place(t);
  t.equal(await prepareData(join(folder, 'set')), join(folder, 'set'));
  t.same(await sizes(await prepareData(`file://${folder}/set`)), [30, 20]);
});

test('a zip, and a folder that holds one zip, are unpacked once', async (t) => {
  const folder = await place(t);
  mkdirSync(join(folder, 'up'));
  const zip = join(folder, 'up', 'digits.zip');
  await makeZip(join(folder, 'set'), zip);
  const data = await prepareData(zip);
  t.same(await sizes(data), [30, 20]);
  t.equal(await prepareData(join(folder, 'up')), data, 'the folder stands for the zip in it');
  writeFileSync(join(data, 'kept'), '');
  t.equal(await prepareData(zip), data);
  t.ok(existsSync(join(data, 'kept')), 'not unpacked again');
  utimesSync(zip, 1, 1);
  await prepareData(zip);
  t.notOk(existsSync(join(data, 'kept')), 'a changed zip is unpacked again');
});

test('a tar and a tar.gz are unpacked, too, whatever they are called', async (t) => {
  const folder = await place(t);
  for (const [name, flags] of Object.entries({ 'set.tar': '-cf', 'set.tgz': '-czf', 'odd.zip': '-czf' })) {
    execFileSync('tar', ['-C', join(folder, 'set'), flags, join(folder, name), '.']);
    t.same(await sizes(await prepareData(join(folder, name))), [30, 20], name);
  }
});

test('where all lies in one inner folder, that folder is meant', async (t) => {
  const folder = await place(t);
  await writeDigits(join(folder, 'outer', 'MNISTData'), { train: 10, test: 10 });
  await makeZip(join(folder, 'outer'), join(folder, 'MNISTData.zip'));
  t.same(await sizes(await prepareData(join(folder, 'MNISTData.zip'))), [10, 10]);
});

test('the built-in digits are drawn once', async (t) => {
  await place(t);
  const data = await prepareData('builtin:digits');
  t.same(await sizes(data), [10_000, 2000]);
  const before = readFileSync(join(data, 'test', 't10k-labels-idx1-ubyte'));
  t.equal(await prepareData('builtin:digits'), data);
  t.ok(before.equals(readFileSync(join(data, 'test', 't10k-labels-idx1-ubyte'))));
});

test('a data_url that cannot be meant is refused, and named', async (t) => {
  const folder = await place(t);
  const refused = (url: string, code: string) => t.rejects(prepareData(url), { code }, code);
  mkdirSync(join(folder, 'empty'));
  mkdirSync(join(folder, 'two'));
  writeFileSync(join(folder, 'two', 'a.zip'), '');
  writeFileSync(join(folder, 'two', 'b.zip'), '');
  writeFileSync(join(folder, 'text'), 'no zip');
  symlinkSync(join(folder, 'nowhere'), join(folder, 'dangling'));
  await refused(join(folder, 'missing'), 'E_NOT_FOUND');
  await refused(join(folder, 'dangling'), 'E_NOT_FOUND');
  await refused(join(folder, 'empty'), 'E_EMPTY');
  await refused(join(folder, 'two'), 'E_DATA_URL');
  await refused(join(folder, 'text'), 'E_DATA_URL');
  await refused('gopher://host/set', 'E_SCHEME');
  await t.rejects(prepareData(join(folder, 'two')), { message: /holds 2 archives; name one of a\.zip, b\.zip/ });
});

test('a local file is fetched by staying where it is', async (t) => {
  const folder = await place(t);
  t.equal(await fetchFile(join(folder, 'x.ckpt')), join(folder, 'x.ckpt'));
});

test('off a platform each subject has a work folder of its own', async (t) => {
  const folder = await place(t);
  t.notOk(onPlatform());
  t.equal(workFolder('output', 'out'), workFolder('output', './out'));
  t.not(workFolder('output', 'out'), workFolder('output', 'other/out'));
  t.ok(workFolder('data', '数据 集.zip').startsWith(join(folder, 'cache', 'data')));
});

test('a folder that is exchanged while its marker stands is not taken for what the marker says', async (t) => {
  const folder = await place(t);
  const zip = join(folder, 'digits.zip');
  await makeZip(join(folder, 'set'), zip);
  const data = await prepareData(zip);
  rmSync(join(data, 'train'), { recursive: true });
  writeFileSync(zip, 'no zip any more');
  await t.rejects(prepareData(zip), { code: 'E_DATA_URL' });
  await makeZip(join(folder, 'set'), zip);
  t.same(await sizes(await prepareData(zip)), [30, 20], 'unpacked again');
  await t.rejects(prepareData('builtin:letters'), { message: /there is only builtin:digits/ });
});

test('a web address neither leads out of the work folder nor leaves its password behind', async (t) => {
  const folder = await place(t);
  await makeZip(join(folder, 'set'), join(folder, 'set.zip'));
  const web = await startWeb(t, readFileSync(join(folder, 'set.zip')), { login: 'li:geheim' });
  const address = web.url.replace('//', '//li:geheim@');
  await t.rejects(fetchFile(`${address}/%2e%2e%2f%2e%2e%2fx.ckpt`), { code: 'E_NAME' });
  const data = await prepareData(`${address}/set.zip?Signature=verschwiegen`);
  t.same(await sizes(data), [30, 20]);
  const kept = readdirSync(join(folder, 'cache'), { recursive: true, withFileTypes: true }).filter((item) =>
    item.isFile(),
  );
  t.ok(kept.length > 2);
  for (const { path, name } of kept) t.notMatch(readFileSync(join(path, name), 'latin1'), /geheim|verschwiegen/, name);
});

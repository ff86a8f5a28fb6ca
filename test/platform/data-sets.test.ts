import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { showTree } from '../../sdk/dataset/show-tree.js';
import { outputUrl, uploadModels } from '../../sdk/platform/c2net-output.js';
import { chooseCheckpoint } from '../../sdk/platform/choose-checkpoint.js';
import { chooseDataSet, prepareDataSets } from '../../sdk/platform/data-sets.js';

async function place(t: Test): Promise<string> {
  const root = t.testdir();
  process.env['MINDTS_CACHE'] = join(root, 'cache');
  await writeDigits(join(root, 'set'), { train: 30, test: 20 });
  return root;
}

test('the images are found in whatever data set holds them, and the checkpoint in another', async (t) => {
  const root = await place(t);
  // As macOS packs a folder.
  for (const file of ['outer/MNISTData', 'outer/__MACOSX', 'lenet']) mkdirSync(join(root, file), { recursive: true });
  await writeDigits(join(root, 'outer', 'MNISTData'), { train: 30, test: 20 });
  writeFileSync(join(root, 'outer', '__MACOSX', '._x.ckpt'), '');
  writeFileSync(join(root, 'lenet', '._lenet.ckpt'), '');
  writeFileSync(join(root, 'lenet', 'lenet.ckpt'), '');
  for (const name of ['outer', 'lenet']) await makeZip(join(root, name), join(root, `${name}.zip`));
  const list = ['lenet.zip', 'outer.zip'].map((name) => ({ name, url: join(root, name) }));
  const dataSets = await prepareDataSets({ multi_data_url: list });
  t.same(Object.keys(dataSets), ['lenet', 'outer']);
  t.match(await chooseDataSet(dataSets, {}), /MNISTData$/);
  t.equal(await chooseCheckpoint({}, { dataSets }), join(dataSets['lenet'], 'lenet.ckpt'));
  writeFileSync(join(dataSets['lenet'], 'other.ckpt'), '');
  await t.rejects(chooseCheckpoint({}, { dataSets }), {
    message: /^the data sets hold 2 models: .*lenet\.ckpt, .*other\.ckpt; /,
  });
  t.equal(await chooseCheckpoint({ ckpt_url: 'x.ckpt' }, { dataSets }), 'x.ckpt', '--ckpt_url goes before all');
});

test('a data set may have any name', async (t) => {
  const root = await place(t);
  const dataSets = await prepareDataSets({ multi_data_url: [{ name: '__proto__', url: join(root, 'set') }] });
  t.same(Object.entries(dataSets), [['__proto__', join(root, 'set')]]);
  t.equal(await chooseDataSet(dataSets, { dataset_name: '__proto__' }), join(root, 'set'));
});

test('a tree is shown three levels deep, six names wide, in one line', async (t) => {
  const root = t.testdir({ a: { b: { c: { d: '' } } }, empty: {} });
  t.equal(await showTree(root), 'a/{b/{c/}}, empty/{nothing}');
  for (let i = 0; i < 9; i++) writeFileSync(join(root, `f${i}${'x'.repeat(i * 20)}`), '');
  const shown = await showTree(root);
  t.match(shown, /^a\/.*, f3x{38}…, … 5 more$/);
});

test('results go to the URL that is given, to OUTPUT_URL, or to the folder that is collected', async (t) => {
  const root = await place(t);
  const env = { OUTPUT_URL: 's3://b/out/', LOCAL_OUTPUT_PATH: '/tmp/output' };
  t.equal(outputUrl('s3://b/mine', env), 's3://b/mine');
  t.equal(outputUrl(undefined, env), 's3://b/out/');
  t.equal(outputUrl(undefined, { ...env, OUTPUT_URL: 'None' }), '/tmp/output');
  t.equal(outputUrl(undefined, { ...env, DATA_DOWNLOAD_METHOD: 'MOUNT' }), '/tmp/output');
  t.match(outputUrl(undefined, {}), /cache.output.c2net-\w+$/);
  await uploadModels(join(root, 'set'), undefined);
  await uploadModels(join(root, 'set'), join(root, 'models'));
  t.same(await showTree(join(root, 'models'), { levels: 1 }), 'test/, train/', 'file by file where it is no .zip');
});

import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { CheckpointError, StorageError } from '../../sdk/base/errors.js';
import {
  type Checkpoint,
  fromTensorFile,
  loadCheckpoint,
  saveCheckpoint,
  toTensorFile,
} from '../../sdk/checkpoint/checkpoint.js';
import { formatOf } from '../../sdk/checkpoint/file-format.js';
import { formatState, parseState } from '../../sdk/checkpoint/state.js';
import { codeOf, floats, tensorFile } from './files.js';

/** What saving the checkpoint with a change is refused with. */
const code = (change: Partial<Checkpoint>): string => codeOf(() => toTensorFile({ ...checkpoint, ...change }));
const fixtures = join(import.meta.dirname, 'fixtures');

const checkpoint: Checkpoint = {
  parameters: new Map([
    ['conv1.weight', floats([1, 1, 1, 2], 1, -2)],
    ['linear.weight', floats([1], 3)],
  ]),
  optimizer: new Map([
    ['moments.conv1.weight', floats([1, 1, 1, 2], 0.1, 0.2)],
    ['moments.linear.weight', floats([1], 0.3)],
    ['learning_rate', floats([], 0.01)],
  ]),
  epoch: 3,
  step: 5625,
  state: { seed: 1, batchSize: 32, callbacks: { best: [0.9, null, true, 'é'] } },
};

for (const extension of ['.ckpt', '.safetensors']) {
  test(`a checkpoint saved as ${extension} comes back, and the same one makes the same bytes`, async (t) => {
    const folder = t.testdir();
    const path = join(folder, `sub/lenet${extension}`);
    await saveCheckpoint(path, checkpoint);
    const loaded = await loadCheckpoint(path);
    t.strictSame(loaded, checkpoint);
    t.same([...loaded.optimizer.keys()], [...checkpoint.optimizer.keys()], 'in the same order');
    const again = join(folder, `again${extension}`);
    await saveCheckpoint(again, loaded);
    t.same(readFileSync(again), readFileSync(path));
    t.same(readdirSync(join(folder, 'sub')), [`lenet${extension}`], 'and nothing else is left');
  });
}

test('checkpoints of MindSpore itself load: parameters, momentum, epoch and step', async (t) => {
  for (const name of ['momentum.ckpt', 'crc.ckpt', 'momentum.safetensors']) {
    const { parameters, optimizer, epoch, step, state } = await loadCheckpoint(join(fixtures, name));
    t.same([...parameters.keys()].sort(), ['conv1.bias', 'conv1.weight', 'fc.bias', 'fc.weight']);
    t.same([...optimizer.keys()].sort(), [
      'learning_rate',
      'moments.conv1.bias',
      'moments.conv1.weight',
      'moments.fc.bias',
      'moments.fc.weight',
      'momentum',
    ]);
    t.same(optimizer.get('moments.fc.bias'), floats([2], 100, 100.25));
    t.same([epoch, step, state], [3, 77, undefined]);
  }
});

test('a file of parameters alone has the epoch 0, and the step that its optimizer counted, if any', async (t) => {
  const bias = floats([1], 1);
  const alone = fromTensorFile(tensorFile({ 'fc.bias': bias }), 'x');
  t.strictSame(alone, { parameters: new Map([['fc.bias', bias]]), optimizer: new Map(), epoch: 0, step: 0 });
  const counted = tensorFile({ 'fc.bias': bias, global_step: { shape: [1], data: Int32Array.of(9) } });
  t.equal(fromTensorFile(counted, 'x').step, 9);
});

test('a name before a dot is optimizer state only where the parameter is there', async (t) => {
  const { parameters, optimizer } = fromTensorFile(
    tensorFile({ 'linear.weight': floats([], 1), 'stat.a': floats([], 1), a: floats([], 1) }),
    'x',
  );
  t.same([...parameters.keys()], ['linear.weight', 'a']);
  t.same([...optimizer.keys()], ['stat.a']);
});

test('what would come back as something else is not saved', async (t) => {
  const one = floats([1], 1);
  t.equal(code({ optimizer: new Map([['mine.conv1.weight', one]]) }), 'E_CKPT_NAME');
  t.equal(code({ optimizer: new Map([['conv1.weight', one]]) }), 'E_CKPT_NAME');
  t.equal(code({ parameters: new Map([['momentum', one]]) }), 'E_CKPT_NAME');
  t.equal(code({ parameters: new Map([['step_num', one]]), optimizer: new Map() }), 'E_CKPT_NAME');
  for (const number of [-1, 0.5, Number.NaN, 2 ** 31]) t.equal(code({ step: number }), 'E_CKPT_VALUE');
  t.equal(code({ epoch: -1 }), 'E_CKPT_VALUE');
  t.equal(code({ state: { best: Infinity } }), 'E_CKPT_STATE');
});

test('equal states give equal texts, and only a JSON object is a state', async (t) => {
  t.equal(formatState({ b: [{ d: 1, c: null }], a: 'x' }), formatState({ a: 'x', b: [{ c: null, d: 1 }] }));
  t.same(parseState('{"__proto__":1}', 'x'), JSON.parse('{"__proto__":1}'));
  for (const text of ['', '[]', 'null', '1', '{']) {
    t.throws(() => parseState(text, 'x.ckpt'), { code: 'E_CKPT_STATE', message: /^x\.ckpt: its state is not/ });
  }
});

test('a count that is none is refused', async (t) => {
  for (const tensor of [
    floats([], 1),
    { shape: [2], data: Int32Array.of(1, 2) },
    { shape: [], data: Int32Array.of(-1) },
  ]) {
    t.equal(
      codeOf(() => fromTensorFile(tensorFile({ epoch_num: tensor }), 'x')),
      'E_CKPT_FORMAT',
    );
  }
});

test('the content decides the format, then the extension', async (t) => {
  const folder = t.testdir();
  const renamed = join(folder, 'renamed.ckpt');
  copyFileSync(join(fixtures, 'momentum.safetensors'), renamed);
  t.equal((await loadCheckpoint(renamed)).step, 77);
  const bare = join(folder, 'bare');
  copyFileSync(join(fixtures, 'momentum.ckpt'), bare);
  t.equal((await loadCheckpoint(bare)).step, 77);
  t.equal(formatOf('x.SAFETENSORS', new Uint8Array()), 'safetensors');
  t.equal(formatOf('x', Buffer.from('d95e3a7f', 'hex')), 'mindspore');
  t.equal(
    codeOf(() => formatOf('x.png', Buffer.from('PNG'))),
    'E_CKPT_FORMAT',
  );
});

test('a file that cannot be read is named, with the reason', async (t) => {
  const folder = t.testdir({ 'x.txt': 'hello' });
  await t.rejects(loadCheckpoint(join(folder, 'absent.ckpt')), {
    code: 'E_CKPT_READ',
    message: /cannot read .*absent\.ckpt: no such file or folder/,
  });
  await t.rejects(loadCheckpoint(folder), { code: 'E_CKPT_READ', message: /it is a folder/ });
  await t.rejects(loadCheckpoint(join(folder, 'x.txt')), { code: 'E_CKPT_FORMAT', message: /x\.txt: is a text/ });
  await t.rejects(saveCheckpoint(join(folder, 'x.bin'), checkpoint), { code: 'E_CKPT_EXTENSION' });
});

test('a full disk leaves the old checkpoint as it was', async (t) => {
  const folder = t.testdir();
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    t.skip('only root can mount a small file system');
    return;
  }
  try {
    const path = join(folder, 'lenet.ckpt');
    await saveCheckpoint(path, checkpoint);
    const large = { ...checkpoint, parameters: new Map([['w', floats([100_000], ...new Float32Array(100_000))]]) };
    await t.rejects(saveCheckpoint(path, { ...large, optimizer: new Map() }), StorageError);
    t.strictSame(await loadCheckpoint(path), checkpoint);
    t.same(readdirSync(folder), ['lenet.ckpt']);
  } finally {
    execFileSync('umount', [folder]);
  }
});

test('a checkpoint cut short names itself and says what to do', async (t) => {
  const path = join(t.testdir(), 'cut.ckpt');
  await saveCheckpoint(path, checkpoint);
  writeFileSync(path, readFileSync(path).subarray(0, 100));
  await t.rejects(loadCheckpoint(path), CheckpointError);
  await t.rejects(loadCheckpoint(path), { code: 'E_CKPT_CRC', message: /cut\.ckpt: is damaged or cut short .* older/ });
});

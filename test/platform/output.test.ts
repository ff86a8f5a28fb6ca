import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { type Test, test } from 'tap';
import { type Checkpoint, saveCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { prepareOutput } from '../../sdk/platform/output.js';
import { workFolder } from '../../sdk/platform/work-folders.js';
import { noSmallDisk, smallDisk } from '../storage/small-disk.js';

const checkpoint = (epoch: number): Checkpoint => ({
  parameters: new Map([['fc.bias', { shape: [1], data: Float32Array.of(epoch) }]]),
  optimizer: new Map(),
  epoch,
  step: epoch * 10,
});

function place(t: Test): { url: string; folder: string } {
  const root = t.testdir();
  process.env['MINDTS_CACHE'] = join(root, 'cache');
  const url = join(root, 'out');
  return { url, folder: workFolder('output', url) };
}

test('a new run finds its folder empty; what was there is set aside', async (t) => {
  const { url, folder } = place(t);
  t.same(await prepareOutput({ url }), { folder, resume: undefined });
  writeFileSync(join(folder, 'a.ckpt'), '');
  await prepareOutput({ url });
  t.same(readdirSync(folder), []);
  t.same(readdirSync(`${folder}.previous`), ['a.ckpt']);
});

/** Mounts a disk as a container has it: what the image holds lies below what is written. Undefined without the right to. */
function containerDisk(t: Test, fill: (image: string) => void): string | undefined {
  const disk = smallDisk(t, 1 << 20);
  const [image, upper, work, merged] = ['image', 'upper', 'work', 'merged'].map((name) => join(disk, name));
  for (const folder of [image, upper, work, merged]) mkdirSync(folder);
  fill(image);
  const options = `lowerdir=${image},upperdir=${upper},workdir=${work},redirect_dir=off`;
  const { status } = spawnSync('mount', ['-t', 'overlay', '-o', options, 'overlay', merged]);
  if (status !== 0) return undefined;
  t.teardown(() => spawnSync('umount', [merged]));
  return merged;
}

test('a folder out of a container’s image, which cannot be renamed, is set aside too', {
  skip: noSmallDisk,
}, async (t) => {
  const { url, folder } = place(t);
  const name = basename(folder);
  const disk = containerDisk(t, (image) => {
    mkdirSync(join(image, 'output', name, 'deep'), { recursive: true });
    writeFileSync(join(image, 'output', name, 'deep', 'a.ckpt'), 'a');
  });
  if (disk === undefined) return t.comment('no right to mount an overlay here');
  process.env['MINDTS_CACHE'] = disk;
  const { folder: moved } = await prepareOutput({ url });
  t.equal(moved, join(disk, 'output', name));
  t.same(readdirSync(moved), []);
  t.equal(readFileSync(join(`${moved}.previous`, 'deep', 'a.ckpt'), 'utf8'), 'a');
});

test('a resumed run gets the newest whole checkpoint, from its folder or from where results went', async (t) => {
  const { url, folder } = place(t);
  t.equal((await prepareOutput({ url, resume: true })).resume, undefined, 'none yet');
  // That was the beginning of a run; the checkpoints made here say that they are older.
  rmSync(join(url, 'run.json'));
  const save = async (where: string, epoch: number, age: number): Promise<string> => {
    const path = join(where, `checkpoint_lenet-${epoch}_10.ckpt`);
    await saveCheckpoint(path, checkpoint(epoch));
    utimesSync(path, 1e6 - age, 1e6 - age);
    return path;
  };
  await save(folder, 2, 3);
  await save(url, 7, 9);
  t.equal(
    (await prepareOutput({ url, resume: true })).resume?.epoch,
    2,
    'the newest, not the furthest: 7 is of an older run',
  );
  await save(url, 3, 2);
  writeFileSync(join(url, 'history.json'), '{}');
  t.equal((await prepareOutput({ url, resume: true })).resume?.epoch, 3);
  t.ok(existsSync(join(folder, 'checkpoint_lenet-3_10.ckpt')), 'brought here');
  t.ok(existsSync(join(folder, 'history.json')), 'with its history');
  truncateSync(await save(folder, 4, 1), 20);
  t.equal((await prepareOutput({ url, resume: true })).resume?.epoch, 3, 'a damaged one is passed over');
});

test('a folder that another living process works on is refused; the lock of a dead one is not', async (t) => {
  const { url, folder } = place(t);
  mkdirSync(join(folder, '..'), { recursive: true });
  const other = spawn('sleep', ['60']);
  await once(other, 'spawn');
  const stat = readFileSync(`/proc/${other.pid}/stat`, 'utf8');
  const began = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  writeFileSync(`${folder}.lock`, `${other.pid} ${began} ${hostname()}`);
  await t.rejects(prepareOutput({ url }), { code: 'E_BUSY', message: new RegExp(`process ${other.pid} is at work`) });
  writeFileSync(`${folder}.lock`, `${other.pid} 1 ${hostname()}`);
  await prepareOutput({ url });
  t.pass('a number used again by another process is not the one that held it');
  rmSync(`${folder}.lock`);
  writeFileSync(`${folder}.lock`, `${other.pid} ${began} ${hostname()}`);
  other.kill('SIGKILL');
  await once(other, 'exit');
  await prepareOutput({ url });
  t.same(readdirSync(folder), []);
});

test('a place that cannot be written is found out at once', async (t) => {
  const { url } = place(t);
  writeFileSync(url, 'a file, not a folder');
  await t.rejects(prepareOutput({ url }), { name: 'StorageError' });
});

test('a new run that was killed before its first checkpoint does not go on with an older run', async (t) => {
  const { url, folder } = place(t);
  await saveCheckpoint(join(url, 'checkpoint_lenet-2_10.ckpt'), checkpoint(2));
  utimesSync(join(url, 'checkpoint_lenet-2_10.ckpt'), 1e6, 1e6);
  t.equal((await prepareOutput({ url, resume: true })).resume?.epoch, 2);
  await prepareOutput({ url });
  t.equal((await prepareOutput({ url, resume: true })).resume, undefined);
  await saveCheckpoint(join(folder, 'checkpoint_lenet-1_10.ckpt'), checkpoint(1));
  t.equal((await prepareOutput({ url, resume: true })).resume?.epoch, 1);
});

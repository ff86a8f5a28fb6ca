/** Several ranks at the command line, as `mindts launch` starts them. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { loadCheckpoint } from '../../sdk/checkpoint/checkpoint.js';
import { run, start } from './command.js';

interface Places {
  readonly root: string;
  readonly zip: string;
  readonly cache: string;
}

async function places(t: Test): Promise<Places> {
  const root = t.testdir();
  const zip = join(root, 'digits.zip');
  await writeDigits(join(root, 'set'), { train: 1280, test: 200 });
  await makeZip(join(root, 'set'), zip);
  return { root, zip, cache: join(root, 'cache') };
}

const launched = (...args: readonly string[]): readonly string[] => [
  'launch',
  '--nproc',
  '2',
  'train',
  '--threads',
  '1',
  ...args,
];

test('two ranks unpack once, train one model, and leave one checkpoint', async (t) => {
  const { root, zip, cache } = await places(t);
  const out = join(root, 'out');
  const ended = await run(launched('--data_url', zip, '--train_url', out, '--epoch_size', '4', '--unknown', 'x'), {
    cache,
  });
  t.equal(ended.code, 0, ended.stderr);
  t.match(ended.stdout, /^2 ranks, 2 of them on this machine\n/);
  t.equal(ended.stderr.match(/--unknown/g)?.length, 1, 'and one says what is wrong');
  t.match(ended.stdout, /epoch 4\/4 .* images\/s {2}\d+\.\d % communication\n/);
  t.same(readdirSync(out), ['checkpoint_lenet-4_20.ckpt', 'history.json', 'run.json'], '20 steps of 2 × 32 images');
  const { epochs } = JSON.parse(readFileSync(join(out, 'history.json'), 'utf8'));
  t.ok(epochs[3].communication > 0 && epochs[3].communication < 1);

  const alone = await run(
    [
      'train',
      '--data_url',
      zip,
      '--train_url',
      join(root, 'alone'),
      '--epoch_size',
      '4',
      '--batch_size',
      '64',
      '--threads',
      '1',
    ],
    { cache },
  );
  t.equal(alone.code, 0, alone.stderr);
  const [a, b] = await Promise.all(
    [out, join(root, 'alone')].map(async (folder) => loadCheckpoint(join(folder, 'checkpoint_lenet-4_20.ckpt'))),
  );
  for (const [name, { data }] of a.parameters) {
    const other = b.parameters.get(name)?.data ?? [];
    t.ok(
      data.every((value, i) => Math.abs(value - other[i]) < 1e-4),
      `${name} is that of one rank with their batches together`,
    );
  }
});

test('every rank saves where that is asked for', async (t) => {
  const { root, zip, cache } = await places(t);
  const out = join(root, 'out');
  const ended = await run(launched('--data_url', zip, '--train_url', out, '--epoch_size', '1', '--ckpt_per_rank'), {
    cache,
  });
  t.equal(ended.code, 0, ended.stderr);
  const saved = 'checkpoint_lenet-1_20.ckpt';
  t.same(readdirSync(out), ['0', '1', saved, 'history.json', 'run.json']);
  const bytes = ['0', '1', ''].map((folder) => readFileSync(join(out, folder, saved)));
  t.ok(bytes[0].equals(bytes[2]));
  const [zero, one] = await Promise.all(['0', '1'].map((folder) => loadCheckpoint(join(out, folder, saved))));
  t.same([...one.parameters], [...zero.parameters]);
});

test('a rank that is killed ends the job, and --resume goes on to the same checkpoint', async (t) => {
  const { root, zip, cache } = await places(t);
  const args = ['--data_url', zip, '--epoch_size', '30', '--save_checkpoint_steps', '20'];
  const last = 'checkpoint_lenet-30_20.ckpt';
  t.equal((await run(launched(...args, '--train_url', join(root, 'whole')), { cache })).code, 0);

  const out = join(root, 'out');
  for (const victim of [0, 1]) {
    const job = start(launched(...args, '--train_url', out, '--resume'), { cache });
    await job.seen(victim === 0 ? /epoch 5\/30/ : /epoch 12\/30/);
    const listed = spawnSync('pgrep', ['-P', `${job.child.pid}`], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n')
      .map(Number);
    const ranks = listed.filter((pid) => readFileSync(`/proc/${pid}/environ`, 'utf8').includes(`RANK_ID=${victim}\0`));
    t.equal(ranks.length, 1);
    process.kill(ranks[0], 'SIGKILL');
    const ended = await job.ended;
    t.equal(ended.code, 137);
    t.match(ended.stderr, new RegExp(`mindts: rank ${victim} was killed by SIGKILL\\n$`));
  }
  const resumed = await run(launched(...args, '--train_url', out, '--resume'), { cache });
  t.equal(resumed.code, 0, resumed.stderr);
  t.match(resumed.stdout, /resuming from /);
  t.ok(readFileSync(join(out, last)).equals(readFileSync(join(root, 'whole', last))), 'byte for byte');
});

test('what one rank cannot do ends all of them, and they say why', async (t) => {
  const { root, cache } = await places(t);
  const missing = await run(launched('--data_url', join(root, 'nothing.zip'), '--train_url', join(root, 'out')), {
    cache,
  });
  t.equal(missing.code, 1);
  t.match(missing.stderr, /^mindts: --data_url .*nothing\.zip: no such file or folder$/m);
  t.match(missing.stderr, /^mindts: rank 1: rank 0: --data_url .*nothing\.zip: no such file or folder$/m);

  if (process.getuid?.() !== 0) return;
  const small = mkdtempSync(join(tmpdir(), 'mindts-'));
  t.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1300k', 'tmpfs', small]).status, 0);
  t.teardown(() => {
    spawnSync('umount', [small]);
    rmdirSync(small);
  });
  const full = await run(
    launched(
      '--data_url',
      join(root, 'set'),
      '--train_url',
      join(root, 'out'),
      '--epoch_size',
      '30',
      '--save_checkpoint_steps',
      '20',
    ),
    { cache: small },
  );
  t.equal(full.code, 1);
  t.match(full.stderr, /^mindts: cannot write .*no space left on the device/m);
  t.match(full.stderr, /^mindts: rank 1: rank 0 gave up: cannot write .*no space left on the device/m);
  t.match(full.stderr, /^mindts: rank 0 ended with exit code 1\n/m);
});

test('Ctrl-C stops all ranks after the same step; the job goes on with --resume', async (t) => {
  const { root, zip, cache } = await places(t);
  const args = ['--data_url', zip, '--train_url', join(root, 'out'), '--epoch_size', '60'];
  const job = start(launched(...args), { cache });
  await job.seen(/epoch 3\/60/);
  job.child.kill('SIGINT');
  const ended = await job.ended;
  t.equal(ended.code, 130, ended.stderr);
  t.equal(readdirSync(join(root, 'out')).filter((name) => name.endsWith('.ckpt')).length, 1);
  const resumed = await run(launched(...args, '--resume'), { cache });
  t.equal(resumed.code, 0, resumed.stderr);
  t.match(resumed.stdout, /epoch 60\/60/);
});

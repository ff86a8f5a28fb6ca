import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'tap';
import { writeDigits } from '../../datasets/digits.js';
import { makeZip } from '../../sdk/archive/make-zip.js';
import { packageRoot } from '../../sdk/base/package.js';
import { run, start } from './command.js';

test('train, then inference with what came out, from a zip to a result', async (t) => {
  const root = t.testdir();
  const options = { cache: join(root, 'cache') };
  const [zip, out, result] = ['digits.zip', 'out', 'result'].map((name) => join(root, name));
  await writeDigits(join(root, 'set'), { train: 2000, test: 300 });
  await makeZip(join(root, 'set'), zip);

  const trained = await run(
    ['train', '--data_url', zip, '--train_url', out, '--epoch_size', '10', '--user_flag', 'x'],
    options,
  );
  t.equal(trained.code, 0, trained.stderr);
  t.match(trained.stderr, /passed over flags that are not known here: --user_flag/);
  t.match(trained.stdout, /accuracy {4}\d\d\.\d\d % on the test set after epoch 10/);
  t.match(trained.stdout, `checkpoint  ${join(out, 'checkpoint_lenet-10_62.ckpt')}`);
  t.same(readdirSync(out), ['checkpoint_lenet-10_62.ckpt', 'history.json', 'run.json']);
  const { epochs } = JSON.parse(readFileSync(join(out, 'history.json'), 'utf8'));
  t.equal(epochs.length, 10);
  for (const key of ['epoch', 'step', 'loss', 'accuracy', 'seconds', 'imagesPerSecond'])
    t.type(epochs[9][key], 'number', key);

  const next = /next {8}npx mindts (.*)/.exec(trained.stdout)?.[1]?.split(' ') ?? [];
  const inferred = await run([...next.slice(0, -1), result], options);
  t.equal(inferred.code, 0, inferred.stderr);
  t.same(readdirSync(result), ['result.json', 'result.txt']);
  const lines = readFileSync(join(result, 'result.txt'), 'utf8').trimEnd().split('\n');
  t.equal(lines.length, 300);
  for (const line of lines) t.match(line, /^Predicted: "\d", Actual: "\d"$/);
  const report = JSON.parse(readFileSync(join(result, 'result.json'), 'utf8'));
  t.equal(report.accuracy, epochs[9].accuracy, 'inference says what training said');
  t.equal(
    report.confusion.flat().reduce((a: number, b: number) => a + b),
    300,
  );
  t.equal(report.perClass.length, 10);

  const inspected = await run(['ckpt', 'inspect', join(out, 'checkpoint_lenet-10_62.ckpt')], options);
  t.match(inspected.stdout, /conv1\.weight/);
  t.match(inspected.stdout, /moments\.fc3\.bias/);
  const converted = await run(
    ['ckpt', 'convert', join(out, 'checkpoint_lenet-10_62.ckpt'), join(out, 'a.safetensors')],
    options,
  );
  t.equal(converted.code, 0, converted.stderr);
  const again = await run(
    [...next.slice(0, 4), join(out, 'a.safetensors'), '--result_url', join(root, 'again')],
    options,
  );
  t.equal(again.code, 0, again.stderr);
  t.ok(readFileSync(join(root, 'again', 'result.txt')).equals(readFileSync(join(result, 'result.txt'))));

  // A launch file by path, as a platform starts it, from the trained checkpoint.
  const file = join(packageRoot, 'dist', 'scripts', 'train.js');
  const flags = [`--data_url=${zip}`, `--train_url=${join(root, 'fine')}`, '--multi_data_url=', '--epoch_size=1'];
  const byPath = await run(
    [...flags, `--ckpt_url=${join(out, 'checkpoint_lenet-10_62.ckpt')}`, '--device_target=Ascend'],
    {
      ...options,
      file,
    },
  );
  t.equal(byPath.code, 0, byPath.stderr);
  t.match(byPath.stderr, /no Ascend engine yet: running on the CPUs/);
  const [first] = JSON.parse(readFileSync(join(root, 'fine', 'history.json'), 'utf8')).epochs;
  t.ok(first.loss < epochs[9].loss, 'it began where the checkpoint was');
  t.ok(epochs[9].loss < epochs[0].loss - 0.5, 'which had learned something');
});

test('an interrupted run saves, copies, exits 130 or 143, and goes on with --resume as if never stopped', async (t) => {
  const root = t.testdir();
  await writeDigits(join(root, 'set'), { train: 3200, test: 100 });
  const flags = (name: string) => [
    'train',
    '--data_url',
    join(root, 'set'),
    '--train_url',
    join(root, name),
    '--epoch_size',
    '40',
    '--threads',
    '2',
  ];
  const whole = await run(flags('whole'), { cache: join(root, 'cache') });
  t.equal(whole.code, 0, whole.stderr);
  const final = 'checkpoint_lenet-40_100.ckpt';
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGKILL', 'SIGKILL'],
  ] as const) {
    const options = { cache: join(root, signal) };
    const stopped = start([...flags(signal), '--save_checkpoint_steps', '130'], options);
    await stopped.seen(/epoch 4\/40 /);
    stopped.child.kill(signal);
    const ended = await stopped.ended;
    t.equal(ended.code, code, ended.stdout);
    if (signal !== 'SIGKILL') {
      t.match(ended.stderr, /stopped after step \d+ of 4000/);
      t.ok(
        readdirSync(join(root, signal)).some((name) => name.endsWith('.ckpt')),
        'copied',
      );
    }
    const resumed = await run([...flags(signal), '--resume'], options);
    t.equal(resumed.code, 0, resumed.stderr);
    t.match(resumed.stdout, /resuming from/);
    const [a, b] = [join(root, 'whole', final), join(root, signal, final)].map((path) => readFileSync(path));
    t.ok(a.equals(b), `${signal}: the same final checkpoint, bit for bit`);
    const { epochs } = JSON.parse(readFileSync(join(root, signal, 'history.json'), 'utf8'));
    t.same(
      epochs.map(({ epoch }: { epoch: number }) => epoch),
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    t.equal((await run([...flags(signal), '--resume'], options)).code, 0, 'nothing left to train is no error');
  }
});

test('dataset make and inspect', async (t) => {
  const root = t.testdir();
  const options = { cache: join(root, 'cache') };
  const made = await run(['dataset', 'make', join(root, 'd.zip'), '--train', '50', '--test', '20'], options);
  t.equal(made.code, 0, made.stderr);
  t.ok(statSync(join(root, 'd.zip')).size > 1000);
  const inspected = await run(['dataset', 'inspect', join(root, 'd.zip')], options);
  t.match(inspected.stdout, /train {2}50 images 28×28×1/);
  t.match(inspected.stdout, /per class 5 5 5 5 5 5 5 5 5 5/);
});

import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Test, test } from 'tap';
import { type Ended, type Running, run, start } from './command.js';

const NOTHING = /^$/;

/** A launch file whose job is the given code, with `args` and `signal` at hand; it prints its arguments as JSON. */
function launchFile(t: Test, job = ''): { file: string; root: string } {
  const root = t.testdir();
  const file = join(root, 'job.mjs');
  writeFileSync(
    file,
    `import * as mindts from 'mindts';
    const spec = {
      description: 'Does a job.',
      config: 'mnist.yaml',
      options: {
        ...mindts.trainingOptions,
        ...mindts.networkOptions,
        epoch_size: mindts.integer({ default: 7, description: 'how often' }),
        batch_size: mindts.integer({ default: 7, description: 'how many' }),
        learning_rate: mindts.number({ default: 7, description: 'how far' }),
        image_size: mindts.integer({ default: 7, description: 'not in configs/mnist.yaml' }),
      },
      examples: ['npx mindts job --epoch_size 3'],
    };
    export default mindts.launch(import.meta.url, spec, async (args, { signal }) => {
      console.log(JSON.stringify(args));
      ${job}
    });`,
  );
  return { file, root };
}

function launched({ file, root }: { file: string; root: string }, args: readonly string[] = []): Promise<Ended> {
  return run(args, { file, cache: join(root, 'cache') });
}

test('--help tells what a launch file does, its options and examples, and does nothing else', async (t) => {
  const ended = await launched(launchFile(t), ['--epoch_size', 'wrong', '--help']);
  t.match(ended, { code: 0, stderr: NOTHING });
  t.match(ended.stdout, /^Does a job\.\n\nUsage: node job\.mjs \[options\]\n/);
  t.match(ended.stdout, /--epoch_size N +how often \(a whole number; default: 7\)/);
  t.match(ended.stdout, /--config FILE .*\n.*--\[no-\]debug .*\n.*-h, --help/);
  t.match(ended.stdout, /Examples:\n {2}npx mindts job --epoch_size 3\n$/);
});

test('flags win over --config, that over the file in configs/, and that over the defaults of options', async (t) => {
  const job = launchFile(t);
  const config = join(job.root, 'my.yaml');
  writeFileSync(config, 'batch_size: 5\nepoch_size: 5\nseed:\n');
  const values = async (args: readonly string[]): Promise<Record<string, unknown>> => {
    const ended = await launched(job, args);
    t.match(ended, { code: 0, stderr: NOTHING }, args.join(' '));
    return JSON.parse(ended.stdout);
  };
  t.match(await values([]), { epoch_size: 10, batch_size: 32, learning_rate: 0.01, image_size: 7, seed: 1 });
  const both = { epoch_size: 5, batch_size: 5, learning_rate: 0.01, image_size: 7, seed: 1 };
  t.match(await values(['--config', config]), both);
  t.match(await values(['--config', config, '--epoch_size=3']), { ...both, epoch_size: 3 });
});

test('one file given by --config may hold the options of all commands', async (t) => {
  const [cache, commands] = [
    t.testdir(),
    ['train', 'inference', 'train_for_multidataset', 'inference_for_multidataset', 'read_imagenet'],
  ];
  const file = join(cache, 'all.yaml');
  const helps = await Promise.all(commands.map((command) => run([command, '--help'], { cache })));
  const flags = helps.flatMap(({ stdout }) =>
    [...stdout.matchAll(/^ {2}--(?:\[no-\])?(\w+)/gm)].map(([, name]) => name),
  );
  const keys = new Set(flags.filter((name) => name !== 'config' && name !== 'debug'));
  t.ok(['ckpt_skip', 'dataset_name', 'result_url', 'limit', 'resume', 'drop_remainder'].every((key) => keys.has(key)));
  writeFileSync(file, [...keys].map((key) => `${key}:\n`).join(''));
  for (const [i, command] of commands.entries()) {
    t.match(helps[i].stdout, `Usage: mindts ${command} [options]`);
    const stderr = /^mindts: required, but not given: /;
    t.match(await run([command, '--config', file], { cache }), { code: 2, stderr }, command);
  }
});

test('a wrong value, wherever it stands, exits with 2 and names the place', async (t) => {
  const job = launchFile(t);
  const config = join(job.root, 'my.yaml');
  writeFileSync(config, 'seed: 1\nbatch_size: many\n');
  t.match(await launched(job, ['--epoch_size', 'ten']), {
    code: 2,
    stdout: NOTHING,
    stderr: /^mindts: --epoch_size ten: expected a whole number\n$/,
  });
  t.match(await launched(job, ['--config', config]), {
    code: 2,
    stdout: NOTHING,
    stderr: /my\.yaml:2: batch_size many: expected/,
  });
  t.match(await launched(job, ['--config', 'none.yaml']), {
    code: 2,
    stdout: NOTHING,
    stderr: /none\.yaml: no such file/,
  });
});

test('unknown flags are passed over with one warning', async (t) => {
  const ended = await launched(launchFile(t), ['--user', 'x', '--epoch_sise=3', '--rank_id=0']);
  const warning =
    'passed over flags that are not known here: --user, --epoch_sise (did you mean --epoch_size?), --rank_id';
  t.equal(ended.code, 0);
  t.equal(ended.stderr, `mindts: ${warning}\n`);
});

test('a launch file runs when it is started, also by a link, and not when it is imported', async (t) => {
  const { file, root } = launchFile(t);
  symlinkSync(file, join(root, 'link.mjs'));
  t.match(await launched({ file: join(root, 'link.mjs'), root }), { code: 0, stdout: /"epoch_size":10/ });
  const importer = join(root, 'importer.mjs');
  writeFileSync(importer, `const { default: job } = await import('./job.mjs'); console.log(typeof job);`);
  t.match(await launched({ file: importer, root }), { code: 0, stdout: /^function\n$/, stderr: NOTHING });
  writeFileSync(importer, `import job from './job.mjs'; await job(['--epoch_size', '2']); console.log('after');`);
  t.match(await launched({ file: importer, root }), { code: 0, stdout: /"epoch_size":2[^]*after/, stderr: NOTHING });
});

test('an error is one line; --debug adds the stack', async (t) => {
  const job = launchFile(t, `throw new mindts.DatasetError('E_EMPTY', 'nothing here');`);
  t.match(await launched(job), { code: 1, stderr: /^mindts: nothing here\n$/ });
  const { code, stderr } = await launched(job, ['--debug']);
  t.equal(code, 1);
  t.match(stderr, /^mindts: DatasetError: nothing here\n {4}at .*job\.mjs/);
});

test('an error that is not ours says so, and what to do', async (t) => {
  const job = launchFile(t, 'undefined.x;');
  const message =
    /^mindts: Cannot read properties of undefined .*\nmindts: this is a fault of mindts: please report it .*--debug.*\n$/;
  t.match(await launched(job), { code: 1, stderr: message });
  t.match(await launched(job, ['--debug']), { code: 1, stderr: /TypeError: Cannot read[^]* at .*job\.mjs/ });
  t.match(await launched(launchFile(t, `throw 'a text';`)), { code: 1, stderr: /^mindts: a text\n/ });
});

test('while nobody listens to the signal, as before training, SIGINT and SIGTERM end the process at once', async (t) => {
  const waiting = `console.log('ready'); setInterval(() => {}, 1000); await new Promise(() => {});`;
  for (const [name, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    const job = startJob(t, waiting);
    await job.seen(/ready/);
    job.child.kill(name);
    t.match(await job.ended, { code, stderr: NOTHING }, name);
  }
});

test('the first SIGINT is for the job to end by; its exit code is 130 whatever the job throws then', async (t) => {
  const job = startJob(
    t,
    `console.log('ready');
     await new Promise((resolve) => {
       const alive = setInterval(() => {}, 1000);
       signal.addEventListener('abort', () => { clearInterval(alive); resolve(); });
     });
     console.log('saved');
     throw new mindts.TrainError('E_INTERRUPTED', 'stopped after step 7');`,
  );
  await job.seen(/ready/);
  job.child.kill('SIGINT');
  const ended = await job.ended;
  t.match(ended, { code: 130, stdout: /saved/ });
  t.equal(
    ended.stderr,
    'mindts: SIGINT: finishing the step in hand, saving and copying; once more ends at once\nmindts: stopped after step 7\n',
  );
});

test('a second signal ends the process at once', async (t) => {
  const job = startJob(
    t,
    `signal.addEventListener('abort', () => {}); console.log('ready');
     setInterval(() => {}, 1000); await new Promise(() => {});`,
  );
  await job.seen(/ready/);
  job.child.kill('SIGINT');
  await job.seen(/SIGINT: finishing/);
  job.child.kill('SIGTERM');
  t.equal((await job.ended).code, 143);
});

function startJob(t: Test, job: string): Running {
  const { file, root } = launchFile(t, job);
  return start([], { file, cache: join(root, 'cache') });
}

import { execFileSync, spawnSync } from 'node:child_process';
import * as fc from 'fast-check';
import { test } from 'tap';
import { choice, flag, integer, number, text } from '../../sdk/args/option.js';
import { parseOptions, wantsHelp } from '../../sdk/args/parse.js';
import { ArgumentError } from '../../sdk/base/errors.js';

const options = {
  data_url: text({ description: 'where the data set lies' }),
  ckpt_url: text({ description: 'parameters to start from', default: 'none' }),
  epoch_size: integer({ min: 1, default: 10, description: 'passes over the data' }),
  seed: integer({ description: 'the seed' }),
  learning_rate: number({ above: 0, default: 0.01, description: 'the learning rate' }),
  momentum: number({ min: 0, max: 1, default: 0.9, description: 'the momentum' }),
  device_target: choice(['CPU', 'GPU', 'Ascend'], { default: 'Ascend', description: 'what to train on' }),
  resume: flag({ description: 'go on from the last checkpoint' }),
};
const defaults = parseOptions(options, []).values;

function parsed(...argv: readonly string[]): Partial<typeof defaults> {
  return parseOptions(options, argv).values;
}
/** The message of the ArgumentError that a command line meets, behind its code. */
function refused(...argv: readonly string[]): string {
  try {
    parseOptions(options, argv);
  } catch (error) {
    if (error instanceof ArgumentError && error.exitCode === 2 && !error.message.includes('\n')) {
      return `${error.code} ${error.message}`;
    }
    throw error;
  }
  return 'nothing was thrown';
}
function wrong(...argv: readonly string[]): string {
  return refused(...argv).replace(/^E_ARGUMENT_VALUE /, '');
}

test('without arguments, every option has its default, and undefined where there is none', async (t) => {
  t.strictSame(defaults, {
    data_url: undefined,
    ckpt_url: 'none',
    epoch_size: 10,
    seed: undefined,
    learning_rate: 0.01,
    momentum: 0.9,
    device_target: 'Ascend',
    resume: false,
  });
});

test('the types follow from the options', async (t) => {
  const { values } = parseOptions(
    { ...options, train_url: text({ required: true, description: 'where results go' }) },
    ['--train_url', 'out'],
  );
  const epochs: number = values.epoch_size;
  const trainUrl: string = values.train_url;
  const device: 'CPU' | 'GPU' | 'Ascend' = values.device_target;
  const resume: boolean = values.resume;
  // @ts-expect-error: without a default it may be undefined
  const dataUrl: string = values.data_url;
  t.strictSame([epochs, trainUrl, device, resume, dataUrl], [10, 'out', 'Ascend', false, undefined]);
});

test('values follow a space or an equals sign, and dashes may stand for underscores', async (t) => {
  for (const argv of [
    ['--data_url', 'obs://b/d', '--epoch_size', '3'],
    ['--data_url=obs://b/d', '--epoch_size=3'],
    ['--data-url=obs://b/d', '--epoch-size', '3'],
  ]) {
    t.match(parsed(...argv), { data_url: 'obs://b/d', epoch_size: 3 });
  }
});

test('flags win over the configuration, and that over defaults', async (t) => {
  const config = { epoch_size: 5, learning_rate: 0.5 };
  const { values } = parseOptions(options, ['--epoch_size=3'], { config });
  t.match(values, { epoch_size: 3, learning_rate: 0.5, momentum: 0.9 });
});

test('a required option may come from the configuration, and all missing ones are named at once', async (t) => {
  const required = {
    data_url: text({ required: true, description: 'in' }),
    train_url: text({ required: true, description: 'out' }),
  };
  const config = { data_url: 'a' };
  t.equal(parseOptions(required, ['--train_url=b'], { config }).values.data_url, 'a');
  t.throws(() => parseOptions(required, ['--data_url=']), {
    code: 'E_ARGUMENT_REQUIRED',
    message: /--data_url, --train_url/,
  });
});

test('a flag given twice counts the last time, as in argparse', async (t) => {
  t.equal(parsed('--data_url=a', '--data-url', 'b').data_url, 'b');
  t.equal(parsed('--no-resume', '--resume').resume, true);
  t.equal(parsed('--ckpt_url=a', '--ckpt_url=').ckpt_url, 'none');
});

test('an empty value means that none was given', async (t) => {
  const config = { ckpt_url: 'from the file' };
  t.equal(parseOptions(options, ['--ckpt_url='], { config }).values.ckpt_url, 'from the file');
  t.match(parsed('--ckpt_url', '', '--epoch_size=', '--resume='), defaults);
});

test('a flag without its value is an error that says what was found instead', async (t) => {
  t.match(
    refused('--data_url', '--train_url', 'x'),
    /^E_ARGUMENT_NO_VALUE --data_url: expected text, found --train_url;/,
  );
  t.match(refused('--epoch-size'), /^E_ARGUMENT_NO_VALUE --epoch-size: .* found the end of the command line/);
  t.match(refused('--data_url', '--', 'x'), /^E_ARGUMENT_NO_VALUE .* found --;/);
  t.notMatch(refused('--data_url', '--token=secret'), 'secret');
});

test('a wrong value is an error naming the flag, the value and what is allowed', async (t) => {
  t.equal(wrong('--epoch_size', 'ten'), '--epoch_size ten: expected a whole number of at least 1');
  t.equal(wrong('--epoch-size=0'), '--epoch_size 0: expected a whole number of at least 1');
  t.equal(wrong('--learning_rate', '0'), '--learning_rate 0: expected a number above 0');
  t.equal(wrong('--momentum', '1.5'), '--momentum 1.5: expected a number from 0 to 1');
  t.equal(wrong('--device_target', 'cpu'), '--device_target cpu: expected CPU, GPU or Ascend');
  t.equal(wrong('--resume=maybe'), '--resume maybe: expected true or false');
  t.equal(wrong('--no-resume=true'), '--no-resume takes no value; write --resume=true or --no-resume');
  t.equal(wrong('--epoch_size', 'a b\nc'), '--epoch_size "a b\\nc": expected a whole number of at least 1');
  t.equal(wrong('--seed=http://me:secret@host/'), '--seed http://host/: expected a whole number');
  t.ok(wrong('--seed', 'x'.repeat(5000)).length < 200);
});

test('numbers are read whole or not at all', async (t) => {
  t.equal(parsed('--seed', '-1').seed, -1);
  t.equal(parsed('--seed', '007').seed, 7);
  t.equal(parsed('--learning_rate', '1e-3').learning_rate, 0.001);
  t.equal(parsed('--learning_rate', '.5').learning_rate, 0.5);
  for (const seed of ['1.5', '1e3', '0x10', '1_000', '12345678901234567890', '१', 'NaN', '10 20']) {
    t.match(refused('--seed', seed), /^E_ARGUMENT_VALUE .*: expected a whole number$/, seed);
  }
  for (const rate of ['1e999', 'Infinity', 'nan', '1,5', '.', 'e3']) {
    t.match(refused('--learning_rate', rate), /^E_ARGUMENT_VALUE /, rate);
  }
});

test('yes or no is understood as platforms and people write it', async (t) => {
  for (const argv of [['--resume'], ['--resume=true'], ['--resume', 'True'], ['--resume=1'], ['--resume', 'YES']]) {
    t.equal(parsed(...argv).resume, true, argv.join(' '));
  }
  for (const argv of [['--no-resume'], ['--no_resume'], ['--resume=false'], ['--resume', 'False'], ['--resume', '0']]) {
    t.equal(parsed('--resume', ...argv).resume, false, argv.join(' '));
  }
  const { values, positionals } = parseOptions(options, ['--resume', 'mnist']);
  t.strictSame([values.resume, positionals], [true, ['mnist']]);
});

test('unknown flags are passed over with one warning that names them all, and not their values', async (t) => {
  const { values, positionals, warnings } = parseOptions(options, [
    '--grampus_code_url=obs://b/?Signature=secret',
    '--boot_file',
    'train.py',
    '--epochsize',
    '3',
    '-v',
    '--no-cache',
    '--data_url=d',
    'mnist',
  ]);
  t.match(values, { data_url: 'd', epoch_size: 10 });
  t.strictSame(positionals, ['mnist']);
  t.strictSame(warnings, [
    'passed over flags that are not known here: --grampus_code_url, --boot_file, ' +
      '--epochsize (did you mean --epoch_size?), -v, --no-cache',
  ]);
  t.strictSame(parseOptions(options, ['--data_url', 'd']).warnings, []);
});

test('names from Object.prototype are flags like any other', async (t) => {
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty', '__proto__.polluted']) {
    for (const argv of [[`--${name}=x`], [`--${name}`, 'x'], [`--${name}`]]) {
      const { values, warnings } = parseOptions(options, argv);
      t.strictSame(values, defaults);
      t.match(warnings, [`--${name}`]);
    }
  }
  t.notOk('polluted' in {});
});

test('help is asked for anywhere before --, and does not disturb the rest', async (t) => {
  t.ok(wantsHelp(['--epoch_size', '3', '--help']));
  t.ok(wantsHelp(['-h']));
  t.notOk(wantsHelp(['--', '-h']));
  t.notOk(wantsHelp(['--data_url=--help']));
  t.strictSame(parseOptions(options, ['-h', '--help']).warnings, []);
});

test('positionals are returned as they stand, and all after -- are positionals', async (t) => {
  const { positionals, values } = parseOptions(options, ['007', '-', '-1', '--seed', '3', '--', '--seed', '4', '--']);
  t.strictSame(positionals, ['007', '-', '-1', '--seed', '4', '--']);
  t.equal(values.seed, 3);
});

test('any text survives behind an equals sign, and behind a space if it does not look like a flag', async (t) => {
  const anything = fc.oneof(
    fc.string({ unit: 'binary', minLength: 1 }),
    fc.constantFrom(
      '007',
      '-1',
      '1e-3',
      '--x',
      '-x',
      '--',
      '-',
      '=',
      'true',
      '12345678901234567890',
      '__proto__',
      'a\nb=c',
    ),
  );
  fc.assert(
    fc.property(anything, (value) => {
      t.equal(parseOptions(options, [`--data_url=${value}`]).values.data_url, value);
    }),
  );
  fc.assert(
    fc.property(anything, (value) => {
      fc.pre(!value.startsWith('-'));
      t.equal(parseOptions(options, ['--data_url', value]).values.data_url, value);
    }),
  );
});

test('every number survives being written out', async (t) => {
  fc.assert(
    fc.property(fc.maxSafeInteger(), fc.double({ noNaN: true, noDefaultInfinity: true, min: 5e-324 }), (seed, rate) => {
      const { values } = parseOptions(options, ['--seed', `${seed}`, '--learning_rate', `${rate}`]);
      t.strictSame([values.seed, values.learning_rate], [seed === 0 ? 0 : seed, rate]);
    }),
  );
});

test('no command line does anything but parse or throw an ArgumentError', async (t) => {
  const word = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '--data_url',
      '--seed',
      '--resume',
      '--no-resume',
      '--',
      '-',
      '-1',
      '--x',
      '-h',
      '--seed=3',
      'true',
    ),
    fc.string().map((s) => `--${s}`),
  );
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      try {
        const { warnings } = parseOptions(options, argv);
        t.ok(warnings.length <= 1);
      } catch (error) {
        t.ok(error instanceof ArgumentError, String(error));
      }
    }),
    { numRuns: 1000 },
  );
});

const noPython = spawnSync('python3', ['--version']).status === 0 ? false : 'no python3 here';

test('argparse agrees about repetition, empty values and missing values', { skip: noPython }, async (t) => {
  const script = `
import argparse, json, sys
parser = argparse.ArgumentParser()
parser.add_argument('--data_url')
parser.add_argument('--seed', type=int)
try:
    known, rest = parser.parse_known_args(sys.argv[1:])
    print(json.dumps([known.data_url, known.seed]))
except SystemExit:
    print('null')`;
  const argparse = (argv: readonly string[]): string =>
    execFileSync('python3', ['-c', script, ...argv], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  for (const argv of [
    ['--data_url', 'a', '--data_url=b', '--seed=007'],
    ['--data_url', '--seed', '1'],
    ['--data_url'],
    ['--seed', '-1', '--unknown', '--data_url', '-'],
    ['--data_url=--seed'],
    ['--data_url', '--a sentence', '--seed', '1'],
    ['--data_url', '-x'],
    ['--seed=ten'],
    ['--data_url', '--', 'x'],
  ]) {
    let ours = 'null';
    try {
      const { data_url = null, seed = null } = parseOptions(options, argv).values;
      ours = JSON.stringify([data_url, seed]);
    } catch (error) {
      t.ok(error instanceof ArgumentError);
    }
    t.strictSame(JSON.parse(ours), JSON.parse(argparse(argv)), argv.join(' '));
  }
});

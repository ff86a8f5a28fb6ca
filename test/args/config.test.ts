import { join } from 'node:path';
import { test } from 'tap';
import { readConfig } from '../../sdk/args/config.js';
import { flag, integer, number, text } from '../../sdk/args/option.js';

const options = {
  data_url: text({ description: 'where the data set lies' }),
  epoch_size: integer({ min: 1, default: 10, description: 'passes over the data' }),
  learning_rate: number({ above: 0, default: 0.01, description: 'the learning rate' }),
  resume: flag({ description: 'go on from the last checkpoint' }),
};

test('a configuration gives the values that it names, and only those', async (t) => {
  const folder = t.testdir({
    'a.yaml': '# ours\nepoch_size: 3 # three\nlearning_rate: 1e-3\nresume: yes\ndata_url: 007\n',
    'quoted.yaml': `epoch_size: "3"\ndata_url: 'it''s: here'\nresume: False\n`,
    'flow.yaml': '\uFEFF{ epoch_size: 3 }',
    'anchor.yaml': 'epoch_size: &n 3\ndata_url: *n\n',
    'block.yaml': 'data_url: |\n  two\n  lines\n',
  });
  const read = (name: string): Promise<object> => readConfig(join(folder, name), options);
  t.strictSame(await read('a.yaml'), { data_url: '007', epoch_size: 3, learning_rate: 0.001, resume: true });
  t.strictSame(await read('quoted.yaml'), { data_url: "it's: here", epoch_size: 3, resume: false });
  t.strictSame(await read('flow.yaml'), { epoch_size: 3 });
  t.strictSame(await read('anchor.yaml'), { data_url: '3', epoch_size: 3 });
  t.strictSame(await read('block.yaml'), { data_url: 'two\nlines\n' });
});

test('a key without a value is not given, and neither is an empty file', async (t) => {
  const folder = t.testdir({
    'a.yaml': `data_url:\nepoch_size: null\nlearning_rate: ~\nresume: ''\n`,
    'b.yaml': '',
    'c.yaml': '# x',
  });
  for (const name of ['a.yaml', 'b.yaml', 'c.yaml'])
    t.strictSame(await readConfig(join(folder, name), options), {}, name);
});

test('an unknown key is an error that names the key, the line and the nearest known key', async (t) => {
  const folder = t.testdir({
    'near.yaml': '\n\nepochsize: 3\n',
    'far.yaml': 'colour: red\n',
    'proto.yaml': '__proto__: 1\n',
  });
  const near = join(folder, 'near.yaml');
  await t.rejects(readConfig(near, options), {
    code: 'E_CONFIG_KEY',
    exitCode: 2,
    message: `${near}:3: unknown key epochsize; did you mean epoch_size?`,
  });
  await t.rejects(readConfig(join(folder, 'far.yaml'), options), {
    message: /:1: unknown key colour; the known ones are data_url, epoch_size, learning_rate, resume$/,
  });
  await t.rejects(readConfig(join(folder, 'proto.yaml'), options), { code: 'E_CONFIG_KEY' });
});

test('a wrong value is an error that names the file, the line and the key', async (t) => {
  const file = join(t.testdir({ 'a.yaml': 'data_url: x\nepoch_size: ten\n' }), 'a.yaml');
  await t.rejects(readConfig(file, options), {
    code: 'E_ARGUMENT_VALUE',
    exitCode: 2,
    message: `${file}:2: epoch_size ten: expected a whole number of at least 1`,
  });
});

test('what is no flat YAML map is refused in one line that names the line', async (t) => {
  const broken = {
    'list.yaml': ['- 1\n- 2\n', 1],
    'word.yaml': ['hello', 1],
    'open.yaml': ['data_url: "x\nepoch_size: 3\n', undefined],
    'twice.yaml': ['epoch_size: 3\nepoch_size: 4\n', 2],
    'nested.yaml': ['data_url: x\nepoch_size:\n  first: 3\n', 2],
    'tab.yaml': ['data_url: x\n\tepoch_size: 3\n', undefined],
    'two.yaml': ['epoch_size: 3\n---\nepoch_size: 4\n', undefined],
    'tag.yaml': ['data_url: !!python/object:os.system x\n', 1],
    'alias.yaml': ['data_url: *nowhere\n', 1],
    'key.yaml': ['[a, b]: 3\n', 1],
    'number.yaml': ['1: 3\n', 1],
  } as const;
  const folder = t.testdir(Object.fromEntries(Object.entries(broken).map(([name, [content]]) => [name, content])));
  for (const [name, [, line]] of Object.entries(broken)) {
    const error = await readConfig(join(folder, name), options).catch((thrown: unknown) => thrown);
    t.match(error, { code: 'E_CONFIG_YAML', exitCode: 2 }, name);
    t.match(String(error), new RegExp(`${name}:${line ?? '\\d+'}: this is not a flat YAML map: [^\\n]+$`), name);
  }
});

test('a file that cannot be read is an error that says why', async (t) => {
  const folder = t.testdir();
  await t.rejects(readConfig(join(folder, 'none.yaml'), options), {
    code: 'E_CONFIG_READ',
    exitCode: 2,
    message: `cannot read the configuration file ${join(folder, 'none.yaml')}: no such file or folder`,
  });
  await t.rejects(readConfig(folder, options), { code: 'E_CONFIG_READ', message: /it is a folder$/ });
});

test('configs/mnist.yaml holds the settings of the original example', async (t) => {
  const count = integer({ min: 1, description: 'a count' });
  const real = number({ min: 0, description: 'a number' });
  const config = await readConfig(join(import.meta.dirname, '../../configs/mnist.yaml'), {
    num_classes: count,
    batch_size: count,
    epoch_size: count,
    learning_rate: real,
    momentum: real,
    weight_decay: real,
    save_checkpoint_steps: count,
    keep_checkpoint_max: count,
    seed: integer({ description: 'the seed' }),
  });
  t.strictSame(config, {
    num_classes: 10,
    batch_size: 32,
    epoch_size: 10,
    learning_rate: 0.01,
    momentum: 0.9,
    weight_decay: 0,
    save_checkpoint_steps: 1875,
    keep_checkpoint_max: 150,
    seed: 1,
  });
});

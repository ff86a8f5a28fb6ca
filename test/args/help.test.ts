import * as fc from 'fast-check';
import { test } from 'tap';
import { helpText } from '../../sdk/args/help.js';
import { choice, flag, integer, text } from '../../sdk/args/option.js';

const options = {
  data_url: text({ description: 'where the data set lies', placeholder: 'URL', required: true }),
  epoch_size: integer({ min: 1, default: 10, description: 'how often to go over the whole training set' }),
  device_target: choice(['CPU', 'GPU', 'Ascend'], { default: 'Ascend', description: 'what to train on' }),
  resume: flag({ description: 'go on from the last checkpoint' }),
  shuffle: flag({ description: 'shuffle the data', default: true }),
};

test('a help text shows each option with what is allowed and its default, in columns', async (t) => {
  const help = helpText({
    name: 'mindts train',
    description: 'Trains LeNet-5 on a data set.',
    options,
    examples: ['mindts train --data_url builtin:digits'],
    width: 80,
  });
  t.equal(
    help,
    `Trains LeNet-5 on a data set.

Usage: mindts train [options]

Options:
  --data_url URL  where the data set lies (required)
  --epoch_size N  how often to go over the whole training set (a whole number of
                  at least 1; default: 10)
  --device_target CPU|GPU|Ascend
                  what to train on (default: Ascend)
  --[no-]resume   go on from the last checkpoint
  --[no-]shuffle  shuffle the data (default: true)
  -h, --help      show this text

Examples:
  mindts train --data_url builtin:digits`,
  );
});

test('no line is wider than the terminal, unless one word is', async (t) => {
  const words = fc.array(fc.stringMatching(/^[0-9]{1,12}$/), { minLength: 1, maxLength: 40 });
  fc.assert(
    fc.property(words, fc.integer({ min: 40, max: 200 }), (description, width) => {
      const joined = description.join(' ');
      const lines = helpText({
        name: 'x',
        description: joined,
        options: { data_url: text({ description: joined }) },
        width,
      });
      t.ok(lines.split('\n').every((line) => line.length <= width));
      t.equal(lines.replace(/\s+/g, ' ').split(joined).length, 3, 'no word is lost');
    }),
  );
});

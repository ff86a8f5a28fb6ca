import { test } from 'tap';
import { choice, flag, integer, isBooleanWord, number, readValue, text } from '../../sdk/args/option.js';

const description = 'what it is';

test('an option says in words what it allows', async (t) => {
  t.equal(integer({ description }).expected, 'a whole number');
  t.equal(integer({ description, min: 1 }).expected, 'a whole number of at least 1');
  t.equal(integer({ description, max: 9 }).expected, 'a whole number of at most 9');
  t.equal(integer({ description, min: 1, max: 9 }).expected, 'a whole number from 1 to 9');
  t.equal(number({ description, above: 0, max: 1 }).expected, 'a number above 0 and of at most 1');
  t.equal(choice(['one'], { description }).expected, 'one');
  t.equal(choice(['one', 'two'], { description }).expected, 'one or two');
  t.equal(flag({ description }).expected, 'true or false');
});

test('the ends of a range belong to it, except for above', async (t) => {
  const share = number({ description, min: 0, max: 1 });
  t.equal(readValue(share, '0', 'share'), 0);
  t.equal(readValue(share, '1', 'share'), 1);
  t.throws(() => readValue(share, '1.0001', 'share'), { message: 'share 1.0001: expected a number from 0 to 1' });
  t.throws(() => readValue(number({ description, above: 0 }), '0', 'rate'), { code: 'E_ARGUMENT_VALUE' });
});

test('a default makes an option optional even if it is marked as required', async (t) => {
  t.match(text({ description, default: 'x', required: true }), { required: false, default: 'x' });
  t.match(text({ description, required: true }), { required: true });
  t.match(text({ description }), { required: false, default: undefined });
});

test('true, yes, 1 and their opposites are yes-or-no words in any case', async (t) => {
  for (const word of ['true', 'True', 'TRUE', 'yes', 'no', 'False', '0', '1']) t.ok(isBooleanWord(word), word);
  for (const word of ['', 'on', 'y', 'maybe', '01']) t.notOk(isBooleanWord(word), word);
});
